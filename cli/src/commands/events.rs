//! `agentbox events`.

use agentbox_ctl::client::Part;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::{Event, EventKind, UnitsReport, event_line};
use agentbox_ctl::time::Timestamp;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::on_runtime;
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::events::{Filter, Since};
use crate::target::{Channel, Target};
use crate::units;

/// Arguments of `events`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox events mybox --since 10m
  agentbox events mybox --unit web --kind service-state
  agentbox events -f --json | jq -r 'select(.to == \"crashed\") | .unit'")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Go on with new events until the box stops
    #[arg(short, long)]
    follow: bool,
    /// Only what is newer: 5m, 1h30m, a time like 2026-01-31T12:00:00Z, or the number of an event
    #[arg(long, value_name = "TIME|SEQ", value_parser = since)]
    since: Option<Since>,
    /// Only this unit's; can be given several times
    #[arg(long = "unit", value_name = "UNIT")]
    units: Vec<String>,
    /// Only of this kind; can be given several times
    #[arg(long = "kind", value_name = "KIND", value_parser = kind())]
    kinds: Vec<EventKind>,
}

fn since(text: &str) -> Result<Since, String> {
    Since::parse(text, Timestamp::now())
}

fn kind() -> impl TypedValueParser<Value = EventKind> {
    PossibleValuesParser::new(EventKind::ALL.map(EventKind::as_str))
        .try_map(|word| EventKind::from_word(&word).ok_or("no such kind"))
}

/// Prints state events.
///
/// # Errors
/// No such box or unit (3), a supervisor that does not answer (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let filter = Filter {
        since: arguments.since,
        units: arguments.units.clone(),
        kinds: arguments.kinds.clone(),
    };
    on_runtime(async {
        let target = Target::resolve(context, arguments.name.as_deref()).await?;
        if target.info.state != BoxState::Running {
            let events = target.recorded_events().await?;
            if !filter.units.is_empty() {
                let report = target.recorded().await?;
                // Without a readable record nobody can say which units there are.
                if !report.names().is_empty() {
                    check(&target, &filter.units, &report, &events)?;
                }
            }
            for event in events.iter().filter(|event| filter.wants(event)) {
                show(context, event)?;
            }
            if arguments.follow {
                context
                    .ui
                    .status(&format!("box `{}` is {}", target.info.name, target.info.state));
            }
            return Ok(Exit::SUCCESS);
        }
        let channel = target.channel().await?;
        if !filter.units.is_empty() {
            check_live(&target, &channel, &filter.units).await?;
        }
        let request = Request::Events {
            after: filter.after(),
            since: filter.time(),
            follow: arguments.follow,
        };
        let mut call = channel.call(&request).await?;
        loop {
            match call.next().await {
                Ok(Part::Item(Item::Event(event))) if filter.wants(&event) => show(context, &event)?,
                Ok(Part::Done(_)) => return Ok(Exit::SUCCESS),
                Ok(Part::Item(_) | Part::Data(_)) => {}
                Err(failure) if arguments.follow => {
                    target.ended(context, channel.explain(failure)).await?;
                    return Ok(Exit::SUCCESS);
                }
                Err(failure) => return Err(channel.explain(failure)),
            }
        }
    })
}

async fn check_live(target: &Target, channel: &Channel, wanted: &[String]) -> Result<(), Failure> {
    let report = channel.units().await?;
    match check(target, wanted, &report, &[]) {
        Ok(()) => Ok(()),
        Err(_) => check(target, wanted, &report, &channel.events().await?),
    }
}

/// Checks that every unit in `wanted` is there, or was: one that a reload removed still has its events.
fn check(target: &Target, wanted: &[String], report: &UnitsReport, events: &[Event]) -> Result<(), Failure> {
    let seen = |unit: &str| {
        unit == paths::DOCKER_DAEMON || events.iter().any(|event| event.unit.as_deref() == Some(unit))
    };
    let unseen: Vec<String> = wanted.iter().filter(|unit| !seen(unit)).cloned().collect();
    units::check(&target.info.name, &unseen, report)
}

fn show(context: &Context, event: &Event) -> Result<(), Failure> {
    if context.json {
        context.ui.json(event)
    } else {
        context.ui.line(&event_line(event))
    }
}
