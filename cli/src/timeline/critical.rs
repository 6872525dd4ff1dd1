//! The critical path: from the unit that was ready last back, each time to the need that was ready last before it
//! could start.
//!
//! Order counts, not time: two changes may fall into one millisecond.

use agentbox_ctl::report::UnitState;

use super::boot::Boot;
use super::changes::{Change, Changes, Number};
use super::{Step, is_good, is_waiting};

/// A step by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) unit: Number,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Link {
    pub(super) fn named(&self, changes: &Changes) -> Step {
        Step {
            unit: changes.units[self.unit].name.clone(),
            start_ms: self.start,
            end_ms: self.end,
        }
    }
}

/// The path, first unit first: each step begins where the one before ends. `None` where it cannot be told: needs or
/// the boot's beginning are not known, nothing got ready, or the needs explain no wait of its first unit.
pub(super) fn path(changes: &Changes, boot: &Boot) -> Option<Vec<Link>> {
    if changes.beginning_missing || !changes.needs_known {
        return None;
    }
    let all = &changes.all[..boot.changes];
    let histories = Histories::of(all, changes.units.len());
    let (mut unit, mut arrival) = histories.last_arrival()?;
    let mut seen = vec![false; changes.units.len()];
    let mut links = Vec::new();
    loop {
        seen[unit] = true;
        let decider = histories
            .decider(unit, arrival, &changes.units[unit].needs)
            .filter(|(need, _)| !seen[*need]);
        let start = decider.map_or(all[0].at, |(_, at)| all[at].at);
        links.push(Link {
            unit,
            start,
            end: all[arrival].at,
        });
        match decider {
            Some(next) => (unit, arrival) = next,
            // It waited, and not for these needs: its configuration was another one.
            None if !changes.units[unit].looks && histories.has_waited(unit, arrival) => return None,
            None => break,
        }
    }
    links.reverse();
    Some(links)
}

/// What each unit did, by places in the list of changes.
struct Histories<'a> {
    all: &'a [Change],
    of: Vec<Vec<usize>>,
}

impl<'a> Histories<'a> {
    fn of(all: &'a [Change], units: usize) -> Self {
        let mut of = vec![Vec::new(); units];
        for (place, change) in all.iter().enumerate() {
            of[change.unit].push(place);
        }
        Self { all, of }
    }

    fn state(&self, place: usize) -> Option<UnitState> {
        self.all[place].to
    }

    /// Places at which a unit got to its good end state, newest first.
    fn arrivals(&self, unit: Number) -> impl Iterator<Item = usize> {
        let is_arrival = |&place: &usize| {
            self.state(place).is_some_and(is_good) && !self.all[place].from.is_some_and(is_good)
        };
        self.of[unit].iter().rev().copied().filter(is_arrival)
    }

    /// The last arrival of all, of units that are well at the end.
    fn last_arrival(&self) -> Option<(Number, usize)> {
        let is_well = |unit: &Number| {
            let last = self.of[*unit].last();
            last.is_some_and(|&place| self.state(place).is_some_and(is_good))
        };
        (0..self.of.len())
            .filter(is_well)
            .filter_map(|unit| Some((unit, self.arrivals(unit).next()?)))
            .max_by_key(|&(_, place)| place)
    }

    fn has_waited(&self, unit: Number, arrival: usize) -> bool {
        let before = self.of[unit].iter().take_while(|&&place| place < arrival);
        before
            .into_iter()
            .any(|&place| self.state(place).is_some_and(is_waiting))
    }

    /// The need whose arrival ended the last wait of `unit` before `arrival`, and that arrival. A wait in which no need
    /// arrived was not for needs.
    fn decider(&self, unit: Number, arrival: usize, needs: &[Number]) -> Option<(Number, usize)> {
        let mut until = arrival;
        for &place in self.of[unit].iter().rev().skip_while(|&&place| place >= arrival) {
            if self.state(place).is_some_and(is_waiting) {
                let inside = place..until;
                let last = needs
                    .iter()
                    .filter_map(|&need| Some((need, self.arrivals(need).find(|at| inside.contains(at))?)))
                    .max_by_key(|&(_, at)| at);
                if last.is_some() {
                    return last;
                }
            }
            until = place;
        }
        None
    }
}
