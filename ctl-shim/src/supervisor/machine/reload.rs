//! Applying a changed configuration: what is the same goes on untouched.

use std::collections::{HashMap, VecDeque};

use super::super::docker::is_daemon;
use super::{Active, Effect, Health, Key, Machine, Next, Phase, Run, Slot, StopCause, is_task};
use crate::config::model::{Config, Unit};
use crate::protocol::message::{ReloadAction, ReloadStep};
use crate::time::Timestamp;

impl Machine {
    /// Applies `config`. Returns what was done, unit by unit in the order of the new file, removed ones last, and
    /// the keys whose processes are being ended.
    #[must_use]
    pub fn reload(
        &mut self,
        config: Config,
        now: Active,
        wall: Timestamp,
    ) -> (Vec<ReloadStep>, Vec<Key>, VecDeque<Effect>) {
        self.wall = wall;
        let mut before: HashMap<String, Key> = std::mem::take(&mut self.by_name);
        let mut steps = Vec::new();
        let mut ending = Vec::new();
        let mut order = Vec::new();
        for unit in config.units {
            let name = unit.name.clone();
            let same_kind = |key: &Key| {
                self.slots
                    .get(key)
                    .is_some_and(|slot| slot.unit.is_service() == unit.is_service())
            };
            let known = before.get(&name).copied().filter(same_kind);
            let action = if let Some(key) = known {
                before.remove(&name);
                self.by_name.insert(name.clone(), key);
                order.push(key);
                let action = self.change(key, unit, now);
                if matches!(
                    self.slots.get(&key),
                    Some(Slot {
                        phase: Phase::Ending(_),
                        ..
                    })
                ) {
                    ending.push(key);
                }
                action
            } else {
                order.push(self.insert(unit));
                ReloadAction::Added
            };
            if !is_daemon(&name) {
                steps.push(ReloadStep { unit: name, action });
            }
        }
        let mut removed: Vec<(String, Key)> = before.into_iter().collect();
        removed.sort();
        self.order = order;
        for (name, key) in removed {
            // A unit of the same name but of the other kind counts as replaced, not as removed.
            if !steps.iter().any(|step| step.unit == name) {
                steps.push(ReloadStep {
                    unit: name,
                    action: ReloadAction::Removed,
                });
            }
            self.set_wanted(key, false);
            self.end(key, Next::Remove, now);
            if self.slots.contains_key(&key) {
                ending.push(key);
            }
        }
        self.settle(now);
        (steps, ending, std::mem::take(&mut self.effects))
    }

    fn change(&mut self, key: Key, unit: Unit, now: Active) -> ReloadAction {
        let Some(slot) = self.slots.get_mut(&key) else {
            return ReloadAction::Unchanged;
        };
        if slot.unit == unit {
            return ReloadAction::Unchanged;
        }
        let before = std::mem::replace(&mut slot.unit, unit);
        let runs_otherwise = before.launch != slot.unit.launch
            || before.cwd != slot.unit.cwd
            || before.env != slot.unit.env
            || before.env_files != slot.unit.env_files
            || before.user != slot.unit.user;
        if runs_otherwise {
            return self.run_changed(key, now);
        }
        self.adjust(key, &before, now);
        ReloadAction::Updated
    }

    /// What is run has changed.
    fn run_changed(&mut self, key: Key, now: Active) -> ReloadAction {
        let Some(slot) = self.slots.get_mut(&key) else {
            return ReloadAction::Unchanged;
        };
        slot.failures = 0;
        slot.automatic = false;
        match slot.phase {
            Phase::Alive(_) | Phase::Checking { .. } => {
                self.end(key, Next::Start, now);
                ReloadAction::Restarted
            }
            // A stop that is under way stays one.
            Phase::Ending(ref ending) => {
                if matches!(ending.next, Next::Policy { .. } | Next::Keep { .. }) {
                    self.end(key, Next::Start, now);
                    return ReloadAction::Restarted;
                }
                ReloadAction::Updated
            }
            Phase::Stopped(StopCause::Asked | StopCause::NotStarted) => {
                if slot.phase == Phase::Stopped(StopCause::NotStarted) && starts_by_itself(slot) {
                    slot.wanted = true;
                    self.enter(key, Phase::Queued);
                    return ReloadAction::Restarted;
                }
                ReloadAction::Updated
            }
            Phase::Stopped(StopCause::Exited) | Phase::Backoff { .. } | Phase::Crashed => {
                slot.wanted = true;
                slot.reason = None;
                self.enter(key, Phase::Queued);
                ReloadAction::Restarted
            }
            Phase::Done | Phase::Failed => {
                self.run_again(key, false, now);
                ReloadAction::Restarted
            }
            Phase::Pending | Phase::Queued | Phase::Waiting | Phase::Launching | Phase::Skipped => {
                ReloadAction::Updated
            }
        }
    }

    /// Something else has changed: probe, policy, needs, `expose`. The process goes on.
    fn adjust(&mut self, key: Key, before: &Unit, now: Active) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        if is_task(slot) {
            return;
        }
        let probe = |unit: &Unit| unit.service().and_then(|service| service.ready_when.clone());
        if probe(before) != probe(&slot.unit)
            && let Phase::Alive(run) = &slot.phase
        {
            let health = match run.health {
                Health::Preparing => Health::Preparing,
                _ => slot.running_health(now),
            };
            let run = Run {
                health,
                pid: run.pid,
                since: run.since,
            };
            slot.ready_at = None;
            slot.reason = None;
            // Through a phase without a probe, so that the old one ends and the new one begins.
            let idle = Run {
                health: Health::Ready,
                ..run.clone()
            };
            let was_probing = super::probes(&slot.phase);
            slot.phase = Phase::Alive(idle);
            if was_probing {
                self.effects.push_back(Effect::EndProbe(key));
            }
            self.enter(key, Phase::Alive(run));
            return;
        }
        if slot.phase == Phase::Stopped(StopCause::NotStarted) && starts_by_itself(slot) {
            slot.wanted = true;
            self.enter(key, Phase::Queued);
        }
    }
}

fn starts_by_itself(slot: &Slot) -> bool {
    slot.unit.service().is_none_or(|service| service.autostart)
}
