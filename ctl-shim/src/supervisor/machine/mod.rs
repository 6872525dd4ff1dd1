//! What becomes of the units: a pure function of state, input and time.
//!
//! ```text
//!            Input (a request, an exit, a probe's word, the time)
//!              │
//!              ▼
//!   Machine::handle(input, now) ──► [Effect]   spawn, signal, probe, tell
//!              │                        │
//!              └── next_deadline()      └─► carried out by the engine, whose results are the next inputs
//! ```
//!
//! Nothing here touches a process, a file or a clock, so every path can be tested without them.

mod ending;
mod progress;
mod reload;
mod report;
mod request;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::config::model::{Config, UnitKind};
use crate::paths::DOCKER_DAEMON;
use crate::process::reap::Exit;
use crate::report::{Event, EventKind, TaskState, UnitState};
use crate::time::Timestamp;

use super::docker::is_daemon;

pub(super) use report::signal_name;
pub use request::Verdict;
pub use slot::{Active, Ending, Health, Key, Next, Phase, Run, Slot, StopCause};

/// Something that happened.
#[derive(Debug)]
pub enum Input {
    /// The answer to [`Effect::Spawn`].
    Spawned {
        /// The unit.
        key: Key,
        /// The leader's pid, or why there is none.
        result: Result<u32, String>,
    },
    /// The answer to [`Effect::Decide`].
    Decided {
        /// The task.
        key: Key,
        /// What `run_once` says.
        decision: Decision,
    },
    /// A leader (or check process) ended; its output has been read.
    Exited {
        /// The unit.
        key: Key,
        /// Its pid.
        pid: u32,
        /// How it ended.
        outcome: Exit,
        /// Whether other processes of its tree are left.
        leftovers: bool,
    },
    /// No process of the unit's tree is left.
    TreeGone {
        /// The unit.
        key: Key,
    },
    /// The container of the run with this pid has started.
    ContainerStarted {
        /// The unit.
        key: Key,
        /// Pid of its client.
        pid: u32,
    },
    /// The unit's container runs again after its end, and we have not started it.
    ContainerReturned {
        /// The unit.
        key: Key,
    },
    /// A probe passed, for the run with this pid.
    ProbePassed {
        /// The unit.
        key: Key,
        /// The leader's pid when the probe began.
        pid: u32,
    },
    /// Nothing but the passing of time.
    Tick,
    /// End everything in order.
    Shutdown,
}

/// What `run_once` says of a task whose needs are met.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// It has nothing to do.
    PassOver,
    /// It has to run.
    Run,
    /// A check command was started, with this pid; its exit decides.
    Checking(u32),
    /// Neither can be said.
    Failed(String),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Spawn the unit's command, unless its phase is no longer [`Phase::Launching`]; answered by [`Input::Spawned`].
    Spawn(Key),
    /// Look at the task's `run_once`; answered by [`Input::Decided`].
    Decide(Key),
    /// Send the stop signal to the unit's tree and say when it is gone.
    Signal(Key),
    /// SIGKILL what is left of the tree.
    Kill(Key),
    /// Begin probing the unit, and watch for its container.
    Probe(Key),
    /// Stop probing it.
    EndProbe(Key),
    /// Remember that the task has succeeded (`run_once`).
    MarkDone(Key),
    /// Tell the world.
    Tell(Box<Event>),
    /// The unit is gone from the configuration and from the process table; forget it.
    Forget(Key),
    /// All units have ended after [`Input::Shutdown`].
    ShutdownComplete,
}

/// What a former life of the supervisor left to know about a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The state it was last known in. A task that was done stays done.
    pub state: UnitState,
    /// Restarts so far.
    pub restarts: u32,
}

/// All units of a box.
#[derive(Debug)]
pub struct Machine {
    slots: BTreeMap<Key, Slot>,
    by_name: HashMap<String, Key>,
    /// Keys in the order of the file.
    order: Vec<Key>,
    next_key: u32,
    sequence: u64,
    shutting_down: bool,
    announced: bool,
    /// What dockerd, or what makes a container, said last when it ended; becomes part of the reason.
    pub(super) last_words: Option<String>,
    effects: VecDeque<Effect>,
    wall: Timestamp,
}

impl Machine {
    /// A machine for `config`. `sequence` is the number of the last event ever told; `restored` is what a crashed
    /// supervisor had recorded.
    pub fn new(config: Config, sequence: u64, restored: &HashMap<String, Restored>) -> Self {
        let mut machine = Self {
            slots: BTreeMap::new(),
            by_name: HashMap::new(),
            order: Vec::new(),
            next_key: 0,
            sequence,
            shutting_down: false,
            announced: false,
            last_words: None,
            effects: VecDeque::new(),
            wall: Timestamp::from_millis(0),
        };
        for unit in config.units {
            let key = machine.insert(unit);
            if let Some(slot) = machine.slots.get_mut(&key)
                && let Some(restored) = restored.get(&slot.unit.name)
            {
                slot.restarts = restored.restarts;
                if kind_of(restored.state) == kind_of(slot.told) {
                    slot.told = restored.state;
                    slot.afresh = true;
                }
                if restored.state == UnitState::Task(TaskState::Done) && is_task(slot) {
                    slot.phase = Phase::Done;
                }
            }
        }
        machine
    }

    fn insert(&mut self, unit: crate::config::model::Unit) -> Key {
        let key = Key(self.next_key);
        self.next_key += 1;
        self.by_name.insert(unit.name.clone(), key);
        self.order.push(key);
        self.slots.insert(key, Slot::new(key, unit));
        key
    }

