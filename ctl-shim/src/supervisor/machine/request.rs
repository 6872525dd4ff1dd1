//! What users ask of units, and when that has been answered.

use super::super::docker::is_daemon;
use super::{Active, Effect, Key, Machine, Next, Phase, Slot, StopCause, is_task};
use crate::config::model::UnitKind;
use crate::failure::Failure;
use crate::spec::SERVICE_PREFIX;
use crate::time::Timestamp;

use std::collections::VecDeque;

/// Failures of dockerd in a row after which nobody waits for it.
const HOPELESS_FAILURES: u32 = 3;

/// Where a request stands with regard to one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Not decided yet.
    Open,
    /// It has what was asked for.
    Met,
    /// It cannot get there.
    Lost(Failure),
}

impl Machine {
    /// Starts a unit and whatever it needs that is not there; a run in progress is joined.
    #[must_use]
    pub fn start(&mut self, key: Key, now: Active, wall: Timestamp) -> VecDeque<Effect> {
        self.wall = wall;
        self.want(key, now, true);
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// Ends a unit.
    #[must_use]
    pub fn stop(&mut self, key: Key, now: Active, wall: Timestamp) -> VecDeque<Effect> {
        self.wall = wall;
        self.set_wanted(key, false);
        self.end(key, Next::Stop, now);
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// Ends a unit, if it runs, and starts it.
    #[must_use]
    pub fn restart(&mut self, key: Key, now: Active, wall: Timestamp) -> VecDeque<Effect> {
        self.wall = wall;
        match self.slots.get(&key) {
            Some(slot) if matches!(slot.phase, Phase::Alive(_)) || slot.lingering => {
                self.set_wanted(key, true);
                self.want_needs(key, now);
                self.end(key, Next::Start, now);
            }
            Some(slot) if slot.phase == Phase::Done => self.run_again(key, false, now),
            _ => self.want(key, now, true),
        }
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// Runs a task again; `force` does so even where `run_once` would pass it over. A run in progress is joined.
    #[must_use]
    pub fn run_task(&mut self, key: Key, force: bool, now: Active, wall: Timestamp) -> VecDeque<Effect> {
        self.wall = wall;
        self.run_again(key, force, now);
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// Says that processes of an ended task are still there.
    pub fn note_lingering(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(&key)
            && is_task(slot)
            && slot.is_final()
        {
            slot.lingering = true;
        }
    }

    pub(super) fn run_again(&mut self, key: Key, force: bool, now: Active) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        slot.wanted = true;
        match slot.phase {
            Phase::Alive(_) | Phase::Launching | Phase::Checking { .. } => {}
            Phase::Ending(_) => self.end(key, Next::Start, now),
            _ => {
                slot.force = force;
                if slot.lingering {
                    self.want_needs(key, now);
                    self.end(key, Next::Start, now);
                } else {
                    slot.reason = None;
                    self.enter(key, Phase::Queued);
                    self.want_needs(key, now);
                }
            }
        }
    }

    /// Makes a unit start. `asked` is true for the unit that was named, false for what it needs.
    fn want(&mut self, key: Key, now: Active, asked: bool) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        slot.wanted = true;
        match slot.phase {
            Phase::Alive(_) | Phase::Launching | Phase::Checking { .. } | Phase::Done | Phase::Queued => {
                return;
            }
            Phase::Ending(_) => self.end(key, Next::Start, now),
            // A need that has failed is for its owner to mend; the request says so.
            Phase::Failed | Phase::Crashed | Phase::Skipped if !asked => return,
            Phase::Pending | Phase::Waiting => {}
            _ if slot.lingering => self.end(key, Next::Start, now),
            _ => {
                slot.automatic = false;
                if asked {
                    slot.failures = 0;
                }
                slot.reason = None;
                self.enter(key, Phase::Queued);
            }
        }
        self.want_needs(key, now);
    }

    fn want_needs(&mut self, key: Key, now: Active) {
        let Some(slot) = self.slots.get(&key) else { return };
        let needs: Vec<Key> = slot
            .unit
            .needs
            .iter()
            .filter_map(|need| self.by_name.get(need).copied())
            .collect();
        for need in needs {
            if !self.slots.get(&need).is_some_and(Slot::is_good) {
                self.want(need, now, false);
            }
        }
    }

    /// Whether a start asked for when the unit's generation was `before` has been answered. A unit that ran
    /// already counts as started.
    pub fn start_verdict(&self, key: Key, before: u64) -> Verdict {
        let Some(slot) = self.slots.get(&key) else {
            return Verdict::Lost(removed());
        };
        let tried = slot.generation > before;
        match &slot.phase {
            Phase::Alive(_) if slot.unit.is_service() => Verdict::Met,
            Phase::Done => Verdict::Met,
            Phase::Stopped(StopCause::Exited) if tried => Verdict::Met,
            Phase::Backoff { .. } | Phase::Crashed if tried => Verdict::Lost(self.lost(slot)),
            // A request takes a unit out of these at once: it has come back to them since.
            Phase::Failed | Phase::Skipped | Phase::Stopped(_) => Verdict::Lost(self.lost(slot)),
            Phase::Waiting | Phase::Queued | Phase::Pending => {
                self.broken_need(slot).map_or(Verdict::Open, Verdict::Lost)
            }
            _ => Verdict::Open,
        }
    }

    /// Whether a stop has been answered: nothing of the run it was asked for is left.
    pub fn stop_verdict(&self, key: Key, generation: u64) -> Verdict {
        match self.slots.get(&key) {
            None => Verdict::Met,
            Some(slot) if slot.generation > generation || !slot.has_processes() => Verdict::Met,
            Some(_) => Verdict::Open,
        }
    }

    /// Whether a restart has been answered: a run later than generation `before` is up.
    pub fn restart_verdict(&self, key: Key, before: u64) -> Verdict {
        match self.slots.get(&key) {
            Some(slot)
                if matches!(slot.phase, Phase::Alive(_) | Phase::Done) && slot.generation == before =>
            {
                // Passed over by `run_once`, or still to be ended.
                if slot.reason.as_deref() == Some("already done") {
                    Verdict::Met
                } else {
                    Verdict::Open
                }
            }
            _ => self.start_verdict(key, before),
        }
    }

    /// Whether a task's run has ended; the caller reads how from the slot.
    pub fn run_verdict(&self, key: Key) -> Verdict {
        let Some(slot) = self.slots.get(&key) else {
            return Verdict::Lost(removed());
        };
        match slot.phase {
            Phase::Done | Phase::Failed | Phase::Stopped(_) => Verdict::Met,
            Phase::Skipped => Verdict::Lost(self.lost(slot)),
            Phase::Waiting | Phase::Queued | Phase::Pending => {
                self.broken_need(slot).map_or(Verdict::Open, Verdict::Lost)
            }
            _ => Verdict::Open,
        }
    }

    /// Whether the unit is in its good end state, or cannot get there by itself.
    pub fn wait_verdict(&self, key: Key) -> Verdict {
        let Some(slot) = self.slots.get(&key) else {
            return Verdict::Lost(removed());
        };
        if slot.is_good() {
            return Verdict::Met;
        }
        if slot.is_final() || is_hopeless(slot) {
            return Verdict::Lost(self.lost(slot));
        }
        match slot.phase {
            Phase::Waiting | Phase::Queued | Phase::Pending => {
                self.broken_need(slot).map_or(Verdict::Open, Verdict::Lost)
            }
            _ => Verdict::Open,
        }
    }

    /// The units that start by themselves, in the order of the file: what `wait` without names is about.
    pub fn self_starting(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self
            .slots()
            .filter(|slot| slot.unit.service().is_none_or(|service| service.autostart))
            .chain(self.daemon())
            .map(|slot| slot.key)
            .collect();
        let mut next = 0;
        while let Some(key) = keys.get(next).copied() {
            next += 1;
            let Some(slot) = self.slots.get(&key) else {
                continue;
            };
            for need in slot.unit.needs.iter().filter_map(|need| self.by_name.get(need)) {
                if !keys.contains(need) {
                    keys.push(*need);
                }
            }
        }
        keys
    }

    /// What is wrong with needs that name a service spec which is not attached, unit by unit.
    pub fn missing_specs(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for slot in self.slots() {
            for need in slot.unit.needs.iter().filter(|need| self.find(need).is_none()) {
                let failure = self::missing(slot, need);
                missing.push(format!("{}: {}", failure.message, failure.hints.join(", ")));
            }
        }
        missing
    }

    /// Why a waiting unit will wait for ever unless somebody does something.
    fn broken_need(&self, slot: &Slot) -> Option<Failure> {
        slot.unit.needs.iter().find_map(|name| {
            let Some(need) = self.find(name) else {
                return Some(missing(slot, name));
            };
            if need.is_good() {
                return None;
            }
            let stands_still = match need.phase {
                Phase::Failed | Phase::Skipped | Phase::Crashed => true,
                Phase::Stopped(StopCause::NotStarted) | Phase::Done => false,
                Phase::Stopped(_) => true,
                Phase::Backoff { .. } => is_hopeless(need),
                Phase::Waiting | Phase::Queued | Phase::Pending => {
                    return self.broken_need(need);
                }
                _ => false,
            };
            stands_still.then(|| {
                let mut failure = self.lost(need);
                failure.message = format!(
                    "{} needs {}, which {}",
                    describe(slot),
                    describe(need),
                    predicate(need)
                );
                failure
            })
        })
    }

    /// The failure that says where a unit has got stuck.
    fn lost(&self, slot: &Slot) -> Failure {
        let broken = |need: &&Slot| matches!(need.phase, Phase::Failed | Phase::Skipped);
        if slot.phase == Phase::Skipped
            && let Some(need) = slot
                .unit
                .needs
                .iter()
                .filter_map(|need| self.find(need))
                .find(broken)
        {
            let mut failure = self.lost(need);
            failure.message = format!(
                "{} was skipped: it needs {}, which {}",
                describe(slot),
                describe(need),
                predicate(need)
            );
            return failure;
        }
        let name = &slot.unit.name;
        let failure = Failure::failed(format!("{} {}", describe(slot), predicate(slot)));
        match &slot.unit.kind {
            _ if matches!(slot.phase, Phase::Stopped(_)) => {
                failure.hint(format!("agentbox start BOX {name}"))
            }
            _ if is_daemon(name) => failure.hint("agentbox logs BOX --daemon docker"),
            UnitKind::Service(_) => failure.hint(format!("agentbox logs BOX {name}")),
            UnitKind::Task(_) => failure
                .hint(format!("agentbox logs BOX {name}"))
                .hint(format!("agentbox run-task BOX {name}")),
        }
    }
}

/// The failure of a unit that needs a service spec which is not attached: no reload takes one whose needs are wrong otherwise.
fn missing(slot: &Slot, need: &str) -> Failure {
    let spec = need.strip_prefix(SERVICE_PREFIX).unwrap_or(need);
    Failure::failed(format!(
        "{} needs {need}, which is not attached to this box",
        describe(slot)
    ))
    .hint(format!("agentbox spec attach BOX {spec}"))
}

/// Whether dockerd keeps failing. It is tried for ever, but nobody is to wait for that: it fails for what it lacks.
fn is_hopeless(slot: &Slot) -> bool {
    is_daemon(&slot.unit.name)
        && slot.failures >= HOPELESS_FAILURES
        && matches!(slot.phase, Phase::Backoff { .. })
}

fn describe(slot: &Slot) -> String {
    if is_daemon(&slot.unit.name) {
        return "the box's Docker engine".to_owned();
    }
    let word = if slot.unit.is_service() { "service" } else { "task" };
    format!("{word} \"{}\"", slot.unit.name)
}

/// What became of a unit, and why.
fn predicate(slot: &Slot) -> String {
    let verb = match slot.phase {
        Phase::Failed => "failed".to_owned(),
        Phase::Crashed => "crashed".to_owned(),
        Phase::Skipped => "was skipped".to_owned(),
        Phase::Backoff { .. } => "keeps failing".to_owned(),
        _ => format!("is {}", slot.state()),
    };
    match &slot.reason {
        Some(reason) => format!("{verb}: {reason}"),
        None => verb,
    }
}

fn removed() -> Failure {
    Failure::failed("the unit is no longer in agentbox.yaml")
}
