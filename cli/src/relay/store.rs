//! The events of all boxes, on disk, each once.
//!
//! ```text
//! links ─► add ─► thread (one transaction for all that wait) ─► SQLite ─► told ─► readers ─► after
//! ```
//!
//! Nobody is told of an event before it is stored, so a reader that was told finds it. A row's number orders the events
//! of a box and never comes again; readers go on after the last row that they have. What a box's own journal numbers is
//! stored once for each number; the primary key of the box and the number sees to that. A relay that is killed loses nothing: what it had
//! not stored, the box's journal still has.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, EventKind};
use agentbox_ctl::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::{oneshot, watch};

/// Numbered events that are kept of a box, as its own journal does.
const KEPT: u64 = 10_000;
/// Events without a number that are kept of a box.
const KEPT_UNNUMBERED: u64 = 1_000;
/// Events handed to a reader at once.
const BATCH: u32 = 512;
/// Largest event that is stored, in bytes of JSON: what comes from a box may be anything.
const LARGEST: usize = 16 * 1024;
/// How long the events of a box are kept that is no longer there.
const KEPT_GONE_MILLIS: u64 = 24 * 60 * 60 * 1000;
/// Layout of the tables.
const LAYOUT: i64 = 1;

type Answer<T> = oneshot::Sender<rusqlite::Result<T>>;

enum Work {
    Add(String, Vec<Event>, Answer<()>),
    Last(String, Answer<u64>),
    State(String, Answer<Option<String>>),
    After(String, Option<u64>, i64, Answer<Vec<(i64, Event)>>),
    Count(Answer<u64>),
    Keep(Vec<String>, Answer<()>),
}

/// The stored events. Cheap to clone; the file is closed with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Store {
    work: Sender<Work>,
    told: watch::Receiver<u64>,
}

impl Store {
    /// Opens or makes the file. One that cannot be read is put aside: the boxes still have what was in it.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let database = match open(path) {
            Ok(database) => database,
            Err(_) => {
                for suffix in ["", "-wal", "-shm"] {
                    let aside = with_suffix(path, &format!("{suffix}.broken"));
                    // What is not there need not be moved; what cannot be moved shows below.
                    let _ = std::fs::rename(with_suffix(path, suffix), aside);
                }
                open(path).map_err(|error| {
                    Failure::failed(format!("cannot store events in {}", path.display())).because(&error)
                })?
            }
        };
        let (work, queue) = channel();
        let (tell, told) = watch::channel(0);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || serve(database, &queue, &tell))
            .map_err(|error| Failure::failed("cannot start a thread").because(&error))?;
        Ok(Self { work, told })
    }

    /// Stores events of a box; those that are there already are left as they are.
    ///
    /// # Errors
    /// A disk that is full or broken; nothing is stored then.
    pub(super) async fn add(&self, id: &str, events: Vec<Event>) -> Result<(), Failure> {
        self.ask(|answer| Work::Add(id.to_owned(), events, answer)).await
    }

    /// Number of the newest event of a box; 0 where there is none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn last(&self, id: &str) -> Result<u64, Failure> {
        self.ask(|answer| Work::Last(id.to_owned(), answer)).await
    }

    /// The state that the box itself was last known to be in.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn state(&self, id: &str) -> Result<Option<String>, Failure> {
        self.ask(|answer| Work::State(id.to_owned(), answer)).await
    }

    /// The next events of a box in rows after `row`, with their rows, a batch at most. Of those with a number only such
    /// after `after`; where some of them are no longer kept, the first is a [`EventKind::Gap`] with the number of the last one missed.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn after(
        &self,
        id: &str,
        after: Option<u64>,
        row: i64,
    ) -> Result<Vec<(i64, Event)>, Failure> {
        self.ask(|answer| Work::After(id.to_owned(), after, row, answer))
            .await
    }

    /// How many events there are.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn count(&self) -> Result<u64, Failure> {
        self.ask(Work::Count).await
    }

    /// Removes the events of boxes that have not been there for a day; `ids` are there.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) async fn keep(&self, ids: Vec<String>) -> Result<(), Failure> {
        self.ask(|answer| Work::Keep(ids, answer)).await
    }

    /// Changes with every event that is stored. Take it before reading, and nothing is missed.
    pub(super) fn told(&self) -> watch::Receiver<u64> {
        let mut told = self.told.clone();
        told.mark_unchanged();
        told
    }

    async fn ask<T>(&self, work: impl FnOnce(Answer<T>) -> Work) -> Result<T, Failure> {
        let (answer, result) = oneshot::channel();
        let gone = || Failure::failed("the store of events has ended");
        self.work.send(work(answer)).map_err(|_| gone())?;
        result
            .await
            .map_err(|_| gone())?
            .map_err(|error| Failure::failed("cannot use the stored events").because(&error))
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    // With a write-ahead log a commit needs no sync of the disk; a power cut may cost the last ones, which boxes still have.
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "normal")?;
    database.pragma_update(None, "cache_size", -512)?;
    let layout: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if layout != 0 && layout != LAYOUT {
        return Err(rusqlite::Error::InvalidQuery);
    }
    database.execute_batch(
        "CREATE TABLE IF NOT EXISTS event (
             row INTEGER PRIMARY KEY AUTOINCREMENT,
             box TEXT NOT NULL,
             seq INTEGER,
             body TEXT NOT NULL,
             UNIQUE (box, seq)
         );
         CREATE INDEX IF NOT EXISTS of_box ON event (box, row);
         CREATE TABLE IF NOT EXISTS box (id TEXT PRIMARY KEY, state TEXT, last INTEGER NOT NULL, seen INTEGER NOT NULL) WITHOUT ROWID;",
    )?;
    database.pragma_update(None, "user_version", LAYOUT)?;
    Ok(database)
}

