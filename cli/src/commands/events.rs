//! `agentbox events`.

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::paths;
use agentbox_ctl::report::{Event, EventKind, UnitsReport, event_line};
use agentbox_ctl::time::Timestamp;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::on_runtime;
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::events::{Filter, Follower, Since};
use crate::relay::Relay;
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
    /// Go on with new events until the box is gone
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
        let mut target = Target::resolve(context, arguments.name.as_deref()).await?;
        if !filter.units.is_empty() {
            check_units(&target, &filter.units).await?;
        }
        if arguments.follow {
            return follow(context, target, &filter).await;
        }
        if let Some(relay) = target.relay.take() {
            match relay.events(&target.info.id, filter.after(), 0, false).await {
                Ok(mut events) => {
                    while let Some((_, event)) = events.next().await? {
                        show(context, &filter, &event)?;
                    }
                    return Ok(Exit::SUCCESS);
                }
                Err(absence) => context.ui.detail(&format!("without the relay: {absence}")),
            }
        }
        let events = if target.info.state == BoxState::Running {
            target
                .channel()
                .await?
                .events_after(filter.after().unwrap_or(0))
                .await?
        } else {
            target.recorded_events().await?
        };
        for event in &events {
            show(context, &filter, event)?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Prints events until the box is gone: a stop, a pause or a relay that ends only delays them.
async fn follow(context: &Context, mut target: Target, filter: &Filter) -> Result<Exit, Failure> {
    target.relay = Relay::of(context, &target.docker);
    if let Some(relay) = &target.relay
        && let Err(failure) = relay.ensure().await
    {
        context
            .ui
            .warning(&format!("without the relay: {}", failure.message));
    }
    let mut follower = Follower::new(context, target, filter.after());
    loop {
        match follower.next().await {
            Ok(event) => show(context, filter, &event)?,
            // Its end is the end of what was asked for.
            Err(failure) if failure.kind == Kind::NotFound => {
                context.ui.status(&failure.message);
                return Ok(Exit::SUCCESS);
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// Checks that every wanted unit is there, or was.
async fn check_units(target: &Target, wanted: &[String]) -> Result<(), Failure> {
    if target.info.state == BoxState::Running {
        let (channel, _) = target.units().await?;
        return check_live(target, &channel, wanted).await;
    }
    let report = target.recorded().await?;
    // Without a readable record nobody can say which units there are.
    if report.names().is_empty() {
        return Ok(());
    }
    check(target, wanted, &report, &target.recorded_events().await?)
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

fn show(context: &Context, filter: &Filter, event: &Event) -> Result<(), Failure> {
    if !filter.wants(event) {
        Ok(())
    } else if context.json {
        context.ui.json(event)
    } else {
        context.ui.line(&event_line(event))
    }
}
