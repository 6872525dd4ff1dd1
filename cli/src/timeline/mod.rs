//! How the units of a box came up: what each did when, and which chain of needs decided when the last was ready.
//!
//! ```text
//! events, start of the box ─► changes ─► boot ─┬─► rows, critical path ─► Timeline ─► text, svg, trace, JSON
//!                         needs, unit table ───┘
//! ```
//!
//! Everything here is pure. Events come from a box: names are shown on one line, without control characters, and
//! escaped for whatever they become part of.

mod bar;
mod boot;
mod changes;
mod critical;
mod rows;
mod svg;
mod text;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use agentbox_ctl::config::model::Unit;
use agentbox_ctl::report::{Event, ServiceState, TaskState, UnitState, UnitsReport};
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

pub use svg::svg;
pub use text::text;
pub use trace::trace;

use changes::Changes;

/// What is known of a box.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// When the engine started it.
    pub started_at: Timestamp,
    /// Until when its units can have gone on: the present, or when the box stopped. `None` where nobody knows, as of a
    /// paused box: until its last event.
    pub until: Option<Timestamp>,
    /// Its journal, oldest first, former starts of the box included.
    pub events: &'a [Event],
    /// Its units as they are now.
    pub units: &'a UnitsReport,
    /// What each unit needs; `None` where its configuration cannot be read.
    pub needs: Option<&'a HashMap<String, Needs>>,
}

/// What a unit waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Units.
    pub units: Vec<String>,
    /// A look at whether there is anything to do (`run_once`).
    pub looks: bool,
}

impl Needs {
    /// What a unit waits for, by its name.
    pub fn of(unit: Unit) -> (String, Self) {
        let looks = unit.task().is_some_and(|task| task.run_once.is_some());
        let units = unit.needs;
        (unit.name, Self { units, looks })
    }
}

/// How the units came up. Its JSON is what `timeline --json` prints; times are milliseconds since the box's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// When the box started.
    pub started_at: Timestamp,
    /// When the first unit did something: until then the box got its project, and its supervisor started.
    pub units_from_ms: Option<u64>,
    /// Where the part that is shown begins: 0, unless the beginning is missing.
    pub from_ms: u64,
    /// Where it ends: when all units had settled, else where knowledge ends.
    pub until_ms: u64,
    /// Whether no unit was on its way any more at the end.
    pub settled: bool,
    /// Whether events of the boot's beginning are no longer kept.
    pub beginning_missing: bool,
    /// State changes after the end.
    pub later_changes: usize,
    /// The units in the order in which they got going.
    pub units: Vec<Row>,
    /// What decided when the last unit was ready, first unit first. `null` where that cannot be told.
    pub critical_path: Option<Vec<Step>>,
}

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It stays.
    Service,
    /// It ends.
    Task,
}

/// One unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its state at the end; `null` for one that a reload removed.
    pub state: Option<UnitState>,
    /// Why, where the state is still that.
    pub reason: Option<String>,
    /// What it needs, as far as that is known.
    pub needs: Vec<String>,
    /// Needs that were not met at the end, where it waited for them.
    pub blocked_on: Vec<String>,
    /// When it was first started.
    pub began_ms: Option<u64>,
    /// When it got to its good end state, where it was in that at the end.
    pub ready_ms: Option<u64>,
    /// How often it was started again.
    pub restarts: u32,
    /// Whether it is on the critical path.
    pub critical: bool,
    /// What it did, without gaps; before the first, nothing is known, or it was pending.
    pub spans: Vec<Span>,
}

/// A time in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The state.
    pub state: UnitState,
    /// When it began.
    pub start_ms: u64,
    /// When it ended; `null` where it had not at the end of the timeline.
    pub end_ms: Option<u64>,
    /// Process id of its leader as it began, as seen in the box.
    pub pid: Option<u32>,
    /// Exit code of what ended as it began, where that was an exit.
    pub exit_code: Option<i32>,
}

/// A part of the critical path: from when what it waited for was there, until it was there itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// The unit.
    pub unit: String,
    /// End of the step before.
    pub start_ms: u64,
    /// When the unit got to its good end state.
    pub end_ms: u64,
}

impl Timeline {
    /// The timeline of the box's latest start.
    pub fn new(sources: &Sources<'_>) -> Self {
        let changes = Changes::of(sources);
        let boot = boot::boot(&changes, sources);
        let path = critical::path(&changes, &boot);
        let critical_path =
            path.map(|steps| steps.iter().map(|step| step.named(&changes)).collect::<Vec<_>>());
        let critical = critical_path.as_deref().unwrap_or_default();
        let units = rows::rows(&changes, &boot, sources.units, critical);
        Self {
            started_at: changes.started_at,
            units_from_ms: changes.first().filter(|_| !changes.beginning_missing),
            from_ms: match changes.beginning_missing {
                true => changes.first().unwrap_or(0),
                false => 0,
            },
            until_ms: boot.until,
            settled: boot.settled,
            beginning_missing: changes.beginning_missing,
            later_changes: changes.all.len() - boot.changes,
            units,
            critical_path,
        }
    }

    /// Whether all units got where they should: nothing failed, nothing waits.
    pub fn is_well(&self) -> bool {
        self.settled && self.not_ready() == 0
    }

    /// Units that are neither well nor at rest.
    pub fn not_ready(&self) -> usize {
        let at_rest = |state| {
            is_good(state)
                || matches!(
                    state,
                    UnitState::Service(ServiceState::Stopped) | UnitState::Task(TaskState::Stopped)
                )
        };
        self.units
            .iter()
            .filter(|row| row.state.is_some_and(|state| !at_rest(state)))
            .count()
    }

    /// When the last unit was ready.
    pub fn ready_ms(&self) -> Option<u64> {
        self.units.iter().filter_map(|row| row.ready_ms).max()
    }
}

impl Row {
    /// The word for its state.
    pub fn state_word(&self) -> &'static str {
        self.state.map_or("removed", UnitState::as_str)
    }

    /// When it came to its last state, where it stays in that.
    fn ended_ms(&self) -> Option<u64> {
        let last = self.spans.last()?;
        let stays = match last.state {
            UnitState::Service(ServiceState::Crashed | ServiceState::Unhealthy)
            | UnitState::Task(TaskState::Failed | TaskState::Skipped) => true,
            // One that does not start by itself has ended nothing.
            UnitState::Service(ServiceState::Stopped) | UnitState::Task(TaskState::Stopped) => {
                self.began_ms.is_some()
            }
            _ => false,
        };
        self.ready_ms.or(stays.then_some(last.start_ms))
    }
}

/// Whether what needs a unit in this state can start.
fn is_good(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Ready | ServiceState::Running) | UnitState::Task(TaskState::Done)
    )
}

/// Whether a process of the unit runs in this state.
fn is_up(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(
            ServiceState::Starting | ServiceState::Running | ServiceState::Ready | ServiceState::Unhealthy
        ) | UnitState::Task(TaskState::Running)
    )
}

fn is_waiting(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Waiting) | UnitState::Task(TaskState::Waiting)
    )
}
