//! When a boot is over: what comes later (a restart next week) would make it invisible.

use agentbox_ctl::report::{ServiceState, TaskState, UnitState};

use super::changes::{Change, Changes, Number};
use super::{Sources, is_good, is_waiting};

/// Nothing may move for this long: a service without a probe counts as running before it falls over.
const QUIET: u64 = 2_000;

/// The part of the changes that is the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Boot {
    /// How many of the changes belong to it.
    pub(super) changes: usize,
    /// When it was over, or where knowledge ends.
    pub(super) until: u64,
    /// Whether it was over.
    pub(super) settled: bool,
}

/// Finds the first time at which no unit was on its way.
pub(super) fn boot(changes: &Changes, sources: &Sources<'_>) -> Boot {
    let last = changes.all.last().map_or(0, |change| change.at);
    let known = sources.until.map_or(0, |until| {
        until.as_millis().saturating_sub(changes.started_at.as_millis())
    });
    let end = known.max(last);
    let mut states = first_states(changes);
    for (index, change) in changes.all.iter().enumerate() {
        states[change.unit] = change.to;
        let next = changes.all.get(index + 1);
        if goes_on(change, next, end) || is_moving(changes, &states) {
            continue;
        }
        return Boot {
            changes: index + 1,
            until: change.at,
            settled: true,
        };
    }
    Boot {
        changes: changes.all.len(),
        until: end,
        settled: changes.units.is_empty(),
    }
}

/// Whether the next change comes so soon that it belongs to the boot. That somebody stops what is ready does not.
fn goes_on(change: &Change, next: Option<&Change>, end: u64) -> bool {
    let Some(next) = next else {
        return false;
    };
    let is_stop =
        next.from.is_some_and(is_good) && next.to == Some(UnitState::Service(ServiceState::Stopping));
    !is_stop && next.at.min(end) < change.at + QUIET
}

/// The state of each unit before its first change; `None` where it is not known.
pub(super) fn first_states(changes: &Changes) -> Vec<Option<UnitState>> {
    let mut states = vec![None; changes.units.len()];
    for change in changes.all.iter().rev() {
        states[change.unit] = change.from;
    }
    states
}

/// Needs of a unit that are not met in these states, by place in its list.
pub(super) fn unmet(changes: &Changes, states: &[Option<UnitState>], unit: Number) -> Vec<Number> {
    let is_met = |need: &Number| states[*need].is_some_and(is_good);
    let needs = changes.units[unit].needs.iter().copied();
    needs.filter(|need| !is_met(need)).collect()
}

/// Whether a unit is about to change by itself. What waits for others is not: they are.
fn is_moving(changes: &Changes, states: &[Option<UnitState>]) -> bool {
    states
        .iter()
        .enumerate()
        .any(|(unit, state)| state.is_some_and(|state| moves(changes, states, unit, state)))
}

fn moves(changes: &Changes, states: &[Option<UnitState>], unit: Number, state: UnitState) -> bool {
    if is_waiting(state) {
        // Its `run_once` is being looked at. What a need does that is not among the units is not known.
        let known = changes.units[unit].needs.len() == changes.units[unit].need_names.len();
        return changes.needs_known && known && unmet(changes, states, unit).is_empty();
    }
    match state {
        // A unit that is pending gets going at once, or a later reload brings it.
        UnitState::Service(state) => matches!(
            state,
            ServiceState::Starting | ServiceState::Backoff | ServiceState::Stopping
        ),
        UnitState::Task(state) => state == TaskState::Running,
    }
}
