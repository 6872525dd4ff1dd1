//! Doing what a key asked for. What is told is what was answered.

use std::io;
use std::process::Stdio;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, Request};

use super::super::model::{Action, BoxVerb, Input, Job, News, UnitVerb};
use super::super::plain::clean;
use crate::boxes::{self, BoxState};
use crate::commands::{restart, url};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle::{self, Started};
use crate::relay::Relay;
use crate::target::{Target, settled};
use crate::ui::{Look, Ui};

/// A context for what writes to a terminal: ours has somebody who draws on it.
pub(super) fn quiet(context: &Context) -> Context {
    let look = Look {
        quiet: true,
        ..Look::default()
    };
    Context {
        ui: Ui::new(Box::new(io::sink()), Box::new(io::sink()), look),
        json: false,
        engine: context.engine.clone(),
        directory: context.directory.clone(),
        home: context.home.clone(),
        config_directory: context.config_directory.clone(),
        data_directory: context.data_directory.clone(),
        relay: context.relay.clone(),
    }
}

/// What came of it.
pub(super) struct Done {
    /// In one line.
    pub(super) text: String,
    /// How the box, or its units, are after that, where that is known.
    pub(super) news: Option<Input>,
}

/// Does it.
///
/// # Errors
/// Those of the command that does the same.
pub(super) async fn act(context: &Context, docker: Docker, job: Job) -> Result<Done, Failure> {
    // The box as it is now, not as it was drawn.
    let observation = boxes::observe(&docker).await?;
    let now = observation.boxes.into_iter().find(|info| info.id == job.info.id);
    let info = now.ok_or_else(|| {
        Failure::not_found(format!("box `{}` is gone", job.info.name)).hint("agentbox list -g")
    })?;
    let info = settled(context, &docker, info).await?;
    let target = Target::of(docker.clone(), info, Relay::of(context, &docker));
    match job.action {
        Action::Unit(verb, unit) => units(&target, verb, unit).await,
        Action::Box(verb) => {
            let text = whole_box(context, &target, verb).await?;
            let observed = boxes::observe(&target.docker).await;
            Ok(Done {
                text,
                news: observed.ok().map(|observation| Input::Boxes(observation.boxes)),
            })
        }
        Action::Open => Ok(Done {
            text: open(&target).await?,
            news: None,
        }),
    }
}

async fn units(target: &Target, verb: UnitVerb, unit: String) -> Result<Done, Failure> {
    target.require_running()?;
    let units = vec![unit];
    let request = match verb {
        UnitVerb::Start => Request::Start { units },
        UnitVerb::Stop => Request::Stop { units },
        UnitVerb::Restart => Request::Restart { units },
    };
    let channel = target.own_channel().await?;
    match channel.ask(&request).await? {
        Answer::Units(outcomes) => {
            let told = outcomes.iter().map(|outcome| {
                let already = if outcome.changed { "" } else { " already" };
                let restarted = match verb {
                    UnitVerb::Restart => " again",
                    UnitVerb::Start | UnitVerb::Stop => "",
                };
                format!(
                    "{} is {}{restarted}{already}",
                    clean(&outcome.unit),
                    clean(&outcome.state)
                )
            });
            let units = channel.units().await.ok().map(News::Units);
            Ok(Done {
                text: told.collect::<Vec<_>>().join(", "),
                news: units.map(|units| Input::Box(target.info.id.clone(), units)),
            })
        }
        _ => Err(Failure::failed(
            "the supervisor answered something else than was asked",
        )),
    }
}

async fn whole_box(context: &Context, target: &Target, verb: BoxVerb) -> Result<String, Failure> {
    let (docker, info) = (&target.docker, &target.info);
    let name = &info.name;
    match verb {
        BoxVerb::Stop => {
            let was_up = lifecycle::stop(context, docker, info).await?;
            let already = if was_up { "" } else { " already" };
            Ok(format!("box `{name}` is stopped{already}"))
        }
        BoxVerb::Start => {
            let mut interrupt = Interrupt::new()?;
            let started = lifecycle::start(context, docker, info, &mut interrupt).await;
            match started.map_err(|stopped| ended(name, stopped))? {
                Started::Running => Ok(format!("box `{name}` is running already")),
                Started::Thawed => Ok(format!("thawed box `{name}`")),
                Started::Started => Ok(format!("box `{name}` is running")),
            }
        }
        BoxVerb::Restart => {
            let mut interrupt = Interrupt::new()?;
            let restarted = restart::whole_box(context, target, &mut interrupt).await;
            restarted.map_err(|stopped| ended(name, stopped))?;
            Ok(format!("box `{name}` is running again"))
        }
        BoxVerb::Pause => match info.state {
            BoxState::Paused => Ok(format!("box `{name}` is paused already")),
            _ => {
                target.require_running()?;
                docker.pause_container(&info.container_id).await?;
                Ok(format!("box `{name}` is paused"))
            }
        },
        BoxVerb::Unpause => match info.state {
            BoxState::Paused => {
                lifecycle::unpause(docker, info).await?;
                Ok(format!("thawed box `{name}`"))
            }
            _ => {
                target.require_running()?;
                Ok(format!("box `{name}` is running already"))
            }
        },
    }
}

fn ended(name: &str, stopped: Stopped) -> Failure {
    match stopped {
        Stopped::Failed(failure) if failure.hints.is_empty() && failure.rendered.is_none() => {
            failure.hint(format!("agentbox logs {name}"))
        }
        Stopped::Failed(failure) => failure,
        Stopped::Interrupted => Failure::failed("interrupted").hint(format!("agentbox status {name}")),
    }
}

async fn open(target: &Target) -> Result<String, Failure> {
    let url = url::of(target, target.relay.as_ref()).await?.url;
    let mut opener = tokio::process::Command::from(url::opener(&url));
    let status = opener
        .stderr(Stdio::null())
        .status()
        .await
        .map_err(|error| url::cannot_run(&error))?;
    url::opened(&url, status)?;
    Ok(format!("opened {url}"))
}
