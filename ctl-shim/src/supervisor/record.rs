//! Writes `units.json` a moment after the last change, so that a burst of changes costs one write.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::report::{Record, UnitsReport};

/// Time from a change to its record. What a crash loses of it is in the journal.
const DELAY: Duration = Duration::from_millis(20);

/// Keeps the record of unit states.
#[derive(Debug)]
pub(super) struct Recorder {
    path: PathBuf,
    due: Option<Instant>,
}

impl Recorder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, due: None }
    }

    /// Something has changed.
    pub(super) fn touch(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + DELAY);
    }

    /// When a write is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether it is due now.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Writes the record. A failure is tried again at the next change: the record only serves a stopped box, and
    /// the journal reports a full disk.
    pub(super) fn write(&mut self, seq: u64, units: &UnitsReport) {
        self.due = None;
        let record = Record {
            seq,
            units: units.clone(),
        };
        if let Ok(json) = serde_json::to_vec(&record) {
            let _ = super::settings::replace(&self.path, &json);
        }
    }
}
