//! The event journal: one JSON line per event, the newest [`KEPT`] of them.
//!
//! A line is written before anyone is told, so whoever has seen an event finds it here. The file may hold up to
//! twice as many lines; it is then rewritten beside itself and renamed.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::report::Event;
use crate::time::Timestamp;

/// Events that are kept.
pub const KEPT: u64 = 10_000;
/// Events held in memory, for readers that are nearly up to date.
const RECENT: usize = 64;
/// Events handed to a reader at once.
const BATCH: usize = 512;

/// The journal of one box.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    lines: u64,
    last: u64,
    recent: VecDeque<Event>,
}

impl Journal {
    /// Opens or creates the journal. A line that a crash cut short is dropped.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut lines = 0;
        let mut last = 0;
        let mut sound = 0_u64;
        if let Ok(file) = File::open(path) {
            let mut reader = BufReader::new(file);
            let mut line = Vec::new();
            loop {
                line.clear();
                let read = reader.read_until(b'\n', &mut line)?;
                if read == 0 || !line.ends_with(b"\n") {
                    break;
                }
                sound += read as u64;
                if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                    lines += 1;
                    last = last.max(event.seq.unwrap_or(0));
                }
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        if file.metadata()?.len() > sound {
            file.set_len(sound)?;
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            lines,
            last,
            recent: VecDeque::new(),
        })
    }

    /// Number of the newest event; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Adds an event.
    ///
    /// # Errors
    /// Those of the file system; the event is then known to readers all the same, until the next start.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        self.last = self.last.max(event.seq.unwrap_or(0));
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(event.clone());
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.lines += 1;
        if self.lines >= 2 * KEPT {
            self.compact()
        } else {
            Ok(())
        }
    }

    fn compact(&mut self) -> io::Result<()> {
        let aside = self.path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&aside)?);
        let oldest = self.oldest_kept();
        let mut lines = 0;
        for event in read(&self.path)? {
            let event = event?;
            if event.seq.is_some_and(|seq| seq >= oldest) {
                serde_json::to_writer(&mut writer, &event)?;
                writer.write_all(b"\n")?;
                lines += 1;
            }
        }
        writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        std::fs::rename(&aside, &self.path)?;
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = lines;
        Ok(())
    }

    /// Number of the oldest event that readers are given.
    fn oldest_kept(&self) -> u64 {
        (self.last + 1).saturating_sub(KEPT).max(1)
    }

    /// The next events after `after`, oldest first, [`BATCH`] at most. Where some are no longer kept, the first is
    /// a [gap](Event::gap) that carries the number of the last one missed. `since` skips older ones.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn after(&self, after: u64, since: Option<Timestamp>) -> io::Result<Vec<Event>> {
        if after >= self.last {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        let mut after = after;
        let oldest = self.oldest_kept();
        // A reader that asks from the beginning has missed nothing it knew of.
        if after > 0 && after + 1 < oldest {
            events.push(Event::gap(oldest - 1));
        }
        after = after.max(oldest - 1);
        let wanted = |event: &Event| {
            event.seq.is_some_and(|seq| seq > after) && since.is_none_or(|since| event.time >= since)
        };
        let in_memory = self.recent.front().and_then(|event| event.seq);
        if in_memory.is_some_and(|first| first <= after + 1) {
            events.extend(
                self.recent
                    .iter()
                    .filter(|event| wanted(event))
                    .take(BATCH)
                    .cloned(),
            );
            return Ok(events);
        }
        for event in read(&self.path)? {
            let event = event?;
            if wanted(&event) {
                events.push(event);
                if events.len() >= BATCH {
                    break;
                }
            }
        }
        Ok(events)
    }
}

/// Reads the events of a journal file, oldest first; lines that are no events are passed over.
///
/// # Errors
/// Those of opening it.
pub fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Event>> + use<>> {
    let lines = BufReader::new(File::open(path)?).split(b'\n');
    Ok(lines.filter_map(|line| match line {
        Ok(line) => serde_json::from_slice(&line).ok().map(Ok),
        Err(error) => Some(Err(error)),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::EventKind;

    fn event(seq: u64) -> Event {
        Event {
            seq: Some(seq),
            time: Timestamp::from_millis(seq),
            box_name: Some("box".to_owned()),
            kind: EventKind::ServiceState,
            unit: Some("web".to_owned()),
            from: Some("running".to_owned()),
            to: Some("backoff".to_owned()),
            pid: None,
            exit_code: Some(1),
        }
    }

    fn numbers(events: &[Event]) -> Vec<u64> {
        events.iter().filter_map(|event| event.seq).collect()
    }

    #[test]
    fn a_reader_gets_everything_once_across_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        for seq in 1..=100 {
            journal.append(&event(seq)).unwrap();
        }
        drop(journal);
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.last(), 100);
        journal.append(&event(101)).unwrap();
        assert_eq!(
            numbers(&journal.after(90, None).unwrap()),
            (91..=101).collect::<Vec<_>>()
        );
        assert_eq!(journal.after(101, None).unwrap(), []);
        let since = Some(Timestamp::from_millis(100));
        assert_eq!(numbers(&journal.after(0, since).unwrap()), [100, 101]);
    }

    #[test]
    fn a_torn_last_line_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        Journal::open(&path).unwrap().append(&event(1)).unwrap();
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"seq\":2,\"ti")
            .unwrap();
        let mut journal = Journal::open(&path).unwrap();
        assert_eq!(journal.last(), 1);
        journal.append(&event(2)).unwrap();
        assert_eq!(numbers(&journal.after(0, None).unwrap()), [1, 2]);
    }

    #[test]
    fn only_the_newest_are_kept_and_the_rest_is_one_gap() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        for seq in 1..=25_000 {
            journal.append(&event(seq)).unwrap();
        }
        assert!(journal.lines < 2 * KEPT);
        let events = journal.after(10, None).unwrap();
        assert_eq!(events[0].kind, EventKind::Gap);
        assert_eq!(numbers(&events[..3]), [15_000, 15_001, 15_002]);
        let from_the_start = journal.after(0, None).unwrap();
        assert_eq!(numbers(&from_the_start[..1]), [15_001]);
        let mut after = 10;
        let mut seen = Vec::new();
        loop {
            let events = journal.after(after, None).unwrap();
            let Some(last) = events.last() else { break };
            after = last.seq.unwrap();
            seen.extend(numbers(&events));
        }
        assert_eq!(seen, (15_000..=25_000).collect::<Vec<_>>());
    }
}
