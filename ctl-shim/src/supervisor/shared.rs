//! What the engine shares with the connections. Everything runs on one thread, so `Rc` and `RefCell` do; no
//! borrow is held across an `await`.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::describe::Described;
use super::journal::Journal;
use crate::failure::Failure;
use crate::process::tree::UnitHandle;
use crate::protocol::message::Answer;
use crate::report::UnitsReport;
use crate::time::Timestamp;

/// What a connection asks of the engine.
#[derive(Debug)]
pub(super) enum Command {
    /// The unit table.
    Status(oneshot::Sender<UnitsReport>),
    /// The units that have run, with what tells their processes.
    Handles(oneshot::Sender<Vec<(String, UnitHandle)>>),
    /// What units are; all where none are named.
    Describe(Vec<String>, oneshot::Sender<Result<Vec<Described>, Failure>>),
    /// Something that takes its time.
    Ask(Ask, oneshot::Sender<Result<Answer, Failure>>),
}

/// A question whose answer may take as long as units take.
#[derive(Debug)]
pub(super) enum Ask {
    /// Start units.
    Start(Vec<String>),
    /// Stop units.
    Stop(Vec<String>),
    /// Restart units.
    Restart(Vec<String>),
    /// Run a task.
    RunTask {
        /// Its name.
        task: String,
        /// In spite of `run_once`.
        force: bool,
    },
    /// Read the configuration again.
    Reload,
    /// Keep whether services start with the box.
    Enable {
        /// Their names.
        units: Vec<String>,
        /// Whether they do.
        enabled: bool,
    },
    /// Wait for good end states.
    Wait(Vec<String>),
}

/// State that connections read for themselves.
#[derive(Debug)]
pub(super) struct Shared {
    /// Requests to the engine.
    pub(super) commands: mpsc::Sender<Command>,
    /// The events.
    pub(super) journal: RefCell<Journal>,
    /// Woken at each event.
    pub(super) event_told: Notify,
    /// Woken whenever a log has grown.
    pub(super) log_grown: Notify,
    /// Where the logs lie.
    pub(super) log_directory: PathBuf,
    /// Names of all units, in the order of the file.
    pub(super) unit_names: RefCell<Vec<String>>,
    /// When the supervisor started.
    pub(super) started_at: Timestamp,
    /// Connections being served.
    pub(super) connections: Cell<usize>,
    /// Room for further connections to ports.
    pub(super) dials: Semaphore,
}
