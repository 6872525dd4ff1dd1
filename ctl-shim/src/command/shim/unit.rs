//! The state of a unit in systemd's words.
//!
//! | agentbox | systemd |
//! | --- | --- |
//! | running, ready, unhealthy | active (running) |
//! | pending, waiting, starting; a task that runs | activating (start) |
//! | backoff | activating (auto-restart) |
//! | stopping | deactivating (stop-sigterm) |
//! | crashed, failed | failed (failed) |
//! | stopped, done, skipped | inactive (dead) |
//!
//! A task is a oneshot service without `RemainAfterExit=`: once it is done it is dead, and nothing is wrong with it.

use crate::report::{
    ServiceState, ServiceStatus, TaskState, TaskStatus, UnitsReport, one_line, service_reason, task_reason,
};
use crate::time::Timestamp;

/// A unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its name, without `.service`.
    pub(super) name: String,
    pub(super) active: &'static str,
    pub(super) sub: &'static str,
    /// Why it failed, in systemd's words, where it did.
    pub(super) result: Option<&'static str>,
    /// What there is to say about its state.
    pub(super) reason: Option<String>,
    pub(super) pid: Option<u32>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<String>,
    /// Since when it is in its state, where that is known.
    pub(super) since: Option<Timestamp>,
    /// A task that is done, which `start` runs again.
    pub(super) is_done_task: bool,
}

impl Unit {
    /// All units of a report.
    pub(super) fn all(report: &UnitsReport) -> Vec<Self> {
        let services = report.services.iter().map(Self::of_service);
        services.chain(report.tasks.iter().map(Self::of_task)).collect()
    }

    fn of_service(status: &ServiceStatus) -> Self {
        let (active, sub) = of_service(status.state);
        let state = match status.state {
            ServiceState::Waiting => Some(waiting(&status.blocked_on)),
            ServiceState::Unhealthy => Some("unhealthy".to_owned()),
            _ => None,
        };
        Self {
            name: status.name.clone(),
            active,
            sub,
            result: result(active, sub, status.exit_code, status.signal.as_deref()),
            reason: join(state, service_reason(status)),
            pid: status.pid,
            exit_code: status.exit_code,
            signal: status.signal.clone(),
            since: match status.state {
                ServiceState::Ready => status.ready_at.or(status.started_at),
                ServiceState::Running | ServiceState::Unhealthy | ServiceState::Starting => status.started_at,
                _ => None,
            },
            is_done_task: false,
        }
    }

    fn of_task(status: &TaskStatus) -> Self {
        let (active, sub) = of_task(status.state);
        let state = match status.state {
            TaskState::Waiting => Some(waiting(&status.blocked_on)),
            TaskState::Skipped => Some("skipped".to_owned()),
            _ => None,
        };
        Self {
            name: status.name.clone(),
            active,
            sub,
            result: result(active, sub, status.exit_code, status.signal.as_deref()),
            reason: join(state, task_reason(status)),
            pid: status.pid,
            exit_code: status.exit_code,
            signal: status.signal.clone(),
            since: match status.state {
                TaskState::Running => status.started_at,
                TaskState::Done | TaskState::Failed | TaskState::Stopped => status.finished_at,
                _ => None,
            },
            is_done_task: status.state == TaskState::Done,
        }
    }

    /// Whether it is up.
    pub(super) fn is_active(&self) -> bool {
        self.active == "active"
    }

    /// Whether it has failed.
    pub(super) fn is_failed(&self) -> bool {
        self.active == "failed"
    }
}

fn of_service(state: ServiceState) -> (&'static str, &'static str) {
    match state {
        ServiceState::Running | ServiceState::Ready | ServiceState::Unhealthy => ("active", "running"),
        ServiceState::Pending | ServiceState::Waiting | ServiceState::Starting => ("activating", "start"),
        ServiceState::Backoff => ("activating", "auto-restart"),
        ServiceState::Stopping => ("deactivating", "stop-sigterm"),
        ServiceState::Crashed => ("failed", "failed"),
        ServiceState::Stopped => ("inactive", "dead"),
    }
}

fn of_task(state: TaskState) -> (&'static str, &'static str) {
    match state {
        TaskState::Pending | TaskState::Waiting | TaskState::Running => ("activating", "start"),
        TaskState::Failed => ("failed", "failed"),
        TaskState::Done | TaskState::Skipped | TaskState::Stopped => ("inactive", "dead"),
    }
}

