//! `agentbox logs`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::message::LogRange;
use agentbox_ctl::time::Timestamp;

use super::{on_runtime, since};
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::logs::{Marks, Printer, live, recorded};
use crate::target::Target;
use crate::units;

/// Arguments of `logs`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One unit is printed byte for byte; several, or all, line by line with the unit's name before each.
Where the project has one box, a first word that names no box is a unit.

Examples:
  agentbox logs web -f
  agentbox logs mybox web worker --since 5m
  agentbox logs mybox -n 100 -t
  agentbox logs mybox --daemon docker"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// The units; else all
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Go on with new output until the box stops
    #[arg(short, long)]
    follow: bool,
    /// The log of the box's own Docker daemon instead
    #[arg(long, value_name = "docker", value_parser = ["docker"], conflicts_with = "units")]
    daemon: Option<String>,
    /// Only the last lines of each unit
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<u64>,
    /// Only what is newer: 5m, 1h30m, or a time like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
    /// Begin each line with its time
    #[arg(short, long)]
    timestamps: bool,
}

/// Prints the output of units.
///
/// # Errors
/// No such box or unit (3), a supervisor that does not answer (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let daemon = arguments.daemon.is_some();
        let (target, wanted) = if daemon {
            let target = Target::resolve(context, arguments.name.as_deref()).await?;
            (target, vec![paths::DOCKER_DAEMON.to_owned()])
        } else {
            Target::with_units(context, arguments.name.as_deref(), &arguments.units).await?
        };
        let range = LogRange {
            tail: arguments.tail,
            since: arguments.since,
            follow: arguments.follow,
            timestamps: arguments.timestamps,
        };
        let marks = |all: Vec<String>| Marks {
            units: match wanted.as_slice() {
                [_] => None,
                [] => Some(all),
                several => Some(several.to_vec()),
            },
            timestamps: arguments.timestamps,
        };
        if target.info.state != BoxState::Running {
            let report = target.recorded().await?;
            // Without a readable record nobody can say which units there are; their logs may be there all the same.
            if !daemon && (report.errors.is_empty() || !report.names().is_empty()) {
                units::check(&target.info.name, &wanted, &report)?;
            }
            let all = report.names();
            let mut printer = Printer::new(&context.ui, marks(all.clone()));
            let directory = target.download_logs().await?;
            let shown = if wanted.is_empty() { &all } else { &wanted };
            recorded::print(directory.path(), shown, &range, &mut printer)?;
            if arguments.follow {
                context
                    .ui
                    .status(&format!("box `{}` is {}", target.info.name, target.info.state));
            }
            return Ok(Exit::SUCCESS);
        }
        let (mut channel, report) = target.units().await?;
        if arguments.follow && channel.is_relayed() {
            // It may go on for long: a relay that ends or hangs meanwhile must not matter.
            channel = target.own_channel().await?;
        }
        if !daemon {
            units::check(&target.info.name, &wanted, &report)?;
        }
        let mut printer = Printer::new(&context.ui, marks(report.names()));
        match live::print(&channel.client, &wanted, &range, &mut printer).await {
            Err(failure) if arguments.follow && !context.ui.is_broken() => {
                target.ended(context, channel.explain(failure)).await?;
            }
            result => result.map_err(|failure| channel.explain(failure))?,
        }
        Ok(Exit::SUCCESS)
    })
}
