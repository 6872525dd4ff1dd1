//! `agentbox events`.

use agentbox_ctl::client::Part;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::{Event, event_line};
use agentbox_ctl::time::Timestamp;

use super::{on_runtime, since};
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::target::Target;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox events mybox --since 10m
  agentbox events -f --json | jq -r 'select(.to == \"crashed\") | .unit'")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Go on with new events until the box stops
    #[arg(short, long)]
    follow: bool,
    /// Only what is newer: 5m, 1h30m, or a time like 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Timestamp>,
}

/// Prints state events.
///
/// # Errors
/// No such box (3), a supervisor that does not answer (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve(context, arguments.name.as_deref()).await?;
        if target.info.state != BoxState::Running {
            for event in target.recorded_events().await? {
                if arguments.since.is_none_or(|since| event.time >= since) {
                    show(context, &event)?;
                }
            }
            if arguments.follow {
                context
                    .ui
                    .status(&format!("box `{}` is {}", target.info.name, target.info.state));
            }
            return Ok(Exit::SUCCESS);
        }
        let channel = target.channel().await?;
        let request = Request::Events {
            after: None,
            since: arguments.since,
            follow: arguments.follow,
        };
        let mut call = channel.call(&request).await?;
        loop {
            match call.next().await {
                Ok(Part::Item(Item::Event(event))) => show(context, &event)?,
                Ok(Part::Done(_)) => return Ok(Exit::SUCCESS),
                Ok(Part::Item(Item::Log(_)) | Part::Data(_)) => {}
                Err(failure) if arguments.follow => {
                    target.ended(context, channel.explain(failure)).await?;
                    return Ok(Exit::SUCCESS);
                }
                Err(failure) => return Err(channel.explain(failure)),
            }
        }
    })
}

fn show(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.json {
        context.ui.json(event)
    } else {
        context.ui.line(&event_line(event))
    }
}
