//! What the engine does when the [machine](super::machine) has decided.

use nix::sys::signal::Signal;
use tokio::task::spawn_local;

use super::docker::await_answer;
use super::engine::Engine;
use super::machine::{Effect, Input, Key, Phase, Slot};
use super::message::Message;
use crate::config::model::{Check, Launch};
use crate::report::Event;

impl Engine {
    /// Carries out one effect; some answer with an input.
    pub(super) fn perform(&mut self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Spawn(key) => {
                let slot = self.machine.slot(key)?;
                // It may have been stopped while it waited for its turn.
                if slot.phase != Phase::Launching {
                    return None;
                }
                let result = self.launcher.start(key, &slot.unit);
                return Some(Input::Spawned { key, result });
            }
            Effect::Decide(key) => {
                let slot = self.machine.slot(key)?;
                let decision = self.launcher.decide(key, &slot.unit, &self.messages)?;
                return Some(Input::Decided { key, decision });
            }
            Effect::Signal(key) => {
                let signal = self
                    .machine
                    .slot(key)?
                    .unit
                    .service()
                    .map_or(Signal::SIGTERM as i32, |service| service.stop_signal);
                self.launcher.signal(key, signal);
                let leader_gone = |slot: &Slot| slot.pid().is_none();
                if self.machine.slot(key).is_some_and(leader_gone) && !self.launcher.has_processes(key) {
                    return Some(Input::TreeGone { key });
                }
            }
            Effect::Kill(key) => self.launcher.kill(key),
            Effect::Probe(key) => self.begin_probe(key),
            Effect::EndProbe(key) => {
                self.launcher.end_match(key);
                if let Some(task) = self.probes.remove(&key) {
                    task.abort();
                }
            }
            Effect::MarkDone(key) => {
                let slot = self.machine.slot(key)?;
                self.launcher.mark_done(&slot.unit, &self.messages);
            }
            Effect::Tell(event) => self.tell(*event),
            Effect::Forget(key) => self.launcher.forget(key),
            Effect::ShutdownComplete => self.finished = true,
        }
        None
    }

    fn begin_probe(&mut self, key: Key) {
        let Some(slot) = self.machine.slot(key) else {
            return;
        };
        let Some(pid) = slot.pid() else { return };
        let is_container = matches!(slot.unit.launch, Launch::Image(_));
        if is_container {
            self.launcher.await_container(key, pid, &self.messages);
        }
        let Some(probe) = slot.unit.service().and_then(|service| service.ready_when.clone()) else {
            return;
        };
        if let Check::LogMatch { pattern } = &probe.check {
            self.launcher.begin_match(key, pid, pattern, &self.messages);
            return;
        }
        let messages = self.messages.clone();
        if probe.check == Check::Docker {
            return await_answer(pid, move || {
                drop(messages.send(Message::ProbePassed { key, pid }))
            });
        }
        let task = spawn_local(async move {
            super::probe::until_passed(&probe, is_container).await;
            // The engine outlives its probes.
            let _ = messages.send(Message::ProbePassed { key, pid });
        });
        if let Some(former) = self.probes.insert(key, task.abort_handle()) {
            former.abort();
        }
    }

    fn tell(&mut self, mut event: Event) {
        event.box_name.clone_from(&self.box_name);
        let result = self.shared.journal.borrow_mut().append(&event);
        self.journal_error = result
            .err()
            .map(|error| format!("cannot write the event journal: {error}"));
        self.recorder.touch();
        self.shared.event_told.notify_waiters();
    }

    /// Leads `:80` where it belongs now.
    pub(super) fn forward(&mut self) {
        let port = self.machine.slots().find_map(|slot| {
            let expose = slot.unit.service()?.expose?;
            slot.is_good().then_some(expose.port)
        });
        self.forwarder.lead_to(port);
    }
}
