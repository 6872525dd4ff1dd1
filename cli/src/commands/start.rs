//! `agentbox start`, and what `stop` and `restart` share with it: a box, or some of its units.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, Request, UnitOutcome};

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::lifecycle::{self, Started};
use crate::readiness::{self, Wanted};
use crate::relay::Relay;
use crate::target::{Channel, Target};
use crate::ui::one_line;

/// Arguments of `start`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A paused box is thawed. A stopped one must have a valid agentbox.yaml.

Examples:
  agentbox start
  agentbox start mybox --wait
  agentbox start mybox web worker"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Start only these units, with what they need
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Return when the units are ready, with the exit code of `agentbox wait`
    #[arg(long)]
    wait: bool,
}

/// Starts a box or units of it.
///
/// # Errors
/// Mistakes in the box's `agentbox.yaml` (2), no such box or unit (3), a unit that fails (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, units) =
            Target::with_units(context, arguments.name.as_deref(), &arguments.units).await?;
        if !units.is_empty() {
            ask_units(context, &target, Request::Start { units: units.clone() }).await?;
            return wait_for(context, &target, arguments.wait, units).await;
        }
        let target = target.again().await?;
        let mut interrupt = Interrupt::new()?;
        let name = &target.info.name;
        match lifecycle::start(context, &target.docker, &target.info, &mut interrupt).await {
            Ok(started) => context.ui.status(&match started {
                Started::Running => format!("box `{name}` is running already"),
                Started::Thawed => format!("thawed box `{name}`"),
                Started::Started => format!("box `{name}` is running"),
            }),
            Err(stopped) => return ended(context, &target, stopped),
        }
        finish(context, &target).await?;
        wake(context, &target).await;
        wait_for(context, &target, arguments.wait, Vec::new()).await
    })
}

/// How a box command ends that did not come to its end.
pub(super) fn ended(context: &Context, target: &Target, stopped: Stopped) -> Result<Exit, Failure> {
    match stopped {
        Stopped::Failed(failure) => {
            let hint = format!("agentbox logs {}", target.info.name);
            Err(if failure.hints.is_empty() && failure.rendered.is_none() {
                failure.hint(hint)
            } else {
                failure
            })
        }
        Stopped::Interrupted => {
            context
                .ui
                .status(&format!("interrupted: agentbox status {}", target.info.name));
            Ok(interrupt::EXIT)
        }
    }
}

/// Starts the relay, for who looks at the box next.
pub(super) async fn wake(context: &Context, target: &Target) {
    if let Some(relay) = Relay::of(context, &target.docker) {
        // Where it leads is no matter here.
        let _ = relay.wake().await;
    }
}

/// Prints the box as it is now, where JSON is wanted.
pub(super) async fn finish(context: &Context, target: &Target) -> Result<(), Failure> {
    if !context.json {
        return Ok(());
    }
    let observation = crate::boxes::observe(&target.docker).await?;
    match observation.boxes.iter().find(|info| info.id == target.info.id) {
        Some(info) => context.ui.json(info),
        None => Err(Failure::not_found(format!("box `{}` is gone", target.info.name))),
    }
}

/// Waits for units where that is wanted.
pub(super) async fn wait_for(
    context: &Context,
    target: &Target,
    wanted: bool,
    units: Vec<String>,
) -> Result<Exit, Failure> {
    if wanted {
        let name = &target.info.name;
        let channel = Channel::open(&target.docker, &target.info.container_id, name).await?;
        let wanted = Wanted {
            units,
            ..Wanted::default()
        };
        readiness::wait(&context.ui, &channel.client, name, &wanted)
            .await
            .map_err(|failure| channel.explain(failure))?;
    }
    Ok(Exit::SUCCESS)
}

/// Sends a request about units and prints what became of each.
pub(super) async fn ask_units(context: &Context, target: &Target, request: Request) -> Result<(), Failure> {
    target.require_running()?;
    let channel = target.own_channel().await?;
    match channel.ask(&request).await? {
        Answer::Units(outcomes) => show(context, &outcomes),
        _ => Err(Failure::failed(
            "the supervisor answered something else than was asked",
        )),
    }
}

fn show(context: &Context, outcomes: &[UnitOutcome]) -> Result<(), Failure> {
    if context.json {
        return context.ui.json(&outcomes);
    }
    for outcome in outcomes {
        let unit = one_line(&outcome.unit);
        let state = one_line(&outcome.state);
        let note = if outcome.changed { "" } else { " already" };
        context.ui.line(&format!("{unit}: {state}{note}"))?;
    }
    Ok(())
}
