//! `agentbox status`.

use agentbox_ctl::client::Part;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::{UnitsReport, event_line, status_table, strip_controls};
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::inspection::Inspection;
use crate::spec::{Library, Pending, attached, pending, pending_line};
use crate::target::{Channel, Target};
use crate::terminal;
use crate::ui::one_line;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox status
  agentbox status mybox -w
  agentbox status mybox --json | jq '.services[] | select(.state != \"ready\")'")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Follow changes
    #[arg(short, long)]
    watch: bool,
    /// Also show limits, mounts, ports, image and paths
    #[arg(long)]
    inspect: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "box")]
    info: &'a BoxInfo,
    #[serde(flatten)]
    units: &'a UnitsReport,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pending: &'a [Pending],
    #[serde(skip_serializing_if = "Option::is_none")]
    inspect: Option<&'a Inspection>,
}

/// Shows the units of a box.
///
/// # Errors
/// No such box (3), an engine (4) or a supervisor (1) that does not answer.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let mut target = Target::resolve(context, arguments.name.as_deref()).await?;
        let inspection = match arguments.inspect {
            true => Some(Inspection::of(&target).await?),
            false => None,
        };
        let units = loop {
            if target.info.state != BoxState::Running {
                let mut units = target.recorded().await?;
                // It may have been changed since they were recorded.
                if let Ok(attached) = attached(&target.docker, &target.info).await {
                    units.attached.next = attached.marks();
                }
                show(context, &target.info, &units, inspection.as_ref())?;
                return Ok(Exit::SUCCESS);
            }
            match target.units().await {
                Ok((_, units)) => break units,
                Err(_) if target.relay.is_some() => target = target.again().await?,
                Err(failure) => return Err(failure),
            }
        };
        show(context, &target.info, &units, inspection.as_ref())?;
        if arguments.watch {
            // It may go on for long: a relay that ends or hangs meanwhile must not matter.
            let channel = target.own_channel().await?;
            watch(context, &target, &channel, units).await?;
        }
        Ok(Exit::SUCCESS)
    })
}

fn show(
    context: &Context,
    info: &BoxInfo,
    units: &UnitsReport,
    inspection: Option<&Inspection>,
) -> Result<(), Failure> {
    let pending = pending_of(context, units);
    if context.json {
        return context.ui.json(&Document {
            info,
            units,
            pending: &pending,
            inspect: inspection,
        });
    }
    context.ui.data(&text(info, units, &pending, inspection))?;
    if units.services.is_empty() && units.tasks.is_empty() && units.errors.is_empty() {
        context.ui.status(match info.state {
            BoxState::Running => "no units: the box's agentbox.yaml declares none",
            _ => "no units were recorded",
        });
    }
    Ok(())
}

/// What is attached and not in effect. It costs no call: the report says what the box has, files of this machine the rest.
fn pending_of(context: &Context, units: &UnitsReport) -> Vec<Pending> {
    if units.attached.is_empty() {
        return Vec::new();
    }
    pending(&units.attached, Library::of(context).ok().as_ref())
}

/// What a person sees: the box's state where it is not running, the table, the details.
fn text(info: &BoxInfo, units: &UnitsReport, pending: &[Pending], inspection: Option<&Inspection>) -> String {
    let mut text = String::new();
    if info.state != BoxState::Running {
        text.push_str(&format!(
            "{} is {} (units as last recorded)\n",
            one_line(&info.name),
            info.state
        ));
    }
    let table = status_table(units);
    if !text.is_empty() && !table.is_empty() {
        text.push('\n');
    }
    text.push_str(&table);
    if let Some(line) = pending_line(pending) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
        text.push('\n');
    }
    if let Some(inspection) = inspection {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&strip_controls(&inspection.text()));
    }
    text
}

/// Follows the units until the box stops: redraws on a terminal, elsewhere prints a line per change.
async fn watch(
    context: &Context,
    target: &Target,
    channel: &Channel,
    mut units: UnitsReport,
) -> Result<(), Failure> {
    let redraws = context.ui.look().stdout_terminal && !context.json;
    let follow = Request::Events {
        after: None,
        since: Some(Timestamp::now()),
        follow: true,
    };
    let mut call = channel.call(&follow).await?;
    let shown = |units: &UnitsReport| text(&target.info, units, &pending_of(context, units), None);
    let mut drawn = height(&shown(&units));
    // What changed between the first look and the subscription.
    let mut stale = true;
    loop {
        if stale {
            let now = channel.units().await;
            let now = match now {
                Ok(now) => now,
                Err(failure) => return target.ended(context, failure).await,
            };
            if now != units {
                units = now;
                if redraws {
                    let text = fit(&shown(&units));
                    context.ui.data(&format!("\u{1b}[{drawn}A\r\u{1b}[J{text}"))?;
                    drawn = height(&text);
                } else if context.json {
                    show(context, &target.info, &units, None)?;
                }
            }
        }
        match call.next().await {
            Ok(Part::Item(Item::Event(event))) => {
                if !redraws && !context.json {
                    context.ui.line(&event_line(&event))?;
                }
                stale = redraws || context.json;
            }
            Ok(Part::Done(_)) => return Ok(()),
            Ok(Part::Item(_) | Part::Data(_)) => {}
            Err(failure) => return target.ended(context, channel.explain(failure)).await,
        }
    }
}

fn height(text: &str) -> usize {
    text.lines().count().max(1)
}

/// Cuts the text to what a redraw can take back: lines that do not wrap, no more of them than the screen has.
fn fit(text: &str) -> String {
    let size = terminal::size();
    text.lines()
        .take(usize::from(size.rows).saturating_sub(1))
        .map(|line| {
            line.chars()
                .take(usize::from(size.columns))
                .chain(['\n'])
                .collect::<String>()
        })
        .collect()
}
