//! Waiting until the units of a box are in their good end states: `wait`, `create --wait`, `start --wait`.
//!
//! The supervisor decides what is good and what has failed for good; the host adds the deadline and shows each
//! change while it waits.

use std::collections::BTreeMap;
use std::time::Duration;

use agentbox_ctl::client::{Client, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, Item, Request};
use agentbox_ctl::report::{Event, EventKind, UnitsReport, one_line};
use tokio::time::{Instant, timeout, timeout_at};

use crate::ui::{Step, Ui};
use crate::units;

/// How long `wait` waits where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

/// How long the states for the message of a time-out may take.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// What is waited for, and how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Unit names; empty means all that start by themselves.
    pub units: Vec<String>,
    /// The deadline; `None` waits for ever.
    pub timeout: Option<Duration>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            units: Vec::new(),
            timeout: Some(DEFAULT_TIMEOUT),
        }
    }
}

/// Waits, showing each unit's state as it changes. `box_name` is for messages.
///
/// # Errors
/// A unit that cannot get ready (1), an unknown one (3), the deadline (124, with each unit's state and last
/// failure), a connection that ended (1).
pub async fn wait(ui: &Ui, client: &Client, box_name: &str, wanted: &Wanted) -> Result<UnitsReport, Failure> {
    let deadline = wanted.timeout.and_then(|limit| Instant::now().checked_add(limit));
    let following = follow(ui, client, wanted);
    let outcome = match deadline {
        Some(deadline) => timeout_at(deadline, following).await.ok(),
        None => Some(following.await),
    };
    match outcome {
        Some(Ok(report)) => Ok(report),
        Some(Err(failure)) => Err(units::name_box(failure, box_name)),
        None => {
            let last = timeout(LAST_LOOK, client.ask(&Request::Status)).await;
            let report = match last {
                Ok(Ok(Answer::Status(report))) => Some(report),
                _ => None,
            };
            let limit = wanted.timeout.unwrap_or_default();
            Err(timed_out(box_name, &wanted.units, limit, report.as_ref()))
        }
    }
}

async fn follow(ui: &Ui, client: &Client, wanted: &Wanted) -> Result<UnitsReport, Failure> {
    let request = Request::Wait {
        units: wanted.units.clone(),
        progress: true,
    };
    // The wait is asked for first, so that no change falls between the two.
    let (mut call, known) = tokio::try_join!(client.call(&request), client.ask(&Request::Status))?;
    let mut board = Board::new(ui, &wanted.units);
    if let Answer::Status(report) = known {
        board.begin(&report);
    }
    loop {
        match call.next().await? {
            Part::Item(Item::Event(event)) => board.change(&event),
            Part::Done(Answer::Waited(report)) => return Ok(report),
            Part::Done(_) => {
                return Err(Failure::failed(
                    "the supervisor answered something else than was asked",
                ));
            }
            Part::Item(Item::Log(_) | Item::Opened) | Part::Data(_) => {}
        }
    }
}

/// The units on the screen: a spinner each on a terminal until they are well, a line per change elsewhere.
struct Board<'a> {
    ui: &'a Ui,
    only: &'a [String],
    steps: BTreeMap<String, Step<'a>>,
}

impl<'a> Board<'a> {
    fn new(ui: &'a Ui, only: &'a [String]) -> Self {
        Self {
            ui,
            only,
            steps: BTreeMap::new(),
        }
    }

    fn begin(&mut self, report: &UnitsReport) {
        let tasks = report.tasks.iter().map(|task| {
            (
                &task.name,
                task.state.as_str(),
                is_settled(EventKind::TaskState, task.state.as_str()),
            )
        });
        let services = report.services.iter().map(|service| {
            (
                &service.name,
                service.state.as_str(),
                is_settled(EventKind::ServiceState, service.state.as_str()),
            )
        });
        for (unit, state, settled) in tasks.chain(services) {
            if !settled {
                self.show(unit, state, false);
            }
        }
    }

    fn change(&mut self, event: &Event) {
        let (Some(unit), Some(state)) = (&event.unit, &event.to) else {
            return;
        };
        let settled = is_settled(event.kind, state);
        let state = match event.exit_code {
            Some(code) if code != 0 => format!("{state} (exit code {code})"),
            _ => state.clone(),
        };
        self.show(unit, &state, settled);
    }

    fn show(&mut self, unit: &str, state: &str, settled: bool) {
        if !self.only.is_empty() && !self.only.iter().any(|wanted| wanted == unit) {
            return;
        }
        let text = format!("{}: {}", one_line(unit), one_line(state));
        if !self.ui.draws_progress() {
            self.ui.status(&text);
        } else if settled {
            match self.steps.remove(unit) {
                Some(step) => step.finish(&text),
                None => self.ui.status(&text),
            }
        } else {
            self.steps
                .entry(unit.to_owned())
                .or_insert_with(|| self.ui.step(&text))
                .replace(&text);
        }
    }
}

/// A state in which a unit stays, as far as waiting is concerned; its spinner ends.
fn is_settled(kind: EventKind, state: &str) -> bool {
    match state {
        "ready" | "done" | "failed" | "skipped" | "crashed" | "stopped" => true,
        // A service without a probe is well then; a task is under way.
        "running" => kind == EventKind::ServiceState,
        _ => false,
    }
}

fn timed_out(box_name: &str, units: &[String], limit: Duration, report: Option<&UnitsReport>) -> Failure {
    let limit = humantime::format_duration(limit);
    let mut failure = Failure::timeout(format!("box `{box_name}` was not ready within {limit}"));
    failure.causes = report.map(|report| report.unsettled(units)).unwrap_or_default();
    let blamed = failure
        .causes
        .iter()
        .filter_map(|cause| cause.split_once(": "))
        .find(|(_, state)| !state.starts_with("waiting"))
        .map(|(unit, _)| unit.to_owned());
    match blamed {
        Some(unit) => failure.hint(format!("agentbox logs {box_name} {unit}")),
        None => failure.hint(format!("agentbox status {box_name}")),
    }
}

#[cfg(test)]
mod tests;