/// Does what is asked until nobody is left to ask.
fn serve(mut database: Connection, queue: &Receiver<Work>, tell: &watch::Sender<u64>) {
    while let Ok(first) = queue.recv() {
        let mut waiting = vec![first];
        waiting.extend(queue.try_iter());
        let mut added = Vec::new();
        for work in waiting {
            match work {
                Work::Add(id, events, answer) => added.push((id, events, answer)),
                other => {
                    // What was asked for before is seen by who asks after.
                    store(&mut database, std::mem::take(&mut added), tell);
                    look(&mut database, other);
                }
            }
        }
        store(&mut database, added, tell);
    }
}

fn store(database: &mut Connection, added: Vec<(String, Vec<Event>, Answer<()>)>, tell: &watch::Sender<u64>) {
    if added.is_empty() {
        return;
    }
    let mut all = || -> rusqlite::Result<()> {
        let transaction = database.transaction()?;
        for (id, events, _) in &added {
            add(&transaction, id, events)?;
        }
        transaction.commit()
    };
    let result = all();
    if result.is_ok() {
        tell.send_modify(|count| *count += 1);
    }
    let mut failed = result.err();
    for (.., answer) in added {
        // Who asked may have gone meanwhile. The first is told why, all others that it failed.
        let _ = answer.send(match &mut failed {
            None => Ok(()),
            Some(error) => Err(std::mem::replace(error, rusqlite::Error::InvalidQuery)),
        });
    }
}

fn look(database: &mut Connection, work: Work) {
    // Who asked may have gone meanwhile.
    match work {
        Work::Add(..) => {}
        Work::Last(id, answer) => drop(answer.send(last(database, &id))),
        Work::State(id, answer) => drop(
            answer.send(
                database
                    .query_row("SELECT state FROM box WHERE id = ?1", [&id], |row| row.get(0))
                    .optional()
                    .map(Option::flatten),
            ),
        ),
        Work::After(id, after, row, answer) => drop(answer.send(next(database, &id, after, row))),
        Work::Count(answer) => {
            drop(answer.send(database.query_row("SELECT count(*) FROM event", [], |row| row.get(0))))
        }
        Work::Keep(ids, answer) => drop(answer.send(keep(database, &ids))),
    }
}

