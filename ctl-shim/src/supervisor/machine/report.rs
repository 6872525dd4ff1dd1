//! The machine as users see it.

use super::{Machine, Phase, Slot};
use crate::process::reap::Exit;
use crate::report::{ServiceStatus, TaskStatus, UnitState, UnitsReport};

impl Machine {
    /// The unit table.
    pub fn report(&self) -> UnitsReport {
        let mut report = UnitsReport::default();
        for slot in self.slots() {
            match slot.state() {
                UnitState::Service(state) => report.services.push(ServiceStatus {
                    name: slot.unit.name.clone(),
                    state,
                    pid: slot.pid(),
                    restarts: slot.restarts,
                    exit_code: exit_code(slot),
                    signal: signal(slot),
                    started_at: slot.started_at,
                    ready_at: slot.ready_at,
                    next_retry_at: match slot.phase {
                        Phase::Backoff { at, .. } => Some(at),
                        _ => None,
                    },
                    blocked_on: self.shown_blocked_on(slot),
                    reason: slot.reason.clone(),
                    expose: slot.unit.service().and_then(|service| service.expose),
                }),
                UnitState::Task(state) => report.tasks.push(TaskStatus {
                    name: slot.unit.name.clone(),
                    state,
                    pid: slot.pid(),
                    exit_code: exit_code(slot),
                    signal: signal(slot),
                    started_at: slot.started_at,
                    finished_at: slot.finished_at,
                    blocked_on: self.shown_blocked_on(slot),
                    reason: slot.reason.clone(),
                }),
            }
        }
        report
    }

    fn shown_blocked_on(&self, slot: &Slot) -> Vec<String> {
        match slot.phase {
            Phase::Waiting => self.blocked_on(slot),
            _ => Vec::new(),
        }
    }
}

fn exit_code(slot: &Slot) -> Option<i32> {
    match slot.outcome? {
        Exit::Code(code) => Some(code),
        Exit::Signal(_) => None,
    }
}

fn signal(slot: &Slot) -> Option<String> {
    match slot.outcome? {
        Exit::Code(_) => None,
        Exit::Signal(number) => Some(signal_name(number)),
    }
}

/// `SIGKILL` for 9, and so on; real-time signals by number.
pub(in crate::supervisor) fn signal_name(number: i32) -> String {
    nix::sys::signal::Signal::try_from(number).map_or_else(
        |_| format!("signal {number}"),
        |signal| signal.as_str().to_owned(),
    )
}
