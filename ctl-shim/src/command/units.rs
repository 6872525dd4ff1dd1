//! Commands that change units: start, stop, restart, enable, disable, run-task, reload.

use std::time::Duration;

use clap::Args;

use super::Context;
use super::look::{unexpected, until_ready};
use crate::client::Part;
use crate::failure::Failure;
use crate::protocol::message::{Answer, Request, UnitOutcome};
use crate::report::TaskState;

#[derive(Debug, Args)]
pub(super) struct UnitsArguments {
    /// Units
    #[arg(value_name = "UNIT", required = true)]
    units: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct StartArguments {
    /// Units
    #[arg(value_name = "UNIT", required = true)]
    units: Vec<String>,
    /// Return when the units are ready
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

pub(super) async fn start(arguments: &StartArguments, context: &Context) -> Result<u8, Failure> {
    begin(
        Request::Start {
            units: arguments.units.clone(),
        },
        arguments,
        context,
    )
    .await
}

pub(super) async fn restart(arguments: &StartArguments, context: &Context) -> Result<u8, Failure> {
    begin(
        Request::Restart {
            units: arguments.units.clone(),
        },
        arguments,
        context,
    )
    .await
}

async fn begin(request: Request, arguments: &StartArguments, context: &Context) -> Result<u8, Failure> {
    let client = context.client().await?;
    let Answer::Units(outcomes) = client.ask(&request).await? else {
        return Err(unexpected());
    };
    tell(&outcomes, context)?;
    if arguments.wait {
        return until_ready(&client, arguments.units.clone(), arguments.timeout, context).await;
    }
    Ok(0)
}

pub(super) async fn stop(arguments: &UnitsArguments, context: &Context) -> Result<u8, Failure> {
    let client = context.client().await?;
    let request = Request::Stop {
        units: arguments.units.clone(),
    };
    let Answer::Units(outcomes) = client.ask(&request).await? else {
        return Err(unexpected());
    };
    tell(&outcomes, context)?;
    Ok(0)
}

fn tell(outcomes: &[UnitOutcome], context: &Context) -> Result<(), Failure> {
    if context.json {
        return context.output.json(&outcomes);
    }
    for outcome in outcomes {
        let already = if outcome.changed { "" } else { " (nothing to do)" };
        context
            .output
            .status(&format!("{}: {}{already}", outcome.unit, outcome.state));
    }
    Ok(())
}

#[derive(Debug, Args)]
pub(super) struct EnableArguments {
    /// Services
    #[arg(value_name = "UNIT", required = true)]
    units: Vec<String>,
    /// Start or stop them at once as well
    #[arg(long)]
    now: bool,
}

/// Keeps whether services start with the box.
pub(super) async fn enable(
    arguments: &EnableArguments,
    enabled: bool,
    context: &Context,
) -> Result<u8, Failure> {
    let client = context.client().await?;
    let units = arguments.units.clone();
    let Answer::Units(outcomes) = client
        .ask(&Request::Enable {
            units: units.clone(),
            enabled,
        })
        .await?
    else {
        return Err(unexpected());
    };
    if !arguments.now {
        if context.json {
            context.output.json(&outcomes)?;
            return Ok(0);
        }
        let word = if enabled { "enabled" } else { "disabled" };
        for outcome in outcomes {
            let already = if outcome.changed { "" } else { " (nothing to do)" };
            context
                .output
                .status(&format!("{}: {word}{already}", outcome.unit));
        }
        return Ok(0);
    }
    let request = if enabled {
        Request::Start { units }
    } else {
        Request::Stop { units }
    };
    let Answer::Units(changed) = client.ask(&request).await? else {
        return Err(unexpected());
    };
    tell(&changed, context)?;
    Ok(0)
}

#[derive(Debug, Args)]
pub(super) struct RunTaskArguments {
    /// The task
    task: String,
    /// Run it even where run_once would pass it over
    #[arg(long)]
    force: bool,
}

pub(super) async fn run_task(arguments: &RunTaskArguments, context: &Context) -> Result<u8, Failure> {
    let client = context.client().await?;
    let request = Request::RunTask {
        task: arguments.task.clone(),
        force: arguments.force,
    };
    let mut call = client.call(&request).await?;
    loop {
        match call.next().await? {
            Part::Data(bytes) => context.output.bytes(&bytes)?,
            Part::Item(_) => {}
            Part::Done(Answer::Task {
                state: TaskState::Done,
                reason,
                ..
            }) => {
                let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
                context
                    .output
                    .status(&format!("{}: done{reason}", arguments.task));
                return Ok(0);
            }
            Part::Done(Answer::Task { state, reason, .. }) => {
                return Err(unfinished(&arguments.task, state, reason)
                    .hint(format!("agentbox-ctl logs {}", arguments.task)));
            }
            Part::Done(_) => return Err(unexpected()),
        }
    }
}

/// The failure of a task whose run did not end well.
pub(super) fn unfinished(task: &str, state: TaskState, reason: Option<String>) -> Failure {
    let verb = if state == TaskState::Failed {
        "failed".to_owned()
    } else {
        format!("is {state}")
    };
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    Failure::failed(format!("task \"{task}\" {verb}{reason}"))
}

pub(super) async fn reload(context: &Context) -> Result<u8, Failure> {
    let client = context.client().await?;
    let Answer::Reload(steps) = client.ask(&Request::Reload).await? else {
        return Err(unexpected());
    };
    if context.json {
        context.output.json(&steps)?;
        return Ok(0);
    }
    for step in &steps {
        context.output.line(&format!("{}: {}", step.unit, step.action))?;
    }
    Ok(0)
}
