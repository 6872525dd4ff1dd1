//! `agentbox reload`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, ReloadAction, ReloadStep, Request};

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::push;
use crate::target::Target;
use crate::ui::one_line;

/// Arguments of `reload`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Applies the box's own agentbox.yaml: only what changed is started again.
With --push the host's copy goes in first.

Examples:
  agentbox reload
  agentbox reload mybox --push"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// First copy the host's agentbox.yaml into the box
    #[arg(long)]
    push: bool,
    /// With --push: even where the box's copy was edited since
    #[arg(long)]
    force: bool,
}

/// Applies an edited `agentbox.yaml` to a running box.
///
/// # Errors
/// A file with mistakes (2), a box that is not running (1), one whose file was edited (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        target.require_running()?;
        if arguments.push {
            push::push(context, &target, arguments.force).await?;
        }
        let channel = target.own_channel().await?;
        match channel.ask(&Request::Reload).await? {
            Answer::Reload(steps) => show(context, &steps)?,
            _ => {
                return Err(Failure::failed(
                    "the supervisor answered something else than what it did",
                ));
            }
        }
        Ok(Exit::SUCCESS)
    })
}

fn show(context: &Context, steps: &[ReloadStep]) -> Result<(), Failure> {
    if context.json {
        return context.ui.json(&steps);
    }
    let changed = steps.iter().any(|step| step.action != ReloadAction::Unchanged);
    for step in steps {
        let line = format!("{}: {}", one_line(&step.unit), word(step.action));
        if step.action == ReloadAction::Unchanged {
            context.ui.detail(&line);
        } else {
            context.ui.line(&line)?;
        }
    }
    if !changed {
        context.ui.status("nothing has changed");
    }
    Ok(())
}

fn word(action: ReloadAction) -> &'static str {
    match action {
        ReloadAction::Added => "added",
        ReloadAction::Removed => "removed",
        ReloadAction::Restarted => "restarted",
        ReloadAction::Updated => "updated",
        ReloadAction::Unchanged => "unchanged",
    }
}