/// How the last run ended, where that is why the unit is where it is.
fn result(active: &str, sub: &str, exit_code: Option<i32>, signal: Option<&str>) -> Option<&'static str> {
    match (exit_code, signal) {
        _ if active != "failed" && sub != "auto-restart" => None,
        (_, Some(_)) => Some("signal"),
        (Some(0), None) => Some("timeout"),
        (Some(_), None) => Some("exit-code"),
        // It never ran.
        (None, None) => Some("resources"),
    }
}

fn waiting(blocked_on: &[String]) -> String {
    let needs = blocked_on.join(", ");
    match needs.as_str() {
        "" => "waiting".to_owned(),
        needs => format!("waiting (needs {})", one_line(needs)),
    }
}

fn join(state: Option<String>, reason: Option<String>) -> Option<String> {
    match (state, reason) {
        (Some(state), Some(reason)) => Some(format!("{state}: {reason}")),
        (state, reason) => state.or(reason),
    }
}

/// A unit's name without what systemd puts behind it.
pub(super) fn bare(name: &str) -> &str {
    name.strip_suffix(".service").unwrap_or(name)
}

/// A unit's name with what systemd puts behind it, where it has no such thing.
pub(super) fn full(name: &str) -> String {
    let kinds = [
        ".service",
        ".socket",
        ".target",
        ".timer",
        ".mount",
        ".path",
        ".slice",
        ".scope",
        ".device",
        ".swap",
        ".automount",
    ];
    if kinds.iter().any(|kind| name.ends_with(kind)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Whether a name stands for all that match it.
pub(super) fn is_pattern(name: &str) -> bool {
    name.contains(['*', '?', '['])
}

/// Whether a name or a pattern, with or without `.service`, means this unit.
pub(super) fn means(name: &str, unit: &str) -> bool {
    if !is_pattern(name) {
        return bare(name) == unit;
    }
    glob::Pattern::new(name).is_ok_and(|pattern| pattern.matches(unit) || pattern.matches(&full(unit)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn service(state: ServiceState) -> ServiceStatus {
        ServiceStatus {
            name: "web".to_owned(),
            state,
            pid: None,
            restarts: 0,
            exit_code: None,
            signal: None,
            started_at: None,
            ready_at: None,
            next_retry_at: None,
            blocked_on: Vec::new(),
            reason: None,
            expose: None,
        }
    }

    pub(in super::super) fn task(state: TaskState) -> TaskStatus {
        TaskStatus {
            name: "install".to_owned(),
            state,
            pid: None,
            exit_code: None,
            signal: None,
            started_at: None,
            finished_at: None,
            blocked_on: Vec::new(),
            reason: None,
        }
    }

    #[test]
    fn every_state_has_its_words() {
        let mut table = String::new();
        let mut add = |state: &str, unit: Unit| {
            let verdict = match (unit.is_active(), unit.is_failed()) {
                (true, _) => "up",
                (_, true) => "broken",
                _ => "down",
            };
            table.push_str(&format!("{state}: {} ({}), {verdict}\n", unit.active, unit.sub));
        };
        for state in ServiceState::ALL {
            add(state.as_str(), Unit::of_service(&service(state)));
        }
        for state in TaskState::ALL {
            add(&format!("task {state}"), Unit::of_task(&task(state)));
        }
        insta::assert_snapshot!(table, @r"
        pending: activating (start), down
        waiting: activating (start), down
        starting: activating (start), down
        running: active (running), up
        ready: active (running), up
        unhealthy: active (running), up
        backoff: activating (auto-restart), down
        crashed: failed (failed), broken
        stopping: deactivating (stop-sigterm), down
        stopped: inactive (dead), down
        task pending: activating (start), down
        task waiting: activating (start), down
        task running: activating (start), down
        task done: inactive (dead), down
        task failed: failed (failed), broken
        task skipped: inactive (dead), down
        task stopped: inactive (dead), down
        ");
    }

    #[test]
    fn names_and_patterns() {
        assert!(means("web", "web") && means("web.service", "web") && !means("we", "web"));
        assert!(means("rigbox-svc-*", "rigbox-svc-api") && means("*.service", "web"));
        assert!(!means("web.timer", "web") && !means("[", "web") && !means("*.timer", "web"));
        assert_eq!(
            (full("web"), full("web.service"), full("a.timer")),
            (
                "web.service".to_owned(),
                "web.service".to_owned(),
                "a.timer".to_owned()
            )
        );
    }
}
