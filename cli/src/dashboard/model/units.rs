//! Units as rows of a table.

use agentbox_ctl::report::{ServiceState, TaskState, UnitState, UnitsReport, service_reason, task_reason};

use super::super::plain::clean;

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitRow {
    /// Its name, as requests have it.
    pub name: String,
    /// Its state.
    pub state: UnitState,
    /// Process id of its leader, as seen in the box.
    pub pid: Option<u32>,
    /// How often a service was started again.
    pub restarts: Option<u32>,
    /// Needs that are not met, while it waits.
    pub blocked_on: Vec<String>,
    /// Why it is in this state.
    pub reason: Option<String>,
}

impl UnitRow {
    /// What there is to say about its state in one line: whom it waits for, and why it is so.
    pub fn note(&self) -> String {
        let mut parts = Vec::new();
        if !self.blocked_on.is_empty() {
            parts.push(format!("needs {}", clean(&self.blocked_on.join(", "))));
        }
        parts.extend(self.reason.as_deref().map(clean));
        parts.join("; ")
    }
}

/// All units, services first.
pub fn rows(report: &UnitsReport) -> Vec<UnitRow> {
    let services = report.services.iter().map(|service| UnitRow {
        name: service.name.clone(),
        state: UnitState::Service(service.state),
        pid: service.pid,
        restarts: Some(service.restarts),
        blocked_on: match service.state {
            ServiceState::Waiting => service.blocked_on.clone(),
            _ => Vec::new(),
        },
        reason: service_reason(service),
    });
    let tasks = report.tasks.iter().map(|task| UnitRow {
        name: task.name.clone(),
        state: UnitState::Task(task.state),
        pid: task.pid,
        restarts: None,
        blocked_on: match task.state {
            TaskState::Waiting => task.blocked_on.clone(),
            _ => Vec::new(),
        },
        reason: task_reason(task),
    });
    services.chain(tasks).collect()
}

/// Whether what needs a unit in this state can start.
pub fn is_well(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Ready | ServiceState::Running) | UnitState::Task(TaskState::Done)
    )
}

/// Whether nothing is wanted of the unit.
pub(super) fn is_at_rest(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Stopped) | UnitState::Task(TaskState::Stopped)
    )
}

/// Whether it does not get well by itself.
pub fn has_failed(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Crashed) | UnitState::Task(TaskState::Failed | TaskState::Skipped)
    )
}

/// Whether stopping it would do something.
pub(super) fn can_stop(state: UnitState) -> bool {
    match state {
        UnitState::Service(state) => !matches!(state, ServiceState::Stopped | ServiceState::Crashed),
        UnitState::Task(state) => {
            matches!(
                state,
                TaskState::Pending | TaskState::Waiting | TaskState::Running
            )
        }
    }
}
