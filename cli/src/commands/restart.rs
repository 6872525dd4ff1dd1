//! `agentbox restart`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::Request;

use super::{on_runtime, start};
use crate::Exit;
use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle;
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
        let mut interrupt = Interrupt::new()?;
        if let Err(stopped) = whole_box(context, &target, &mut interrupt).await {
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

/// Restarts a whole box. One that would not start again is not stopped.
///
/// # Errors
/// Mistakes in the box's `agentbox.yaml`, those of [`lifecycle::stop`] and [`lifecycle::start`].
pub(crate) async fn whole_box(
    context: &Context,
    target: &Target,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let (docker, info) = (&target.docker, &target.info);
    let (config, attached) = lifecycle::look(context, docker, info).await?;
    lifecycle::check(config.as_deref(), &attached)?;
    lifecycle::stop(context, docker, info).await?;
    let stopped = BoxInfo {
        state: BoxState::Stopped,
        ..info.clone()
    };
    lifecycle::start(context, docker, &stopped, interrupt).await?;
    Ok(())
}

async fn ask(context: &Context, target: &Target, units: &[String]) -> Result<(), Failure> {
    let request = Request::Restart {
        units: units.to_vec(),
    };
    start::ask_units(context, target, request).await
}
