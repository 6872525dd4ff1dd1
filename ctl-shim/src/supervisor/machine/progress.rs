//! How units get going: decided on the present state of what they need, never on remembered events.

use super::super::docker::is_daemon;
use super::{Active, Decision, Effect, Health, Key, Machine, Phase, Run, Slot, StopCause, is_task};
use crate::process::reap::Exit;

/// What the needs of a unit allow.
enum Readiness {
    /// All are met.
    Go,
    /// Some are not, and may be.
    Wait,
    /// A task among them has failed or was skipped.
    Broken,
}

impl Machine {
    /// Moves every unit as far as the present state allows, until nothing moves.
    pub(super) fn settle(&mut self, now: Active) {
        if self.shutting_down {
            self.settle_shutdown(now);
            return;
        }
        loop {
            let mut moved = false;
            for key in self.order.clone() {
                moved |= self.settle_one(key);
            }
            if !moved {
                return;
            }
        }
    }

    fn settle_one(&mut self, key: Key) -> bool {
        let Some(slot) = self.slots.get(&key) else {
            return false;
        };
        match slot.phase {
            Phase::Pending if !slot.wanted => {
                if self.is_needed(key) {
                    self.set_wanted(key, true);
                } else {
                    self.enter(key, Phase::Stopped(StopCause::NotStarted));
                }
                true
            }
            Phase::Stopped(StopCause::NotStarted) if self.is_needed(key) => {
                self.set_wanted(key, true);
                self.enter(key, Phase::Queued);
                true
            }
            Phase::Pending | Phase::Queued | Phase::Waiting => self.try_start(key),
            // Only a failed need makes a task skipped: once there is none, it goes on.
            Phase::Skipped if !matches!(self.readiness(slot), Readiness::Broken) => {
                self.set_reason(key, None);
                self.enter(key, Phase::Queued);
                true
            }
            _ => false,
        }
    }

    fn try_start(&mut self, key: Key) -> bool {
        let Some(slot) = self.slots.get(&key) else {
            return false;
        };
        let task = is_task(slot);
        let already_waiting = slot.phase == Phase::Waiting;
        match self.readiness(slot) {
            Readiness::Go => {
                let decides = slot.unit.task().is_some_and(|task| task.run_once.is_some()) && !slot.force;
                if decides {
                    self.enter(key, Phase::Checking { pid: None });
                    self.effects.push_back(Effect::Decide(key));
                } else {
                    self.launch(key);
                }
                true
            }
            Readiness::Broken if task => {
                let broken = self.first_broken(key);
                self.set_reason(
                    key,
                    broken.map(|name| format!("needs {name}, which did not succeed")),
                );
                self.enter(key, Phase::Skipped);
                true
            }
            Readiness::Wait | Readiness::Broken => {
                if !already_waiting {
                    self.enter(key, Phase::Waiting);
                }
                !already_waiting
            }
        }
    }

