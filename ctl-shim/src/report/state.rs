//! Names of unit states (contract, §3).

use std::fmt;

use serde::{Deserialize, Serialize};

/// State of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Known, nothing decided yet. Next: waiting, starting, running, stopped.
    Pending,
    /// Needs are not met. Next: starting, running, stopped.
    Waiting,
    /// Spawned, its probe has not passed. Next: ready, unhealthy, backoff, crashed, stopping, stopped.
    Starting,
    /// Spawned, has no probe. Next: backoff, crashed, stopping, stopped.
    Running,
    /// The probe has passed. Next: backoff, crashed, stopping, stopped.
    Ready,
    /// The probe timed out and the process was left alone. Next: ready, backoff, crashed, stopping, stopped.
    Unhealthy,
    /// Waiting for the next try. Next: starting, running, waiting, stopped.
    Backoff,
    /// Failed, and the restart policy says no more. Next: waiting or starting, on request.
    Crashed,
    /// Being ended; its process tree is not yet gone. Next: stopped, backoff, crashed.
    Stopping,
    /// Not running, and nothing is due. Next: waiting, starting or running, on request.
    Stopped,
}

/// State of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskState {
    /// Known, nothing decided yet. Next: waiting, running, done.
    Pending,
    /// Needs are not met. Next: running, done, skipped, stopped.
    Waiting,
    /// Spawned. Next: done, failed, stopped.
    Running,
    /// Succeeded, or there was nothing to do. Next: running, on request.
    Done,
    /// Exited non-zero or could not be spawned. Next: waiting, running, on request.
    Failed,
    /// A task it needs has failed. Next: waiting, once that one is run again.
    Skipped,
    /// Ended by request. Next: waiting, running, on request.
    Stopped,
}

/// State of either kind of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum UnitState {
    /// Of a service.
    Service(ServiceState),
    /// Of a task.
    Task(TaskState),
}

impl ServiceState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Pending,
        Self::Waiting,
        Self::Starting,
        Self::Running,
        Self::Ready,
        Self::Unhealthy,
        Self::Backoff,
        Self::Crashed,
        Self::Stopping,
        Self::Stopped,
    ];

    /// The word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Unhealthy => "unhealthy",
            Self::Backoff => "backoff",
            Self::Crashed => "crashed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

impl TaskState {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Waiting,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Skipped,
        Self::Stopped,
    ];

    /// The word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Stopped => "stopped",
        }
    }
}

impl UnitState {
    /// The word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service(state) => state.as_str(),
            Self::Task(state) => state.as_str(),
        }
    }
}

impl fmt::Display for ServiceState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Display for UnitState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
