//! The state changes since the box's latest start, and nothing of former ones.

use std::collections::HashMap;

use agentbox_ctl::paths::DOCKER_DAEMON;
use agentbox_ctl::report::{Event, EventKind, ServiceState, TaskState, UnitState};
use agentbox_ctl::time::Timestamp;

use super::{Kind, Needs, Sources};

/// The engine may note a box's start a moment after the box's first process has.
const LATE: u64 = 1_000;

/// A unit, by its place in [`Changes::units`].
pub(super) type Number = usize;

/// A state change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    /// Milliseconds since the box's start.
    pub(super) at: u64,
    /// Whose.
    pub(super) unit: Number,
    /// The state before, where it is known.
    pub(super) from: Option<UnitState>,
    /// The state after; `None` where a reload removed the unit.
    pub(super) to: Option<UnitState>,
    /// Process id of its leader, while there is one.
    pub(super) pid: Option<u32>,
    /// Exit code, where it was an exit.
    pub(super) exit_code: Option<i32>,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Units that it needs; those that are not known by name alone are left out.
    pub(super) needs: Vec<Number>,
    /// The names of all of them.
    pub(super) need_names: Vec<String>,
    /// Whether it may wait for a look at what there is to do.
    pub(super) looks: bool,
}

/// All changes of a start.
#[derive(Debug)]
pub(super) struct Changes {
    /// When the box started.
    pub(super) started_at: Timestamp,
    /// Whether older ones of this start are no longer kept.
    pub(super) beginning_missing: bool,
    /// Oldest first; times never go back.
    pub(super) all: Vec<Change>,
    /// The units, services of the unit table first.
    pub(super) units: Vec<Unit>,
    /// Whether it is known what they need.
    pub(super) needs_known: bool,
}

impl Changes {
    /// The changes since the latest start.
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let (started_at, events) = since_start(sources.started_at, sources.events);
        let mut changes = Self {
            started_at,
            beginning_missing: is_cut(sources, events),
            all: Vec::with_capacity(events.len()),
            units: Vec::new(),
            needs_known: sources.needs.is_some(),
        };
        let mut numbers = HashMap::new();
        for service in &sources.units.services {
            changes.number(&mut numbers, &service.name, Kind::Service);
        }
        for task in &sources.units.tasks {
            changes.number(&mut numbers, &task.name, Kind::Task);
        }
        let mut clock = 0;
        for event in events {
            let Some((name, kind)) = event.unit.as_deref().zip(kind_of(event.kind)) else {
                continue;
            };
            let to = match &event.to {
                None => None,
                Some(word) => match state_of(kind, word) {
                    // A later release's state.
                    None => continue,
                    known => known,
                },
            };
            // The box's clock may have been set back.
            clock = clock.max(event.time.as_millis().saturating_sub(started_at.as_millis()));
            let unit = changes.number(&mut numbers, name, kind);
            changes.all.push(Change {
                at: clock,
                unit,
                from: event.from.as_deref().and_then(|word| state_of(kind, word)),
                to,
                pid: event.pid,
                exit_code: event.exit_code,
            });
        }
        changes.link(&numbers, sources.needs);
        changes
    }

    /// Time of the first change.
    pub(super) fn first(&self) -> Option<u64> {
        self.all.first().map(|change| change.at)
    }

    fn number(&mut self, numbers: &mut HashMap<String, Number>, name: &str, kind: Kind) -> Number {
        if let Some(&number) = numbers.get(name) {
            return number;
        }
        let number = self.units.len();
        numbers.insert(name.to_owned(), number);
        self.units.push(Unit {
            name: name.to_owned(),
            kind,
            needs: Vec::new(),
            need_names: Vec::new(),
            looks: false,
        });
        number
    }

    /// Notes who needs whom. Every unit needs the box's own dockerd, where there is one.
    fn link(&mut self, numbers: &HashMap<String, Number>, needs: Option<&HashMap<String, Needs>>) {
        let daemon = numbers.get(DOCKER_DAEMON).map(|_| DOCKER_DAEMON.to_owned());
        for (number, unit) in self.units.iter_mut().enumerate() {
            let written = needs.and_then(|needs| needs.get(&unit.name));
            let mut names = written.map(|needs| needs.units.clone()).unwrap_or_default();
            unit.looks = written.is_some_and(|needs| needs.looks);
            names.extend(daemon.clone().filter(|daemon| *daemon != unit.name));
            unit.needs = names
                .iter()
                .filter_map(|name| numbers.get(name).copied())
                .filter(|&need| need != number)
                .collect();
            unit.need_names = names;
        }
    }
}

/// The events of the latest start, and when that was.
fn since_start(started_at: Timestamp, events: &[Event]) -> (Timestamp, &[Event]) {
    let start = started_at.as_millis();
    let inside = events
        .iter()
        .position(|event| event.time.as_millis() >= start)
        .unwrap_or(events.len());
    // At each start all units begin as pending.
    let begins = |event: &Event| {
        event.time.as_millis() + LATE >= start
            && event.from.as_deref() == Some(ServiceState::Pending.as_str())
    };
    match events[..inside].iter().position(begins) {
        Some(first) => (events[first].time, &events[first..]),
        None => (started_at, &events[inside..]),
    }
}

/// Whether events between the box's start and the first of these are gone. Whoever still has one of an earlier start
/// has all of this one.
fn is_cut(sources: &Sources<'_>, events: &[Event]) -> bool {
    let has_gap = events.iter().any(|event| event.kind == EventKind::Gap);
    let oldest = sources.events.first();
    let begins_here = oldest.zip(events.first()).is_some_and(|(a, b)| a.seq == b.seq);
    has_gap || begins_here && oldest.and_then(|event| event.seq).is_some_and(|seq| seq > 1)
}

fn kind_of(kind: EventKind) -> Option<Kind> {
    match kind {
        EventKind::ServiceState => Some(Kind::Service),
        EventKind::TaskState => Some(Kind::Task),
        EventKind::BoxState | EventKind::Gap => None,
    }
}

fn state_of(kind: Kind, word: &str) -> Option<UnitState> {
    let word = serde_json::Value::from(word);
    match kind {
        Kind::Service => serde_json::from_value::<ServiceState>(word)
            .ok()
            .map(UnitState::Service),
        Kind::Task => serde_json::from_value::<TaskState>(word)
            .ok()
            .map(UnitState::Task),
    }
}