    pub(super) fn launch(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.generation += 1;
        }
        self.enter(key, Phase::Launching);
        self.effects.push_back(Effect::Spawn(key));
    }

    fn readiness(&self, slot: &Slot) -> Readiness {
        let mut readiness = Readiness::Go;
        // A former unit of this name, removed by a reload, still has processes: never two of them.
        if self.slots.len() > self.order.len()
            && self
                .slots
                .values()
                .any(|other| other.key != slot.key && other.unit.name == slot.unit.name)
        {
            readiness = Readiness::Wait;
        }
        for need in &slot.unit.needs {
            match self.find(need) {
                Some(need) if need.is_good() => {}
                Some(need) if matches!(need.phase, Phase::Failed | Phase::Skipped) => {
                    return Readiness::Broken;
                }
                _ => readiness = Readiness::Wait,
            }
        }
        readiness
    }

    fn first_broken(&self, key: Key) -> Option<String> {
        let slot = self.slots.get(&key)?;
        slot.unit
            .needs
            .iter()
            .find(|need| {
                self.find(need)
                    .is_some_and(|need| matches!(need.phase, Phase::Failed | Phase::Skipped))
            })
            .cloned()
    }

    /// Names of the needs that are not met.
    pub fn blocked_on(&self, slot: &Slot) -> Vec<String> {
        let unmet = |need: &&String| !self.find(need).is_some_and(Slot::is_good);
        slot.unit.needs.iter().filter(unmet).cloned().collect()
    }

    /// Whether a unit that is supposed to run needs this one.
    fn is_needed(&self, key: Key) -> bool {
        let Some(slot) = self.slots.get(&key) else {
            return false;
        };
        self.dependents(&slot.unit.name)
            .any(|other| other.wanted && !other.is_final())
    }

    /// Units that name this one in their needs.
    pub(super) fn dependents<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Slot> {
        self.slots
            .values()
            .filter(move |slot| slot.unit.needs.iter().any(|need| need == name))
    }

    pub(super) fn set_wanted(&mut self, key: Key, wanted: bool) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.wanted = wanted;
        }
    }

    pub(super) fn set_reason(&mut self, key: Key, reason: Option<String>) {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.reason = reason;
        }
    }

    pub(super) fn on_spawned(&mut self, key: Key, result: Result<u32, String>, now: Active) {
        let wall = self.wall;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        if slot.automatic {
            slot.restarts += 1;
            slot.automatic = false;
        }
        slot.force = false;
        slot.ready_at = None;
        slot.finished_at = None;
        slot.outcome = None;
        match result {
            Ok(pid) => {
                slot.started_at = Some(wall);
                slot.reason = None;
                let run = Run {
                    pid,
                    since: now,
                    health: slot.first_health(now),
                };
                self.enter(key, Phase::Alive(run));
            }
            Err(reason) => {
                slot.reason = Some(reason);
                slot.finished_at = Some(wall);
                self.follow_policy(key, true, now);
            }
        }
    }

    pub(super) fn on_decided(&mut self, key: Key, decision: Decision, _now: Active) {
        let wall = self.wall;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        if !matches!(slot.phase, Phase::Checking { .. }) {
            return;
        }
        match decision {
            Decision::PassOver => {
                slot.reason = Some("already done".to_owned());
                slot.outcome = None;
                slot.finished_at = Some(wall);
                self.enter(key, Phase::Done);
            }
            Decision::Run => self.launch(key),
            Decision::Checking(pid) => slot.phase = Phase::Checking { pid: Some(pid) },
            Decision::Failed(reason) => {
                slot.reason = Some(reason);
                slot.finished_at = Some(wall);
                self.enter(key, Phase::Failed);
            }
        }
    }

    /// From now on a service with `image` is what one with a command is from its spawn on.
    pub(super) fn on_container_started(&mut self, key: Key, pid: u32, now: Active) {
        let Some(slot) = self.slots.get(&key) else {
            return;
        };
        if matches!(&slot.phase, Phase::Alive(run) if run.pid == pid && run.health == Health::Preparing) {
            let health = slot.running_health(now);
            let since = now;
            self.enter(key, Phase::Alive(Run { pid, since, health }));
        }
    }

    /// Somebody has restarted the container: a service that would have stayed down goes along.
    pub(super) fn on_container_returned(&mut self, key: Key) {
        let stays_down =
            |slot: &Slot| matches!(slot.phase, Phase::Stopped(StopCause::Exited) | Phase::Crashed);
        if self.slots.get(&key).is_some_and(stays_down) {
            self.set_reason(key, None);
            self.enter(key, Phase::Queued);
        }
    }

    pub(super) fn on_probe_passed(&mut self, key: Key, pid: u32) {
        let wall = self.wall;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let Phase::Alive(run) = &slot.phase else { return };
        let is_awaited = matches!(
            run.health,
            Health::Preparing | Health::Probing { .. } | Health::Unhealthy
        );
        if run.pid != pid || !is_awaited {
            return;
        }
        let run = Run {
            health: Health::Ready,
            ..run.clone()
        };
        slot.ready_at = Some(wall);
        slot.reason = None;
        self.enter(key, Phase::Alive(run));
    }

    /// What follows a run that ended without having been asked to.
    pub(super) fn follow_policy(&mut self, key: Key, failed: bool, now: Active) {
        use crate::config::model::RestartPolicy;
        let wall = self.wall;
        let shutting_down = self.shutting_down;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let failed = failed && !slot.unit.ignores_failure();
        let Some(service) = slot.unit.service() else {
            if failed {
                self.enter(key, Phase::Failed);
            } else {
                self.effects.push_back(Effect::MarkDone(key));
                self.enter(key, Phase::Done);
            }
            return;
        };
        let again = match service.restart {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => failed,
            RestartPolicy::Never => false,
        };
        if shutting_down {
            self.enter(key, Phase::Stopped(StopCause::Asked));
        } else if again {
            let delay = slot.delay();
            slot.failures = slot.failures.saturating_add(1);
            slot.automatic = true;
            let at = crate::time::Timestamp::from_millis(
                wall.as_millis()
                    .saturating_add(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            );
            self.enter(
                key,
                Phase::Backoff {
                    until: now + delay,
                    at,
                },
            );
        } else if failed {
            self.enter(key, Phase::Crashed);
        } else {
            self.enter(key, Phase::Stopped(StopCause::Exited));
        }
    }

    /// Records how a run ended, in the words that `status` shows.
    pub(super) fn record_outcome(&mut self, key: Key, outcome: Exit) {
        let wall = self.wall;
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        slot.outcome = Some(outcome);
        slot.finished_at = Some(wall);
        if slot.reason.is_none() {
            slot.reason = match outcome {
                Exit::Code(0) => None,
                Exit::Code(code) => Some(format!("exited with code {code}")),
                Exit::Signal(signal) => Some(format!("killed by {}", super::report::signal_name(signal))),
            };
            let prepared = matches!(
                &slot.phase,
                Phase::Alive(Run {
                    health: Health::Preparing,
                    ..
                })
            );
            if (prepared || is_daemon(&slot.unit.name))
                && let (Some(reason), Some(words)) = (&mut slot.reason, self.last_words.take())
            {
                reason.push_str(": ");
                reason.push_str(&words);
            }
        }
    }
}
