//! A box as the dashboard knows it.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, EventKind, UnitsReport};
use agentbox_ctl::time::Timestamp;

use super::super::plain::clean;
use super::Details;
use super::units::{self, UnitRow};
use crate::boxes::{BoxInfo, BoxState};
use crate::timeline::{Sources, Timeline};

/// Newest events that are kept, as the supervisor does.
const EVENTS: usize = 10_000;

/// Which boxes are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Those of all projects.
    All,
    /// Those of one project of one host.
    Project {
        /// Root directory, as a label has it.
        root: String,
        /// Id of the host.
        host: String,
    },
}

impl Scope {
    /// Whether a box is shown.
    pub fn has(&self, info: &BoxInfo) -> bool {
        match self {
            Self::All => true,
            Self::Project { root, host } => info.project == *root && info.host == *host,
        }
    }
}

/// How a box's units are, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// In their good end state.
    pub well: usize,
    /// All that are not at rest.
    pub active: usize,
    /// Those that have failed.
    pub failed: usize,
}

/// A box.
#[derive(Debug)]
pub struct BoxView {
    /// As the engine has it.
    pub info: BoxInfo,
    units: Option<UnitsReport>,
    rows: Vec<UnitRow>,
    /// Why it cannot be asked, in one line.
    pub trouble: Option<String>,
    unit: Option<String>,
    events: Vec<Event>,
    /// Its present start.
    pub details: Details,
    timeline: Option<Timeline>,
    timeline_void: bool,
}

impl BoxView {
    pub(super) fn new(info: BoxInfo) -> Self {
        Self {
            info,
            units: None,
            rows: Vec::new(),
            trouble: None,
            unit: None,
            events: Vec::new(),
            details: Details::default(),
            timeline: None,
            timeline_void: true,
        }
    }

    /// The same box as the engine has it now.
    pub(super) fn observed(mut self, info: BoxInfo) -> Self {
        if self.info.state != info.state {
            self.trouble = None;
            self.timeline_void = true;
        }
        self.info = info;
        self
    }

    /// Takes its units; whether they are others than before.
    pub(super) fn report(&mut self, units: UnitsReport) -> bool {
        let had_trouble = self.trouble.take().is_some();
        if self.units.as_ref() == Some(&units) {
            return had_trouble;
        }
        self.rows = units::rows(&units);
        let is_there = |name: &String| self.rows.iter().any(|row| row.name == *name);
        if !self.unit.as_ref().is_some_and(is_there) {
            self.unit = self.rows.first().map(|row| row.name.clone());
        }
        self.units = Some(units);
        self.timeline_void = true;
        true
    }

    pub(super) fn fail(&mut self, failure: &Failure) -> bool {
        let mut text = clean(&failure.message);
        if let Some(cause) = failure.causes.first() {
            text.push_str(": ");
            text.push_str(&clean(cause));
        }
        let is_new = self.trouble.as_ref() != Some(&text);
        self.trouble = Some(text);
        is_new
    }

    pub(super) fn replace_events(&mut self, events: Vec<Event>) {
        self.events = events;
        self.timeline_void = true;
    }

    pub(super) fn add_event(&mut self, event: Event) {
        if event.kind == EventKind::BoxState {
            return;
        }
        // A tenth at once, so that each event costs little.
        if self.events.len() >= EVENTS {
            self.events.drain(..EVENTS / 10);
        }
        self.events.push(event);
        self.timeline_void = true;
    }

    /// How many events are kept.
    #[cfg(test)]
    pub(crate) fn event_count(&self) -> usize {
        self.events.len()
    }

    /// Takes details; whether they are others than before.
    pub(super) fn detail(&mut self, details: Details) -> bool {
        let is_new = self.details != details;
        if is_new {
            self.details = details;
            self.timeline_void = true;
        }
        is_new
    }

    /// Drops what is only known of the selected box.
    pub(super) fn forget(&mut self) {
        self.events = Vec::new();
        self.timeline = None;
        self.timeline_void = true;
        self.details = Details::default();
    }

    /// Its units, in the order of `status`.
    pub fn rows(&self) -> &[UnitRow] {
        &self.rows
    }

    /// How many units it has.
    pub fn unit_count(&self) -> usize {
        self.rows.len()
    }

    /// Whether its units were told at all.
    pub fn is_known(&self) -> bool {
        self.units.is_some()
    }

    /// Its units as they were told.
    pub fn units(&self) -> Option<&UnitsReport> {
        self.units.as_ref()
    }

    /// Name of the selected unit.
    pub fn unit_name(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// The selected unit.
    pub fn unit(&self) -> Option<&UnitRow> {
        self.rows.get(self.unit_index()?)
    }

    /// Place of the selected unit.
    pub fn unit_index(&self) -> Option<usize> {
        let name = self.unit.as_ref()?;
        self.rows.iter().position(|row| row.name == *name)
    }

    pub(super) fn select_unit(&mut self, index: usize) {
        self.unit = self.rows.get(index).map(|row| row.name.clone());
    }

    /// How its units are.
    pub fn summary(&self) -> Summary {
        let count = |wanted: fn(&UnitRow) -> bool| self.rows.iter().filter(|row| wanted(row)).count();
        Summary {
            well: count(|row| units::is_well(row.state)),
            active: count(|row| !units::is_at_rest(row.state)),
            failed: count(|row| units::has_failed(row.state)),
        }
    }

    /// The timeline, once it was made.
    pub fn timeline(&self) -> Option<&Timeline> {
        self.timeline.as_ref()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.timeline.as_ref().is_some_and(|timeline| timeline.settled)
    }

    pub(super) fn void_timeline(&mut self) {
        self.timeline_void = true;
    }

    pub(super) fn prepare_timeline(&mut self, now: Timestamp) {
        // Details and events come together: without the one the others say nothing.
        let (Some(units), Some(needs)) = (&self.units, &self.details.needs) else {
            return;
        };
        if !std::mem::take(&mut self.timeline_void) {
            return;
        }
        let until = match self.info.state {
            BoxState::Running => Some(now),
            BoxState::Paused => None,
            BoxState::Stopped | BoxState::Dead => self.details.finished_at,
        };
        self.timeline = Some(Timeline::new(&Sources {
            started_at: self.details.started_at.unwrap_or(self.info.created_at),
            until,
            events: &self.events,
            units,
            needs: needs.as_ref().ok(),
        }));
    }
}
