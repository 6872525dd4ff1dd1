//! Which process wrote a line: a log has its time, the events have the runs.

use std::collections::HashMap;
use std::path::Path;

use crate::client::{Client, Part};
use crate::failure::Failure;
use crate::protocol::message::{Item, Request};
use crate::time::Timestamp;

/// Which process a unit had when, from the events.
#[derive(Debug, Default)]
pub(super) struct Runs {
    /// By unit, oldest first: since when, and the process.
    known: HashMap<String, Vec<(Timestamp, u32)>>,
    /// Number of the newest event that is known of.
    seen: Option<u64>,
    /// Up to when everything is known.
    until: Option<Timestamp>,
}

impl Runs {
    /// Makes sure that the process of a unit at a time is known.
    pub(super) async fn learn(
        &mut self,
        client: &Client,
        unit: &str,
        time: Timestamp,
    ) -> Result<(), Failure> {
        if self.until.is_some_and(|until| time < until) {
            return Ok(());
        }
        // As long as the process is there the unit has no other.
        let runs = self.known.get(unit).and_then(|runs| runs.last());
        if runs.is_some_and(|(_, pid)| Path::new(&format!("/proc/{pid}")).exists()) {
            return Ok(());
        }
        self.until = Some(Timestamp::now());
        let request = Request::Events {
            after: self.seen,
            since: None,
            follow: false,
        };
        let mut call = client.call(&request).await?;
        loop {
            match call.next().await? {
                Part::Item(Item::Event(event)) => {
                    self.seen = event.seq.or(self.seen);
                    if let (Some(unit), Some(pid)) = (event.unit, event.pid) {
                        self.note(unit, event.time, pid);
                    }
                }
                Part::Done(_) => return Ok(()),
                _ => return Err(super::super::look::unexpected()),
            }
        }
    }

    fn note(&mut self, unit: String, time: Timestamp, pid: u32) {
        let runs = self.known.entry(unit).or_default();
        if runs.last().is_none_or(|(_, known)| *known != pid) {
            runs.push((time, pid));
        }
    }

    /// The process of a unit at a time that has been learnt about.
    pub(super) fn pid(&self, unit: &str, time: Timestamp) -> Option<u32> {
        let runs = self.known.get(unit)?;
        let run = runs.iter().rev().find(|(since, _)| *since <= time)?;
        Some(run.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_of_the_run_that_was_there() {
        let at = Timestamp::from_millis;
        let mut runs = Runs::default();
        for (time, pid) in [(10, 7), (12, 7), (20, 9)] {
            runs.note("web".to_owned(), at(time), pid);
        }
        let pids = [9, 10, 19, 20, 99].map(|time| runs.pid("web", at(time)));
        assert_eq!(pids, [None, Some(7), Some(7), Some(9), Some(9)]);
        assert_eq!(runs.pid("api", at(50)), None);
    }
}
