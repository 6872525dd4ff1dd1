//! How the processes of a unit end, and its container.

use std::time::Duration;

use tokio::sync::mpsc;

use super::super::docker::{self, Container};
use super::super::machine::Key;
use super::super::message::Message;
use super::Launcher;
use crate::process::reap::Exit;
use crate::process::tree;

impl Launcher {
    /// Notes that a unit's leader has ended. A client that was killed says nothing about its container.
    pub(in crate::supervisor) fn note_exit(
        &self,
        key: Key,
        outcome: Exit,
        messages: &mpsc::UnboundedSender<Message>,
    ) {
        let messages = messages.clone();
        if let (Some(container), Exit::Code(_)) = (self.container(key), outcome) {
            container.note_end();
            container.await_return(move || {
                let _ = messages.send(Message::ContainerReturned { key });
            });
        }
    }

    pub(super) fn container(&self, key: Key) -> Option<&Container> {
        self.entries.get(&key)?.container.as_ref()
    }

    /// Whether any process of the unit is alive, or its container. Where that cannot be told, none is said to be: a stop
    /// must end.
    pub(in crate::supervisor) fn has_processes(&self, key: Key) -> bool {
        let Some(entry) = self.entries.get(&key) else {
            return false;
        };
        if tree::members(&entry.handle).is_ok_and(|members| !members.is_empty()) {
            return true;
        }
        let grace = if entry.kills > 0 {
            Duration::ZERO
        } else {
            entry.grace
        };
        let container = entry.container.as_ref();
        container.is_some_and(|container| !container.has_ended(grace))
    }

    /// Sends a signal to every process of the unit.
    pub(in crate::supervisor) fn signal(&mut self, key: Key, signal: i32) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.kills = 0;
        if let Some(container) = &entry.container {
            return container.stop(entry.grace, Some(entry.handle.clone()));
        }
        let signalled = if !docker::is_daemon(&entry.name) {
            tree::signal_tree(&entry.handle, signal)
        } else if self.by_pid.contains_key(&entry.handle.leader()) {
            // It ends its containers itself, in order.
            tree::signal_leader(&entry.handle, signal)
        } else {
            // Nobody is left to end them in order.
            tree::signal_tree(&entry.handle, nix::libc::SIGKILL)
        };
        let trouble = match signalled {
            Ok(signalled) => denied(&signalled.denied),
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = trouble {
            self.troubles.insert(
                entry.name.clone(),
                format!("cannot signal {}: {reason}", entry.name),
            );
        }
    }

    /// Ends every process of the unit that there is now. Called again for as long as some are left.
    pub(in crate::supervisor) fn kill(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if entry.kills == 0
            && let Some(container) = &entry.container
        {
            container.kill();
        }
        let trouble = match tree::kill_round(&entry.handle, entry.kills) {
            Ok(killed) => denied(&killed.denied),
            Err(error) => Some(error.to_string()),
        };
        entry.kills = entry.kills.saturating_add(1);
        if let Some(reason) = trouble {
            self.troubles
                .insert(entry.name.clone(), format!("cannot end {}: {reason}", entry.name));
        }
    }
}

fn denied(processes: &[tree::Process]) -> Option<String> {
    if processes.is_empty() {
        return None;
    }
    let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
    Some(format!("not permitted for process {}", pids.join(", ")))
}
