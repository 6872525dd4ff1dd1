//! The unit table as data.

use serde::{Deserialize, Serialize};

use super::{ServiceState, TaskState, one_line, service_reason, task_reason};
use crate::config::model::Expose;
use crate::spec::Marks;
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
    /// Service specs and setup scripts that are attached. Older supervisors know of none.
    #[serde(default, skip_serializing_if = "Marks::is_empty")]
    pub attached: Marks,
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

impl UnitsReport {
    /// Names of all units, services first.
    pub fn names(&self) -> Vec<String> {
        let services = self.services.iter().map(|service| service.name.clone());
        services
            .chain(self.tasks.iter().map(|task| task.name.clone()))
            .collect()
    }

    /// All units in a few words: how many of those that are not at rest are well, and the first that is in trouble.
    /// Empty where there are none.
    pub fn summary(&self) -> String {
        let services = self.services.iter().map(|service| {
            let well = matches!(service.state, ServiceState::Ready | ServiceState::Running);
            let trouble = matches!(
                service.state,
                ServiceState::Crashed | ServiceState::Backoff | ServiceState::Unhealthy
            );
            (&service.name, service.state.as_str(), well, trouble)
        });
        let tasks = self.tasks.iter().map(|task| {
            let well = task.state == TaskState::Done;
            let trouble = matches!(task.state, TaskState::Failed | TaskState::Skipped);
            (&task.name, task.state.as_str(), well, trouble)
        });
        let (mut total, mut well_ones, mut troubled) = (0_usize, 0_usize, None);
        for (name, state, well, trouble) in tasks.chain(services) {
            if state == ServiceState::Stopped.as_str() {
                continue;
            }
            total += 1;
            well_ones += usize::from(well);
            if trouble && troubled.is_none() {
                troubled = Some(format!(", {} {state}", one_line(name)));
            }
        }
        if total == 0 && !self.errors.is_empty() {
            return "config errors".to_owned();
        }
        match total {
            0 => String::new(),
            _ => format!("{well_ones}/{total}{}", troubled.unwrap_or_default()),
        }
    }

    /// The units that are neither well nor at rest, each with its state, what blocks it and its last failure: what a
    /// wait that has timed out shows. `only` restricts it to these names, unless empty.
    pub fn unsettled(&self, only: &[String]) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |name: &str, state: &str, blocked_on: &[String], reason: Option<String>| {
            if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
                return;
            }
            let mut line = format!("{}: {state}", one_line(name));
            if !blocked_on.is_empty() {
                line.push_str(&format!(" (needs {})", one_line(&blocked_on.join(", "))));
            }
            if let Some(reason) = reason {
                line.push_str(&format!(", {reason}"));
            }
            lines.push(line);
        };
        for task in &self.tasks {
            if !matches!(task.state, TaskState::Done | TaskState::Stopped) {
                add(
                    &task.name,
                    task.state.as_str(),
                    &task.blocked_on,
                    task_reason(task),
                );
            }
        }
        for service in &self.services {
            if !matches!(
                service.state,
                ServiceState::Ready | ServiceState::Running | ServiceState::Stopped
            ) {
                add(
                    &service.name,
                    service.state.as_str(),
                    &service.blocked_on,
                    service_reason(service),
                );
            }
        }
        lines
    }
}
