//! `agentbox wait`.

use std::time::{Duration, Instant};

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::readiness::{self, Wanted};
use crate::target::Target;

/// Arguments of `wait`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ready, 1 a unit has failed, 3 no such box or unit, 124 the time is over.

Examples:
  agentbox wait
  agentbox wait mybox --unit web --timeout 30s && open \"$(agentbox url mybox)\""
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Wait for this unit only; can be given several times
    #[arg(long = "unit", value_name = "UNIT")]
    units: Vec<String>,
    /// Give up after this long
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Waits until units are ready.
///
/// # Errors
/// A unit that failed (1), an unknown one (3), the time-out (124).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        target.require_running()?;
        let begun = Instant::now();
        let name = &target.info.name;
        let mut channel = target.channel().await?;
        let report = loop {
            let wanted = Wanted {
                units: arguments.units.clone(),
                timeout: Some(arguments.timeout.saturating_sub(begun.elapsed())),
            };
            let waiting = readiness::wait(&context.ui, &channel.client, name, &wanted);
            let relay = target.relay.as_ref().filter(|_| channel.is_relayed());
            let result = match relay {
                Some(relay) => tokio::select! {
                    result = waiting => Some(result),
                    () = relay.silence() => None,
                },
                None => Some(waiting.await),
            };
            match result {
                Some(Ok(report)) => break report,
                Some(Err(failure)) if relay.is_none() || !channel.has_ended(&failure) => {
                    return Err(channel.explain(failure));
                }
                // The relay has ended or hangs; the box need not have.
                Some(Err(_)) | None => channel = target.own_channel().await?,
            }
        };
        if context.json {
            context.ui.json(&report)?;
        } else {
            context.ui.status(&format!("box `{name}` is ready"));
        }
        Ok(Exit::SUCCESS)
    })
}