    /// Takes an input and returns what is to be done, in order.
    #[must_use]
    pub fn handle(&mut self, input: Input, now: Active, wall: Timestamp) -> VecDeque<Effect> {
        self.wall = wall;
        match input {
            Input::Spawned { key, result } => self.on_spawned(key, result, now),
            Input::Decided { key, decision } => self.on_decided(key, decision, now),
            Input::Exited {
                key,
                pid,
                outcome,
                leftovers,
            } => self.on_exited(key, pid, outcome, leftovers, now),
            Input::TreeGone { key } => self.on_tree_gone(key, now),
            Input::ContainerStarted { key, pid } => self.on_container_started(key, pid, now),
            Input::ContainerReturned { key } => self.on_container_returned(key),
            Input::ProbePassed { key, pid } => self.on_probe_passed(key, pid),
            Input::Tick => self.on_tick(now),
            Input::Shutdown => self.shutting_down = true,
        }
        self.settle(now);
        std::mem::take(&mut self.effects)
    }

    /// The earliest time at which a [`Input::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Active> {
        self.slots.values().filter_map(|slot| self.deadline(slot)).min()
    }

    /// Whether a deadline is pending that must not run while the box is paused.
    pub fn has_pausable_deadline(&self) -> bool {
        self.slots.values().any(|slot| match &slot.phase {
            Phase::Alive(run) => matches!(run.health, Health::Probing { .. }),
            Phase::Ending(_) => true,
            _ => false,
        })
    }

    #[expect(clippy::unused_self, reason = "a method beside its siblings")]
    fn deadline(&self, slot: &Slot) -> Option<Active> {
        match &slot.phase {
            Phase::Alive(Run {
                health: Health::Probing { deadline },
                ..
            }) => Some(*deadline),
            Phase::Ending(ending) => ending.kill_at,
            Phase::Backoff { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// The unit of this key.
    pub fn slot(&self, key: Key) -> Option<&Slot> {
        self.slots.get(&key)
    }

    /// All units, in the order of the file, without the box's own dockerd.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        let all = self.order.iter().filter_map(|key| self.slots.get(key));
        all.filter(|slot| !is_daemon(&slot.unit.name))
    }

    /// Dockerd, where the box has one.
    pub fn daemon(&self) -> Option<&Slot> {
        self.find(DOCKER_DAEMON)
    }

    /// All units, those that a reload removed and that have not ended included.
    pub fn all_slots(&self) -> impl Iterator<Item = &Slot> {
        self.slots.values()
    }

    /// The unit of this name.
    pub fn find(&self, name: &str) -> Option<&Slot> {
        self.slots.get(self.by_name.get(name)?)
    }

    /// Number of the last event told.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the end of everything was asked for.
    pub fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Moves a unit to `phase` and tells the change, where users see one.
    fn enter(&mut self, key: Key, phase: Phase) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let was_probing = probes(&slot.phase);
        slot.phase = phase;
        let probing = probes(&slot.phase);
        if was_probing && !probing {
            self.effects.push_back(Effect::EndProbe(key));
        } else if probing && !was_probing {
            self.effects.push_back(Effect::Probe(key));
        }
        self.tell(key);
    }

    fn tell(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else {
            return;
        };
        let Some(state) = slot.visible() else { return };
        // A new process is news even where the state is the one that the crashed supervisor had told.
        let is_news = slot.told != state || (slot.afresh && slot.pid().is_some());
        if !is_news {
            return;
        }
        slot.afresh = false;
        let from = std::mem::replace(&mut slot.told, state);
        let exit_code = match (&slot.phase, slot.outcome) {
            (Phase::Alive(_) | Phase::Pending | Phase::Waiting, _) => None,
            (_, Some(Exit::Code(code))) => Some(code),
            _ => None,
        };
        self.sequence += 1;
        self.effects.push_back(Effect::Tell(Box::new(Event {
            seq: Some(self.sequence),
            time: self.wall,
            box_name: None,
            kind: kind_of(state),
            unit: Some(slot.unit.name.clone()),
            from: Some(from.as_str().to_owned()),
            to: Some(state.as_str().to_owned()),
            pid: slot.pid(),
            exit_code,
        })));
    }

    /// Drops a unit that a reload removed.
    fn forget(&mut self, key: Key) {
        let Some(slot) = self.slots.remove(&key) else {
            return;
        };
        self.order.retain(|other| *other != key);
        if self.by_name.get(&slot.unit.name) == Some(&key) {
            self.by_name.remove(&slot.unit.name);
        }
        self.sequence += 1;
        self.effects.push_back(Effect::Tell(Box::new(Event {
            seq: Some(self.sequence),
            time: self.wall,
            box_name: None,
            kind: kind_of(slot.told),
            unit: Some(slot.unit.name),
            from: Some(slot.told.as_str().to_owned()),
            to: None,
            pid: None,
            exit_code: None,
        })));
        self.effects.push_back(Effect::Forget(key));
    }
}

fn kind_of(state: UnitState) -> EventKind {
    match state {
        UnitState::Service(_) => EventKind::ServiceState,
        UnitState::Task(_) => EventKind::TaskState,
    }
}

/// Whether a probe runs in this phase.
fn probes(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Alive(Run {
            health: Health::Preparing | Health::Probing { .. } | Health::Unhealthy,
            ..
        })
    )
}

/// Whether this is a task.
fn is_task(slot: &Slot) -> bool {
    matches!(slot.unit.kind, UnitKind::Task(_))
}
