//! What is in the file, and the statements on it.

use std::path::Path;

use agentbox_ctl::report::{Event, EventKind};
use agentbox_ctl::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Added;

/// Numbered events that are kept of a box, as its own journal does.
pub(super) const KEPT: u64 = 10_000;
/// Events without a number that are kept of a box.
pub(super) const KEPT_UNNUMBERED: u64 = 1_000;
/// Events handed to a reader at once.
const BATCH: u32 = 512;
/// Largest event that is stored, in bytes of JSON: what comes from a box may be anything.
pub(super) const LARGEST: usize = 16 * 1024;
/// How long the events of a box are kept that is no longer on its engine, and those of a box on an engine that nobody asks for.
const KEPT_GONE_MILLIS: u64 = 24 * 60 * 60 * 1000;
const KEPT_UNSEEN_MILLIS: u64 = 90 * KEPT_GONE_MILLIS;
/// Layout of the tables.
const LAYOUT: i64 = 2;

/// Opens or makes the file.
///
/// # Errors
/// What is no such file, a disk that is full.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let database = Connection::open(path)?;
    // With a write-ahead log a commit needs no sync of the disk; a power cut may cost the last ones, which boxes still have.
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "normal")?;
    database.pragma_update(None, "cache_size", -512)?;
    let layout: i64 = database.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match layout {
        LAYOUT => return Ok(database),
        0 => {}
        _ => return Err(rusqlite::Error::InvalidQuery),
    }
    database.execute_batch(
        "BEGIN;
         CREATE TABLE event (
             row INTEGER PRIMARY KEY AUTOINCREMENT,
             box TEXT NOT NULL,
             seq INTEGER,
             body TEXT NOT NULL,
             UNIQUE (box, seq)
         );
         CREATE INDEX of_box ON event (box, row);
         CREATE TABLE box (
             id TEXT PRIMARY KEY,
             engine TEXT,
             state TEXT,
             last INTEGER NOT NULL DEFAULT 0,
             seen INTEGER NOT NULL
         ) WITHOUT ROWID;",
    )?;
    // Rows go on above those of a file that was here before: who has read that one goes on as if it still were.
    database.execute(
        "INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?1)",
        [Timestamp::now().as_millis()],
    )?;
    database.execute_batch(&format!("PRAGMA user_version = {LAYOUT}; COMMIT"))?;
    Ok(database)
}

/// Whether [`open`] has failed for the layout.
pub(super) fn is_of_other_layout(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::InvalidQuery)
}

