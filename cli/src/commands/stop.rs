//! `agentbox stop`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::Request;

use super::{on_runtime, start};
use crate::Exit;
use crate::context::Context;
use crate::lifecycle;
use crate::target::Target;

/// Arguments of `stop`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Units end in the reverse order of their needs, each with its own time. Files stay.

Examples:
  agentbox stop
  agentbox stop mybox worker"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Stop only these units
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
}

/// Stops a box or units of it.
///
/// # Errors
/// No such box or unit (3), those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, units) =
            Target::with_units(context, arguments.name.as_deref(), &arguments.units).await?;
        if !units.is_empty() {
            start::ask_units(context, &target, Request::Stop { units }).await?;
            return Ok(Exit::SUCCESS);
        }
        let target = target.again().await?;
        let stopped = lifecycle::stop(context, &target.docker, &target.info).await?;
        let already = if stopped { "" } else { " already" };
        context
            .ui
            .status(&format!("box `{}` is stopped{already}", target.info.name));
        start::finish(context, &target).await?;
        Ok(Exit::SUCCESS)
    })
}
