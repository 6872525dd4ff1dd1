//! The unit table as data.

use serde::{Deserialize, Serialize};

use super::{ServiceState, TaskState};
use crate::config::model::Expose;
use crate::time::Timestamp;

/// All units of a box, as `status --json` gives them. Absent values are `null`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitsReport {
    /// Services in the order of the file.
    pub services: Vec<ServiceStatus>,
    /// Tasks in the order of the file.
    pub tasks: Vec<TaskStatus>,
    /// What is wrong with the configuration or with the box as a whole, each rendered for a person.
    pub errors: Vec<String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Unit name.
    pub name: String,
    /// Its state.
    pub state: ServiceState,
    /// Process id of the leader, as seen in the box, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again without having been asked.
    pub restarts: u32,
    /// Exit code of the last run.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended the last run, such as `SIGKILL`.
    pub signal: Option<String>,
    /// When the present or last run was spawned.
    pub started_at: Option<Timestamp>,
    /// When the probe of the present run passed.
    pub ready_at: Option<Timestamp>,
    /// When the next try is due, in `backoff`.
    pub next_retry_at: Option<Timestamp>,
    /// Needs that are not met, while `waiting`.
    pub blocked_on: Vec<String>,
    /// Why it is in this state, where that is not obvious.
    pub reason: Option<String>,
    /// Its web port, where it is the web service.
    pub expose: Option<Expose>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// Unit name.
    pub name: String,
    /// Its state.
    pub state: TaskState,
    /// Process id of the leader, as seen in the box, while there is one.
    pub pid: Option<u32>,
    /// Exit code of the last run.
    pub exit_code: Option<i32>,
    /// Name of the signal that ended the last run.
    pub signal: Option<String>,
    /// When the present or last run was spawned.
    pub started_at: Option<Timestamp>,
    /// When the last run ended.
    pub finished_at: Option<Timestamp>,
    /// Needs that are not met, while `waiting`.
    pub blocked_on: Vec<String>,
    /// Why it is in this state, where that is not obvious (`already done`).
    pub reason: Option<String>,
}

/// What the supervisor records in the private volume (`units.json`), so that the host can show the units of a
/// stopped or paused box, and a supervisor that crashed can go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Number of the newest event that the report includes.
    pub seq: u64,
    /// The units.
    #[serde(flatten)]
    pub units: UnitsReport,
}
