//! `agentbox pause` and `agentbox unpause`.

use agentbox_ctl::failure::Failure;

use super::{on_runtime, start};
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::lifecycle;
use crate::relay;
use crate::target::Target;

/// Arguments of `pause` and `unpause`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Nothing restarts, however long the pause.

Examples:
  agentbox pause mybox
  agentbox unpause mybox")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
}

/// Freezes a box.
///
/// # Errors
/// A box that is not running (1), no such box (3).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        let target = target.again().await?;
        let name = &target.info.name;
        match target.info.state {
            BoxState::Paused => context.ui.status(&format!("box `{name}` is paused already")),
            BoxState::Running => {
                // An engine that freezes a container while a process is being started in it may not be able to thaw it.
                relay::hold(context, &target.docker, &target.info.id).await;
                target.docker.pause_container(&target.info.container_id).await?;
                context.ui.status(&format!("box `{name}` is paused"));
            }
            BoxState::Stopped | BoxState::Dead => target.require_running()?,
        }
        start::finish(context, &target).await?;
        Ok(Exit::SUCCESS)
    })
}

/// Thaws a box.
///
/// # Errors
/// A box that is not running (1), no such box (3).
pub fn run_unpause(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        let target = target.again().await?;
        let name = &target.info.name;
        match target.info.state {
            BoxState::Running => context.ui.status(&format!("box `{name}` is running already")),
            BoxState::Paused => {
                lifecycle::unpause(&target.docker, &target.info).await?;
                context.ui.status(&format!("thawed box `{name}`"));
            }
            BoxState::Stopped | BoxState::Dead => target.require_running()?,
        }
        start::finish(context, &target).await?;
        Ok(Exit::SUCCESS)
    })
}