/// Number of the newest event of a box.
pub(super) fn last(database: &Connection, id: &str) -> rusqlite::Result<u64> {
    database
        .query_row("SELECT last FROM box WHERE id = ?1", [id], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// How many events there are.
pub(super) fn count(database: &Connection) -> rusqlite::Result<u64> {
    database.query_row("SELECT count(*) FROM event", [], |row| row.get(0))
}

/// Adds numbered events; gives the number of the newest.
///
/// # Errors
/// Events in between that were stored once and are not any more.
pub(super) fn add(database: &Connection, added: &Added) -> rusqlite::Result<u64> {
    let Added { id, after, events } = added;
    let mut newest = last(database, id)?;
    if newest < *after {
        let lost = "events were lost with their file, and are asked for again";
        return Err(rusqlite::Error::ToSqlConversionFailure(lost.into()));
    }
    let before = newest;
    let mut insert =
        database.prepare_cached("INSERT OR IGNORE INTO event (box, seq, body) VALUES (?1, ?2, ?3)")?;
    for event in events {
        // A box tells of its units alone: what happens to the box itself, its engine knows. SQLite's integers are signed.
        let Some(seq) = event
            .seq
            .filter(|seq| i64::try_from(*seq).is_ok() && event.kind != EventKind::BoxState)
        else {
            continue;
        };
        let Ok(body) = serde_json::to_string(event) else {
            continue;
        };
        // What is older than the newest was stored, or was missed for good and is told as a gap.
        if body.len() > LARGEST || seq <= newest {
            continue;
        }
        insert.execute(params![id, seq, body])?;
        newest = seq;
    }
    if newest != before {
        database.execute(
            "INSERT INTO box (id, last, seen) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET last = ?2, seen = ?3",
            params![id, newest, Timestamp::now().as_millis()],
        )?;
        database.execute(
            "DELETE FROM event WHERE box = ?1 AND seq <= ?2",
            params![id, newest.saturating_sub(KEPT)],
        )?;
    }
    Ok(newest)
}

/// Adds an event of the box itself, unless it is in that state already.
pub(super) fn record(database: &Connection, id: &str, event: &Event) -> rusqlite::Result<()> {
    let from: Option<String> = database
        .query_row("SELECT state FROM box WHERE id = ?1", [id], |row| row.get(0))
        .optional()?
        .flatten();
    if from == event.to {
        return Ok(());
    }
    let event = Event {
        seq: None,
        from,
        ..event.clone()
    };
    let Ok(body) = serde_json::to_string(&event) else {
        return Ok(());
    };
    database.execute("INSERT INTO event (box, body) VALUES (?1, ?2)", [id, &body])?;
    database.execute(
        "INSERT INTO box (id, state, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (id) DO UPDATE SET state = ?2, seen = ?3",
        params![id, event.to, Timestamp::now().as_millis()],
    )?;
    database.execute(
        "DELETE FROM event WHERE box = ?1 AND seq IS NULL AND row <= (
             SELECT row FROM event WHERE box = ?1 AND seq IS NULL ORDER BY row DESC LIMIT 1 OFFSET ?2)",
        params![id, KEPT_UNNUMBERED],
    )?;
    Ok(())
}

/// The next events for a reader.
pub(super) fn next(
    database: &Connection,
    id: &str,
    after: Option<u64>,
    row: i64,
) -> rusqlite::Result<Vec<(i64, Event)>> {
    let mut events = Vec::new();
    let newest: Option<i64> = database
        .query_row(
            "SELECT seq FROM sqlite_sequence WHERE name = 'event'",
            [],
            |found| found.get(0),
        )
        .optional()?;
    // A row that has not been: it was another file's, and a clock was set back since.
    let mut row = if Some(row) > newest { 0 } else { row };
    if let Some(after) = after.filter(|after| *after > 0) {
        let oldest: Option<u64> =
            database.query_row("SELECT min(seq) FROM event WHERE box = ?1", [id], |found| {
                found.get(0)
            })?;
        // A reader that asks from the beginning has missed nothing that it knew of.
        if let Some(oldest) = oldest.filter(|oldest| after.saturating_add(1) < *oldest) {
            events.push((row, Event::gap(oldest - 1)));
        }
        if row == 0 {
            // What has no number is newer than that one when it was stored later.
            let at: Option<i64> = database
                .query_row(
                    "SELECT row FROM event WHERE box = ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT 1",
                    params![id, i64::try_from(after).unwrap_or(i64::MAX)],
                    |found| found.get(0),
                )
                .optional()?;
            row = at.unwrap_or(0);
        }
    }
    let mut select = database.prepare_cached(
        "SELECT row, body FROM event WHERE box = ?1 AND row > ?2 AND (seq IS NULL OR seq > ?3) ORDER BY row LIMIT ?4",
    )?;
    let number = i64::try_from(after.unwrap_or_default()).unwrap_or(i64::MAX);
    let found = select.query_map(params![id, row, number, BATCH], |found| {
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

/// Notes that these boxes are on the engine, and removes what has not been for long.
pub(super) fn keep(database: &mut Connection, engine: &str, ids: &[String]) -> rusqlite::Result<()> {
    let now = Timestamp::now().as_millis();
    let transaction = database.transaction()?;
    for id in ids {
        transaction.execute(
            "UPDATE box SET seen = ?2, engine = ?3 WHERE id = ?1",
            params![id, now, engine],
        )?;
    }
    // A box of an engine that does not answer is there until that says otherwise. Times ahead of ours were a wrong clock's.
    transaction.execute("UPDATE box SET seen = ?1 WHERE seen > ?1", [now])?;
    let gone = "SELECT id FROM box WHERE seen < ?1 AND engine = ?2 OR seen < ?3";
    let (day, season) = (
        now.saturating_sub(KEPT_GONE_MILLIS),
        now.saturating_sub(KEPT_UNSEEN_MILLIS),
    );
    let limits = params![day, engine, season];
    transaction.execute(&format!("DELETE FROM event WHERE box IN ({gone})"), limits)?;
    transaction.execute(&format!("DELETE FROM box WHERE id IN ({gone})"), limits)?;
    transaction.commit()
}
