//! `agentbox restart`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::message::Request;

use super::{on_runtime, start};
use crate::Exit;
use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::interrupt::Interrupt;
use crate::lifecycle;
use crate::project_config;
use crate::target::Target;

/// Arguments of `restart`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox restart --wait
  agentbox restart mybox web")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Restart only these units
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Return when the units are ready, with the exit code of `agentbox wait`
    #[arg(long)]
    wait: bool,
}

/// Restarts a box or units of it.
///
/// # Errors
/// Mistakes in the box's `agentbox.yaml` (2; the box goes on), no such box or unit (3), a unit that fails (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, units) =
            Target::with_units(context, arguments.name.as_deref(), &arguments.units).await?;
        if !units.is_empty() {
            ask(context, &target, &units).await?;
            return start::wait_for(context, &target, arguments.wait, units).await;
        }
        let target = target.again().await?;
        // A box that would not start again is not stopped.
        let bytes = target
            .docker
            .read_file(
                &target.info.container_id,
                paths::CONFIG,
                project_config::LIMIT as usize,
            )
            .await?;
        if let Some(bytes) = &bytes {
            project_config::validate(bytes, paths::CONFIG)?;
        }
        let mut interrupt = Interrupt::new()?;
        lifecycle::stop(context, &target.docker, &target.info).await?;
        let stopped = BoxInfo {
            state: BoxState::Stopped,
            ..target.info.clone()
        };
        if let Err(stopped) = lifecycle::start(context, &target.docker, &stopped, &mut interrupt).await {
            return start::ended(context, &target, stopped);
        }
        context
            .ui
            .status(&format!("box `{}` is running", target.info.name));
        start::finish(context, &target).await?;
        start::wake(context, &target).await;
        start::wait_for(context, &target, arguments.wait, Vec::new()).await
    })
}

async fn ask(context: &Context, target: &Target, units: &[String]) -> Result<(), Failure> {
    let request = Request::Restart {
        units: units.to_vec(),
    };
    start::ask_units(context, target, request).await
}