fn last(database: &Connection, id: &str) -> rusqlite::Result<u64> {
    database
        .query_row("SELECT last FROM box WHERE id = ?1", [id], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

fn add(transaction: &Transaction<'_>, id: &str, events: &[Event]) -> rusqlite::Result<()> {
    let mut newest = last(transaction, id)?;
    let mut state = None;
    {
        let mut insert =
            transaction.prepare_cached("INSERT OR IGNORE INTO event (box, seq, body) VALUES (?1, ?2, ?3)")?;
        for event in events {
            let Ok(body) = serde_json::to_string(event) else {
                continue;
            };
            // SQLite's integers are signed.
            let sound = body.len() <= LARGEST && event.seq.is_none_or(|seq| i64::try_from(seq).is_ok());
            // What is older than the newest was stored, or was missed for good and is told as a gap.
            if !sound || event.seq.is_some_and(|seq| seq <= newest) {
                continue;
            }
            insert.execute(params![id, event.seq, body])?;
            newest = event.seq.unwrap_or(newest);
            if event.kind == EventKind::BoxState {
                state = Some(event.to.clone());
            }
        }
    }
    transaction.execute(
        "INSERT INTO box (id, state, last, seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET last = ?3, seen = ?4, state = iif(?5, ?2, state)",
        params![
            id,
            state.clone().flatten(),
            newest,
            Timestamp::now().as_millis(),
            state.is_some()
        ],
    )?;
    transaction.execute(
        "DELETE FROM event WHERE box = ?1 AND seq <= ?2",
        params![id, newest.saturating_sub(KEPT)],
    )?;
    if state.is_some() {
        transaction.execute(
            "DELETE FROM event WHERE box = ?1 AND seq IS NULL AND row <= (
                 SELECT row FROM event WHERE box = ?1 AND seq IS NULL ORDER BY row DESC LIMIT 1 OFFSET ?2)",
            params![id, KEPT_UNNUMBERED],
        )?;
    }
    Ok(())
}

fn next(
    database: &Connection,
    id: &str,
    after: Option<u64>,
    row: i64,
) -> rusqlite::Result<Vec<(i64, Event)>> {
    let mut events = Vec::new();
    let oldest: Option<u64> =
        database.query_row("SELECT min(seq) FROM event WHERE box = ?1", [id], |row| {
            row.get(0)
        })?;
    // A reader that asks from the beginning has missed nothing that it knew of.
    if let (Some(after), Some(oldest)) = (after, oldest)
        && after > 0
        && row == 0
        && after + 1 < oldest
    {
        events.push((0, gap(oldest - 1)));
    }
    let mut select = database.prepare_cached(
        "SELECT row, body FROM event WHERE box = ?1 AND row > ?2 AND (seq IS NULL OR seq > ?3) ORDER BY row LIMIT ?4",
    )?;
    let found = select.query_map(params![id, row, after.unwrap_or_default(), BATCH], |found| {
        Ok((found.get::<_, i64>(0)?, found.get::<_, String>(1)?))
    })?;
    for found in found {
        let (row, body) = found?;
        if let Ok(event) = serde_json::from_str(&body) {
            events.push((row, event));
        }
    }
    Ok(events)
}

fn gap(missed: u64) -> Event {
    Event {
        seq: Some(missed),
        time: Timestamp::now(),
        box_name: None,
        kind: EventKind::Gap,
        unit: None,
        from: None,
        to: None,
        pid: None,
        exit_code: None,
    }
}

fn keep(database: &mut Connection, ids: &[String]) -> rusqlite::Result<()> {
    let now = Timestamp::now().as_millis();
    let transaction = database.transaction()?;
    for id in ids {
        transaction.execute("UPDATE box SET seen = ?2 WHERE id = ?1", params![id, now])?;
    }
    let limit = now.saturating_sub(KEPT_GONE_MILLIS);
    transaction.execute(
        "DELETE FROM event WHERE box IN (SELECT id FROM box WHERE seen < ?1)",
        [limit],
    )?;
    transaction.execute("DELETE FROM box WHERE seen < ?1", [limit])?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::event;

    fn numbered(range: std::ops::RangeInclusive<u64>) -> Vec<Event> {
        range.map(|seq| event(seq, "web", "running", "backoff")).collect()
    }

    fn box_state(to: &str) -> Event {
        Event {
            seq: None,
            kind: EventKind::BoxState,
            unit: None,
            to: Some(to.to_owned()),
            ..event(0, "web", "running", "stopped")
        }
    }

    fn numbers(events: &[(i64, Event)]) -> Vec<u64> {
        events.iter().filter_map(|(_, event)| event.seq).collect()
    }

    #[tokio::test]
    async fn every_number_once_whoever_sends_it_how_often() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let store = Store::open(&path).unwrap();
        store.add("a", numbered(1..=5)).await.unwrap();
        store.add("a", numbered(3..=8)).await.unwrap();
        store.add("b", numbered(1..=2)).await.unwrap();
        store.add("a", vec![box_state("stopped")]).await.unwrap();
        drop(store);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.last("a").await.unwrap(), 8);
        assert_eq!(store.state("a").await.unwrap().as_deref(), Some("stopped"));
        store.add("a", numbered(8..=9)).await.unwrap();
        assert_eq!(store.state("a").await.unwrap().as_deref(), Some("stopped"));
        let all = store.after("a", None, 0).await.unwrap();
        assert_eq!(numbers(&all), (1..=9).collect::<Vec<_>>());
        assert_eq!(all[8].1.kind, EventKind::BoxState);
        let some = store.after("a", Some(6), 0).await.unwrap();
        assert_eq!(numbers(&some), [7, 8, 9]);
        assert_eq!(some.len(), 4);
        let (row, _) = some[2];
        assert_eq!(numbers(&store.after("a", Some(6), row).await.unwrap()), [9]);
        assert_eq!(store.count().await.unwrap(), 12);
    }

    #[tokio::test]
    async fn whoever_was_told_finds_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("events.db")).unwrap();
        let mut told = store.told();
        store.add("a", numbered(1..=1)).await.unwrap();
        told.changed().await.unwrap();
        assert_eq!(store.after("a", None, 0).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn only_the_newest_are_kept_and_what_is_missing_is_one_gap() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("events.db")).unwrap();
        store.add("a", numbered(1..=12_000)).await.unwrap();
        assert_eq!(store.count().await.unwrap(), KEPT);
        let events = store.after("a", Some(10), 0).await.unwrap();
        assert_eq!(events[0].1.kind, EventKind::Gap);
        assert_eq!(numbers(&events[..3]), [2000, 2001, 2002]);
        let all = store.after("a", None, 0).await.unwrap();
        assert_eq!(numbers(&all[..1]), [2001]);
        store
            .add("a", (0..1500).map(|_| box_state("paused")).collect())
            .await
            .unwrap();
        assert_eq!(store.count().await.unwrap(), KEPT + KEPT_UNNUMBERED);
    }

    #[tokio::test]
    async fn a_box_may_send_anything() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("events.db")).unwrap();
        let large = Event {
            unit: Some("x".repeat(LARGEST)),
            ..event(1, "web", "a", "b")
        };
        let beyond = event(u64::MAX, "web", "a", "b");
        store
            .add("a", vec![large, beyond, event(2, "web", "a", "b")])
            .await
            .unwrap();
        assert_eq!(numbers(&store.after("a", None, 0).await.unwrap()), [2]);
        assert_eq!(store.last("a").await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_broken_file_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        std::fs::write(
            &path,
            "no database at all, but long enough to be looked at as one".repeat(100),
        )
        .unwrap();
        let store = Store::open(&path).unwrap();
        store.add("a", numbered(1..=1)).await.unwrap();
        assert_eq!(store.last("a").await.unwrap(), 1);
        assert!(directory.path().join("events.db.broken").exists());
    }
}
