//! Commands that look and change nothing: status, logs, events, wait.

use std::time::Duration;

use clap::Args;

use super::Context;
use crate::client::Part;
use crate::failure::Failure;
use crate::logs::Marker;
use crate::paths::DOCKER_DAEMON;
use crate::protocol::message::{Answer, Item, LogRange, Request};
use crate::report::{event_line, status_table};
use crate::time::Timestamp;

#[derive(Debug, Args)]
pub(super) struct StatusArguments {
    /// Go on with each change
    #[arg(short, long)]
    watch: bool,
}

/// The unit table, or its JSON: the units' part of `agentbox status --json`.
pub(super) async fn status(arguments: &StatusArguments, context: &Context) -> Result<u8, Failure> {
    let client = context.client().await?;
    let show = async || {
        let Answer::Status(report) = client.ask(&Request::Status).await? else {
            return Err(unexpected());
        };
        if context.json {
            context.output.json(&report)
        } else {
            context.output.bytes(status_table(&report).as_bytes())
        }
    };
    show().await?;
    if arguments.watch {
        let request = Request::Events {
            after: None,
            since: Some(Timestamp::now()),
            follow: true,
        };
        let mut call = client.call(&request).await?;
        loop {
            call.next().await?;
            if !context.json {
                context.output.line("")?;
            }
            show().await?;
        }
    }
    Ok(0)
}

#[derive(Debug, Args)]
pub(super) struct LogsArguments {
    /// Units; none means all
    units: Vec<String>,
    /// Go on with new output
    #[arg(short, long)]
    follow: bool,
    /// The log of the box's own Docker daemon instead
    #[arg(long, value_name = "docker", value_parser = ["docker"], conflicts_with = "units")]
    daemon: Option<String>,
    /// Only the last lines of each unit
    #[arg(short = 'n', long, value_name = "N")]
    tail: Option<u64>,
    /// Only output since a time, or for a duration like 5m
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Put the time before each line
    #[arg(short, long)]
    timestamps: bool,
}

pub(super) async fn logs(arguments: &LogsArguments, context: &Context) -> Result<u8, Failure> {
    let units = match &arguments.daemon {
        Some(_) => vec![DOCKER_DAEMON.to_owned()],
        None => arguments.units.clone(),
    };
    let range = LogRange {
        tail: arguments.tail,
        since: since(arguments.since.as_deref())?,
        follow: arguments.follow,
        timestamps: arguments.timestamps,
    };
    let client = context.client().await?;
    let merged = if units.len() == 1 {
        None
    } else if units.is_empty() {
        let Answer::Status(report) = client.ask(&Request::Status).await? else {
            return Err(unexpected());
        };
        Some(report.names())
    } else {
        Some(units.clone())
    };
    let mut marker = Marker::new(merged, arguments.timestamps, |text, _| text.to_owned());
    let request = Request::Logs { units, range };
    let mut call = client.call(&request).await?;
    let mut head = None;
    loop {
        match call.next().await? {
            Part::Item(Item::Log(chunk)) => head = Some(chunk),
            Part::Data(bytes) => {
                let head = head.take().ok_or_else(unexpected)?;
                context
                    .output
                    .bytes(&marker.mark(&head.unit, head.time, &bytes))?;
            }
            Part::Done(_) => return Ok(0),
            Part::Item(Item::Event(_) | Item::Opened) => return Err(unexpected()),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct EventsArguments {
    /// Go on with new events
    #[arg(short, long)]
    follow: bool,
    /// Only events since a time, for a duration like 5m, or after a number
    #[arg(long, value_name = "WHEN|SEQ")]
    since: Option<String>,
}

pub(super) async fn events(arguments: &EventsArguments, context: &Context) -> Result<u8, Failure> {
    let after = arguments.since.as_deref().and_then(|text| text.parse().ok());
    let since = if after.is_some() {
        None
    } else {
        since(arguments.since.as_deref())?
    };
    let client = context.client().await?;
    let mut call = client
        .call(&Request::Events {
            after,
            since,
            follow: arguments.follow,
        })
        .await?;
    loop {
        match call.next().await? {
            Part::Item(Item::Event(event)) if context.json => context.output.json(&event)?,
            Part::Item(Item::Event(event)) => context.output.line(&event_line(&event))?,
            Part::Done(_) => return Ok(0),
            Part::Item(Item::Log(_) | Item::Opened) | Part::Data(_) => return Err(unexpected()),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct WaitArguments {
    /// Units; none means all that start by themselves
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// A unit to wait for; may be given more than once
    #[arg(long = "unit", value_name = "UNIT")]
    named: Vec<String>,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(super) async fn wait(arguments: &WaitArguments, context: &Context) -> Result<u8, Failure> {
    let units: Vec<String> = arguments.units.iter().chain(&arguments.named).cloned().collect();
    let client = context.client().await?;
    until_ready(&client, units, arguments.timeout, context).await
}

/// Waits for units, with a deadline; used by `start --wait` too.
pub(super) async fn until_ready(
    client: &crate::client::Client,
    units: Vec<String>,
    limit: Duration,
    context: &Context,
) -> Result<u8, Failure> {
    let request = Request::Wait {
        units: units.clone(),
        progress: false,
    };
    match tokio::time::timeout(limit, client.ask(&request)).await {
        Ok(Ok(Answer::Waited(report))) => {
            if context.json {
                context.output.json(&report)?;
            }
            Ok(0)
        }
        Ok(Ok(_)) => Err(unexpected()),
        Ok(Err(failure)) => Err(failure),
        Err(_) => {
            let mut failure =
                Failure::timeout(format!("not ready within {}", humantime::format_duration(limit)));
            if let Ok(Answer::Status(report)) = client.ask(&Request::Status).await {
                failure.causes = report.unsettled(&units);
            }
            Err(failure.hint("agentbox-ctl status"))
        }
    }
}

fn since(text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    text.map(|text| Timestamp::parse_since(text, Timestamp::now()))
        .transpose()
        .map_err(|reason| Failure::usage(format!("--since: {reason}")))
}

pub(super) fn unexpected() -> Failure {
    Failure::failed("the supervisor answered something else than was asked")
}
