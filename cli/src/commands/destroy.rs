//! `agentbox destroy`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::{self, BoxInfo, BoxState};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::lifecycle;
use crate::project::Project;
use crate::relay;
use crate::target::settled;
use crate::work::save::{self, Saved, awake};

/// Arguments of `destroy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Removes the box, its volumes and its records. Work that has not left the box is saved first: commits that
the project's repository does not have and changes that nobody has committed as a git bundle, or, where there
is no git, all of /workspace as a tar archive. The file's path is printed.

Examples:
  agentbox destroy mybox
  agentbox destroy mybox -f
  agentbox destroy mybox -f --discard"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Do not ask; a box that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// Save nothing: work that exists only in the box is gone
    #[arg(long)]
    discard: bool,
}

/// What was removed, as `--json` has it.
#[derive(Debug, Serialize)]
struct Destroyed<'a> {
    #[serde(flatten)]
    info: &'a BoxInfo,
    /// The file that its work was saved to.
    saved: Option<PathBuf>,
}

/// Removes a box, after saving its work.
///
/// # Errors
/// No such box (3; not with `-f`), no terminal to ask on and no `-f` (2), work that cannot be saved (1; the box stays as
/// it was), those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let observed = boxes::observe(&docker).await?;
        let spec = arguments.name.as_deref();
        if arguments.force && boxes::is_absent(&observed.boxes, &project, spec) {
            context.ui.status("there is no such box");
            return Ok(Exit::SUCCESS);
        }
        let found = boxes::find(&observed.boxes, &project, spec)?;
        let info = &settled(context, &docker, found.clone()).await?;
        let name = &info.name;
        if !arguments.force && !context.ui.is_interactive() {
            return Err(Failure::usage(format!(
                "without a terminal nobody can say whether box `{name}` may go"
            ))
            .hint(format!("agentbox destroy {name} -f")));
        }
        let saved = if arguments.discard {
            if !arguments.force && !answered(context, info, context.ui.confirm(&question(info))?) {
                return Ok(Exit::FAILURE);
            }
            None
        } else {
            match rescue(context, &docker, info, arguments.force).await {
                Ok(Rescue::Done(saved)) => saved,
                Ok(Rescue::Refused) => return Ok(Exit::FAILURE),
                Err(Stopped::Interrupted) => return Ok(interrupt::EXIT),
                Err(Stopped::Failed(failure)) => return Err(failure),
            }
        };
        let step = context.ui.step(&format!("removing box `{name}`"));
        // An engine may fail to remove what is being read.
        relay::hold(context, &docker, &info.id).await;
        lifecycle::remove(&docker, &info.container_id, &info.id).await?;
        step.finish(&format!("removed box `{name}`"));
        if context.json {
            context.ui.json(&Destroyed { info, saved })?;
        } else if let Some(path) = saved {
            context.ui.line(&path.display().to_string())?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Removes a box that somebody has said may go, after saving its work: into the file that is given, where there was any.
///
/// # Errors
/// Work that cannot be saved (the box stays as it was), those of the engine, a signal while it is saved.
pub(crate) async fn forced(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
) -> Result<Option<PathBuf>, Stopped> {
    let saved = match rescue(context, docker, info, true).await? {
        Rescue::Done(saved) => saved,
        Rescue::Refused => return Err(Stopped::Interrupted),
    };
    relay::hold(context, docker, &info.id).await;
    lifecycle::remove(docker, &info.container_id, &info.id).await?;
    Ok(saved)
}

enum Rescue {
    /// The box may go; its work is in this file, where there was any.
    Done(Option<PathBuf>),
    /// The person wants to keep the box.
    Refused,
}

/// Saves the work of a box, after asking whether it may go. A box that stays is put back into the state it was in.
async fn rescue(context: &Context, docker: &Docker, info: &BoxInfo, force: bool) -> Result<Rescue, Stopped> {
    let name = &info.name;
    if info.state == BoxState::Dead {
        return Err(
            Failure::failed(format!("box `{name}` is dead: what is in it cannot be saved"))
                .hint(format!("agentbox destroy {name} --discard"))
                .into(),
        );
    }
    let mut interrupt = Interrupt::new()?;
    let result = async {
        let plan = save::survey(context, docker, info, &mut interrupt).await?;
        if !force {
            if let Some(told) = plan.told() {
                context.ui.status(&format!("saved first: {told}"));
            }
            let yes = context.ui.confirm_unless(&question(info), &mut interrupt).await?;
            if !answered(context, info, yes) {
                return Ok(Rescue::Refused);
            }
        }
        let saved = interrupt.guard(save::save(context, docker, info, plan)).await?;
        let Some(Saved { path, plan }) = saved else {
            return Ok(Rescue::Done(None));
        };
        if let Some(told) = plan.told() {
            context.ui.status(&format!("saved {told} to {}", path.display()));
        }
        for recipe in save::recipes(info, &plan, &path) {
            context.ui.hint(&recipe);
        }
        Ok(Rescue::Done(Some(path)))
    }
    .await;
    if !matches!(result, Ok(Rescue::Done(_)))
        && let Err(failure) = awake::settle(docker, info).await
    {
        context.ui.warning(&format!(
            "box `{name}` was {} and could not be put back: {}",
            info.state, failure.message
        ));
    }
    result.map_err(|stopped| match stopped {
        Stopped::Failed(failure) => Stopped::Failed(explained(name, failure)),
        Stopped::Interrupted => Stopped::Interrupted,
    })
}

/// A failure to save, with what it means for the box.
fn explained(name: &str, mut failure: Failure) -> Failure {
    failure.causes.insert(0, failure.message);
    failure.message = format!("the work of box `{name}` cannot be saved, so the box stays");
    failure.hint(format!(
        "agentbox destroy {name} --discard removes it with its work"
    ))
}

fn question(info: &BoxInfo) -> String {
    format!(
        "Remove box `{}` ({}) and everything in it?",
        info.name, info.state
    )
}

/// Says what a no means.
fn answered(context: &Context, info: &BoxInfo, yes: bool) -> bool {
    if !yes {
        context.ui.status(&format!("box `{}` stays", info.name));
    }
    yes
}
