//! How process trees end: one ladder for a stop, a restart, a probe's kill, a removal and the box's own stop.
//!
//! ```text
//! Alive ── begin_ending ─► Ending: signal to the whole tree ── stop timeout ─► SIGKILL to what is left
//!   │                         │                                                  │
//!   └── leader exits,         └───────────── tree gone ──────────────────────────┴─► what `Next` says
//!       others are left ─► Ending
//! ```

use std::collections::HashSet;

use super::{Active, Effect, Ending, Health, Key, Machine, Next, Phase, Run, StopCause, is_task};
use crate::process::reap::Exit;

impl Machine {
    /// Starts the ladder for a unit that has processes; `outcome` is set where the leader has already gone.
    pub(super) fn begin_ending(&mut self, key: Key, next: Next, outcome: Option<Exit>, now: Active) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        slot.lingering = false;
        slot.forgive(now);
        let pid = if outcome.is_some() { None } else { slot.pid() };
        let kill_at = Some(now + slot.stop_timeout());
        self.enter(
            key,
            Phase::Ending(Ending {
                pid,
                outcome,
                kill_at,
                next,
            }),
        );
        self.effects.push_back(Effect::Signal(key));
    }

    /// Ends whatever a unit does now and goes on with `next`.
    pub(super) fn end(&mut self, key: Key, next: Next, now: Active) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        match &mut slot.phase {
            Phase::Alive(_) | Phase::Checking { pid: Some(_) } => {
                slot.reason = None;
                self.begin_ending(key, next, None, now);
            }
            _ if slot.lingering => {
                let next = match (next, &slot.phase) {
                    (Next::Stop, Phase::Done) => Next::Keep { done: true },
                    (Next::Stop, Phase::Failed) => Next::Keep { done: false },
                    (next, _) => next,
                };
                self.begin_ending(key, next, None, now);
            }
            Phase::Ending(ending) => {
                // A removal is never taken back; otherwise the last word counts.
                if ending.next != Next::Remove {
                    ending.next = next;
                }
            }
            _ => self.proceed(key, next, None, now),
        }
    }

    pub(super) fn on_exited(&mut self, key: Key, pid: u32, outcome: Exit, leftovers: bool, now: Active) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        match &mut slot.phase {
            Phase::Checking { pid: checking } if *checking == Some(pid) => {
                if outcome.is_success() {
                    self.on_decided(key, super::Decision::PassOver, now);
                } else {
                    self.launch(key);
                }
            }
            Phase::Alive(run) if run.pid == pid => {
                slot.forgive(now);
                slot.reason = None;
                self.record_outcome(key, outcome);
                // What a task leaves behind is what it was for (a daemon it started); it ends with the next run
                // of the task or with the box. A service is its tree.
                let task = self.slots.get(&key).is_some_and(is_task);
                if leftovers && !task {
                    self.begin_ending(key, Next::Policy { failed: false }, Some(outcome), now);
                } else {
                    self.proceed(key, Next::Policy { failed: false }, Some(outcome), now);
                }
            }
            Phase::Ending(ending) if ending.pid == Some(pid) => {
                ending.pid = None;
                ending.outcome = Some(outcome);
                self.record_outcome(key, outcome);
                if !leftovers {
                    self.on_tree_gone(key, now);
                }
            }
            _ => {}
        }
    }

    pub(super) fn on_tree_gone(&mut self, key: Key, now: Active) {
        let Some(slot) = self.slots.get(&key) else { return };
        let Phase::Ending(ending) = &slot.phase else {
            return;
        };
        // The leader's exit is still to be read; it brings us back here.
        if ending.pid.is_some() {
            return;
        }
        let (next, outcome) = (ending.next, ending.outcome);
        self.proceed(key, next, outcome, now);
    }

    /// What follows once no process is left.
    fn proceed(&mut self, key: Key, next: Next, outcome: Option<Exit>, now: Active) {
        match next {
            Next::Remove => self.forget(key),
            Next::Start if !self.shutting_down => {
                self.set_reason(key, None);
                // Users see that a service was down, then how it comes up.
                let was_up = |slot: &super::Slot| matches!(slot.phase, Phase::Ending(_)) && !is_task(slot);
                if self.slots.get(&key).is_some_and(was_up) {
                    self.enter(key, Phase::Stopped(StopCause::Asked));
                }
                self.enter(key, Phase::Queued);
            }
            Next::Start | Next::Stop => {
                let Some(slot) = self.slots.get_mut(&key) else {
                    return;
                };
                match slot.phase {
                    // Nothing was running: what it came to stays true.
                    Phase::Done | Phase::Failed | Phase::Skipped | Phase::Crashed => {}
                    Phase::Stopped(_) => slot.phase = Phase::Stopped(StopCause::Asked),
                    _ => {
                        slot.reason = None;
                        self.enter(key, Phase::Stopped(StopCause::Asked));
                    }
                }
            }
            Next::Keep { done: true } => self.enter(key, Phase::Done),
            Next::Keep { done: false } => self.enter(key, Phase::Failed),
            Next::Policy { failed } => {
                let failed = failed || !outcome.is_some_and(Exit::is_success);
                self.follow_policy(key, failed, now);
            }
        }
    }

    pub(super) fn on_tick(&mut self, now: Active) {
        for key in self.slots.keys().copied().collect::<Vec<_>>() {
            let Some(slot) = self.slots.get_mut(&key) else {
                continue;
            };
            match &mut slot.phase {
                Phase::Alive(run) => {
                    let Health::Probing { deadline } = run.health else {
                        continue;
                    };
                    if now < deadline {
                        continue;
                    }
                    let waited = now.saturating_sub(run.since).as_secs_f64();
                    let reason = format!("not ready after {waited:.1} s");
                    if slot.kills_on_timeout() {
                        self.begin_ending(key, Next::Policy { failed: true }, None, now);
                    } else {
                        let Phase::Alive(run) = &slot.phase else { continue };
                        let run = Run {
                            health: Health::Unhealthy,
                            ..run.clone()
                        };
                        self.enter(key, Phase::Alive(run));
                    }
                    self.set_reason(key, Some(reason));
                }
                Phase::Ending(ending) if ending.kill_at.is_some_and(|at| now >= at) => {
                    ending.kill_at = None;
                    self.effects.push_back(Effect::Kill(key));
                }
                Phase::Backoff { until, .. } if now >= *until => self.enter(key, Phase::Queued),
                _ => {}
            }
        }
    }

    /// Ends units in reverse order of needs: one at a time along a chain, in parallel elsewhere.
    pub(super) fn settle_shutdown(&mut self, now: Active) {
        for key in self.slots.keys().copied().collect::<Vec<_>>() {
            let Some(slot) = self.slots.get(&key) else {
                continue;
            };
            match slot.phase {
                Phase::Alive(_) | Phase::Checking { .. } => {
                    if !self.is_still_needed(key) {
                        self.end(key, Next::Stop, now);
                    }
                }
                Phase::Ending(_) => {}
                _ if slot.lingering => {
                    if !self.is_still_needed(key) {
                        self.end(key, Next::Stop, now);
                    }
                }
                _ if slot.is_final() => {}
                _ => self.end(key, Next::Stop, now),
            }
        }
        if !self.announced && !self.slots.values().any(super::Slot::has_processes) {
            self.announced = true;
            self.effects.push_back(Effect::ShutdownComplete);
        }
    }

    /// Whether a unit that has processes needs this one, directly or through others: a service may need a task that
    /// has long ended, and that task a database.
    fn is_still_needed(&self, key: Key) -> bool {
        let mut seen = HashSet::from([key]);
        let mut next = vec![key];
        while let Some(key) = next.pop() {
            let Some(slot) = self.slots.get(&key) else {
                continue;
            };
            for dependent in self.dependents(&slot.unit.name) {
                if dependent.has_processes() {
                    return true;
                }
                if seen.insert(dependent.key) {
                    next.push(dependent.key);
                }
            }
        }
        false
    }
}
