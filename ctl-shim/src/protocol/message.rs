//! What the frames say.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::report::{Event, TaskState, UnitsReport};
use crate::time::Timestamp;

/// What a client asks for. Each answer is one [`Reply::Done`], after any number of items or data frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
pub enum Request {
    /// Who answers: [`Answer::Hello`].
    Hello,
    /// All units: [`Answer::Status`].
    Status,
    /// Starts units and their unmet needs; answers when each is running (or, a task, done), or cannot be:
    /// [`Answer::Units`].
    Start {
        /// Unit names.
        units: Vec<String>,
    },
    /// Ends units; answers when their process trees are gone: [`Answer::Units`].
    Stop {
        /// Unit names.
        units: Vec<String>,
    },
    /// Ends units and starts them: [`Answer::Units`].
    Restart {
        /// Unit names.
        units: Vec<String>,
    },
    /// Runs a task again, its output as data frames: [`Answer::Task`].
    RunTask {
        /// The task.
        task: String,
        /// Even where `run_once` would pass it over.
        force: bool,
    },
    /// Reads the configuration again and applies the difference: [`Answer::Reload`].
    Reload,
    /// Waits until the units are in their good end state, without a time-out of its own; an empty list means all
    /// that start by themselves. Fails at once when one cannot get there: [`Answer::Waited`]. Items: [`Item::Event`]
    /// of every unit while it waits, where `progress` is set.
    Wait {
        /// Unit names.
        units: Vec<String>,
        /// Whether events are wanted while waiting.
        progress: bool,
    },
    /// Events: [`Item::Event`] each, then [`Answer::Nothing`] unless `follow`.
    Events {
        /// Only events with a higher sequence number.
        after: Option<u64>,
        /// Only events at or after this time.
        since: Option<Timestamp>,
        /// Go on with new events until cancelled.
        follow: bool,
    },
    /// Log output, as [`LogChunk`] headers in items each followed by one data frame, then [`Answer::Nothing`]
    /// unless `follow`.
    Logs {
        /// Unit names; empty means all.
        units: Vec<String>,
        /// What part of them.
        #[serde(flatten)]
        range: LogRange,
    },
    /// What listens on TCP in the box: [`Answer::Ports`].
    Ports,
    /// What units are, beside the states they are in: [`Answer::Described`], in the order asked for.
    Describe {
        /// Unit names; empty means all.
        units: Vec<String>,
    },
    /// Whether services start with the box, from its next start on; kept with the box, and above what the configuration
    /// or a spec says: [`Answer::Units`], `changed` where it was otherwise.
    Enable {
        /// Unit names.
        units: Vec<String>,
        /// Whether they do.
        enabled: bool,
    },
    /// A TCP connection to a port of the box's loopback: [`Item::Opened`] once it stands, then data and ends both ways
    /// (see [`super::dial`]), then [`Answer::Nothing`] where both directions have ended well. For the host alone.
    Dial {
        /// The port.
        port: u16,
    },
}

/// Which part of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRange {
    /// Only the last lines of each unit; `None` is everything that is kept.
    pub tail: Option<u64>,
    /// Only lines written at or after this time.
    pub since: Option<Timestamp>,
    /// Go on with new output until cancelled.
    #[serde(default)]
    pub follow: bool,
    /// Single lines, each with its time, are wanted.
    #[serde(default)]
    pub timestamps: bool,
}

/// Whose output a data frame holds. Merged output of several units is in order of time, in whole lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// The unit.
    pub unit: String,
    /// When the bytes were read from the unit, as far as it is known. One per line where times are known.
    pub time: Option<Timestamp>,
}

/// What the supervisor sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// One more element of a stream.
    Item(Item),
    /// The end of the request.
    Done(Result<Answer, Failure>),
}

/// Element of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Item {
    /// A state event.
    Event(Event),
    /// Header of the data frame that follows.
    Log(LogChunk),
    /// The connection of a [`Request::Dial`] stands.
    Opened,
}

/// Result of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Of [`Request::Hello`].
    Hello {
        /// [`super::VERSION`] of the supervisor.
        protocol: u32,
        /// Version of the supervisor.
        version: String,
        /// When the supervisor started.
        started_at: Timestamp,
    },
    /// Of [`Request::Status`].
    Status(UnitsReport),
    /// Of start, stop, restart: what became of each unit, in the order asked for.
    Units(Vec<UnitOutcome>),
    /// Of [`Request::RunTask`].
    Task {
        /// The task's state at its end.
        state: TaskState,
        /// Exit code, where it ran and exited.
        exit_code: Option<i32>,
        /// Signal name, where one ended it.
        signal: Option<String>,
        /// Why, where it did not run.
        reason: Option<String>,
    },
    /// Of [`Request::Reload`]: what was done, unit by unit.
    Reload(Vec<ReloadStep>),
    /// Of [`Request::Wait`].
    Waited(UnitsReport),
    /// Of [`Request::Ports`], by port.
    Ports(Vec<ListeningPort>),
    /// Of [`Request::Describe`].
    Described(Vec<UnitDescription>),
    /// Nothing to say beyond success.
    Nothing,
}

/// What a unit is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitDescription {
    /// The unit.
    pub unit: String,
    /// Whether it starts with the box. `None` for a task, which has no say in it.
    pub enabled: Option<bool>,
    /// Where it is defined, for people: a path, or a spec and its id.
    pub source: String,
    /// The equivalent systemd unit file.
    pub unit_file: String,
    /// Its processes at this moment, the leader first.
    pub processes: Vec<UnitProcess>,
}

/// One process of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitProcess {
    /// Process id in the box.
    pub pid: u32,
    /// Its command line, or the program's name where that cannot be read.
    pub command: String,
}

/// A TCP port that a process of the box listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListeningPort {
    /// The port.
    pub port: u16,
    /// Addresses on which it listens.
    pub addresses: Vec<String>,
    /// The unit that the process is of.
    pub unit: Option<String>,
    /// Name of the program.
    pub process: Option<String>,
    /// Process id in the box.
    pub pid: Option<u32>,
}

/// What a start, stop or restart did to one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitOutcome {
    /// The unit.
    pub unit: String,
    /// Its state now, as users see it.
    pub state: String,
    /// Whether anything had to be done.
    pub changed: bool,
}

/// What a reload did to one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadStep {
    /// The unit.
    pub unit: String,
    /// What was done.
    pub action: ReloadAction,
}

/// Action of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadAction {
    /// New in the file.
    Added,
    /// No longer in the file; ended.
    Removed,
    /// Changed and started again.
    Restarted,
    /// Changed in a way that needs no restart (probe, policy, `expose`), or was not running.
    Updated,
    /// The same.
    Unchanged,
}

impl std::fmt::Display for ReloadAction {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Restarted => "restarted",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        })
    }
}
