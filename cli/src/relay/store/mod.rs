//! The events of all boxes, on disk, each once.
//!
//! ```text
//! links ─► add ─► thread (one transaction for all that wait) ─► SQLite ─► told ─► readers ─► after
//! ```
//!
//! Nobody is told of an event before it is stored, so a reader that was told finds it. A row's number orders the events
//! of a box and never comes again; readers go on after the last row that they have. What a box's own journal numbers is
//! stored once for each number; the primary key of the box and the number sees to that. A relay that is killed loses nothing: what it had
//! not stored, the box's journal still has. For the same reason a file that is broken or gone is replaced by an empty one.

mod file;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::Event;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use self::file::File;

type Answer<T> = oneshot::Sender<rusqlite::Result<T>>;

/// A change of the stored events.
enum Change {
    Add(Added, Answer<u64>),
    Record(String, Event, Answer<()>),
}

/// Numbered events of a box that follow each other.
struct Added {
    id: String,
    /// The number after which they were asked for.
    after: u64,
    events: Vec<Event>,
}

enum Work {
    Change(Change),
    Last(String, Answer<u64>),
    After(String, Option<u64>, i64, Answer<Vec<(i64, Event)>>),
    Count(Answer<u64>),
    Keep(String, Vec<String>, Answer<()>),
}

/// The stored events. Cheap to clone; the file is closed with the last clone.
#[derive(Debug, Clone)]
pub(super) struct Store {
    work: Sender<Work>,
    told: watch::Receiver<u64>,
}

impl Store {
    /// Opens or makes the file. One that is broken is put aside: the boxes still have what was in it.
    ///
    /// # Errors
    /// A directory that cannot be written, a disk that is full.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path).map_err(|error| {
            Failure::failed(format!("cannot store events in {}", path.display())).because(&error)
        })?;
        let (work, queue) = channel();
        let (tell, told) = watch::channel(0);
        thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || serve(file, &queue, &tell))
            .map_err(|error| Failure::failed("cannot start a thread").because(&error))?;
        Ok(Self { work, told })
    }

    /// Stores the events that a box numbered, which were asked for after the number `after`; those that are there already are left as they are,
    /// and what no box of ours sends is passed over. Gives the number of the newest stored.
    ///
    /// # Errors
    /// A disk that is full or broken, events between `after` and the newest that were lost with a file: nothing is stored then, and
    /// they have to be asked for again.
    pub(super) async fn add(&self, id: &str, after: u64, events: Vec<Event>) -> Result<u64, Failure> {
        let id = id.to_owned();
        let added = Added { id, after, events };
        self.ask(|answer| Work::Change(Change::Add(added, answer))).await
    }

    /// Stores an event of the box itself, unless it is in that state already. Where it comes from is what was stored last.
    ///
    /// # Errors
    /// A disk that is full or broken.
    pub(super) async fn record(&self, id: &str, event: Event) -> Result<(), Failure> {
        self.ask(|answer| Work::Change(Change::Record(id.to_owned(), event, answer)))
            .await
    }

    /// Number of the newest event of a box; 0 where there is none.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) async fn last(&self, id: &str) -> Result<u64, Failure> {
        self.ask(|answer| Work::Last(id.to_owned(), answer)).await
    }

    /// The next events of a box in rows after `row`, with their rows, a batch at most. Of those with a number only such
    /// after `after`, and of the others only such that were stored later than that one; where some are no longer kept, the
    /// first is a [`EventKind::Gap`](agentbox_ctl::report::EventKind::Gap) with the number of the last one missed.
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

    /// Removes the events of boxes that have not been on this engine for a day; `ids` are there.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub(super) async fn keep(&self, engine: &str, ids: Vec<String>) -> Result<(), Failure> {
        self.ask(|answer| Work::Keep(engine.to_owned(), ids, answer))
            .await
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

/// Does what is asked until nobody is left to ask.
fn serve(mut file: File, queue: &Receiver<Work>, tell: &watch::Sender<u64>) {
    while let Ok(first) = queue.recv() {
        let mut waiting = vec![first];
        waiting.extend(queue.try_iter());
        let mut changes = Vec::new();
        for work in waiting {
            match work {
                Work::Change(change) => changes.push(change),
                other => {
                    // What was asked for before is seen by who asks after.
                    change(&mut file, std::mem::take(&mut changes), tell);
                    look(&mut file, other);
                }
            }
        }
        change(&mut file, changes, tell);
    }
}

/// One transaction for all; where it fails, one for each, so that a change that cannot be made costs no other.
fn change(file: &mut File, changes: Vec<Change>, tell: &watch::Sender<u64>) {
    if changes.is_empty() {
        return;
    }
    let together = file.using(|database| {
        let transaction = database.transaction()?;
        let made = changes
            .iter()
            .map(|change| make(&transaction, change))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        transaction.commit()?;
        Ok(made)
    });
    let results: Vec<_> = match together {
        Ok(made) => made.into_iter().map(Ok).collect(),
        Err(error) if changes.len() == 1 => vec![Err(error)],
        Err(_) => changes
            .iter()
            .map(|change| {
                file.using(|database| {
                    let transaction = database.transaction()?;
                    let made = make(&transaction, change)?;
                    transaction.commit()?;
                    Ok(made)
                })
            })
            .collect(),
    };
    if results.iter().any(Result::is_ok) {
        tell.send_modify(|count| *count += 1);
    }
    for (change, result) in changes.into_iter().zip(results) {
        // Who asked may have gone meanwhile.
        match change {
            Change::Add(_, answer) => drop(answer.send(result)),
            Change::Record(.., answer) => drop(answer.send(result.map(drop))),
        }
    }
}

/// Makes a change; gives the number of the box's newest event.
fn make(database: &Connection, change: &Change) -> rusqlite::Result<u64> {
    match change {
        Change::Add(added, _) => tables::add(database, added),
        Change::Record(id, event, _) => tables::record(database, id, event).map(|()| 0),
    }
}

fn look(file: &mut File, work: Work) {
    // Who asked may have gone meanwhile.
    match work {
        Work::Change(_) => {}
        Work::Last(id, answer) => drop(answer.send(file.using(|database| tables::last(database, &id)))),
        Work::After(id, after, row, answer) => {
            drop(answer.send(file.using(|database| tables::next(database, &id, after, row))));
        }
        Work::Count(answer) => drop(answer.send(file.using(|database| tables::count(database)))),
        Work::Keep(engine, ids, answer) => {
            drop(answer.send(file.using(|database| tables::keep(database, &engine, &ids))));
        }
    }
}
