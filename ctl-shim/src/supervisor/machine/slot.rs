//! One unit with everything the machine knows about its life.

use std::time::Duration;

use crate::config::model::{Launch, OnTimeout, Unit, UnitKind};
use crate::process::reap::Exit;
use crate::report::{ServiceState, TaskState, UnitState};
use crate::time::Timestamp;

/// Identifies a unit for as long as the supervisor lives, across reloads; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub u32);

/// A point on the supervisor's clock, which stands still while the box is paused.
pub type Active = Duration;

/// Where a unit stands. Each variant says what can follow.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// Known, nothing decided. → `Queued`'s successors, `Stopped`.
    Pending,
    /// To be started as soon as its needs allow; users see the state before. → `Waiting`, `Launching`,
    /// `Checking`, `Skipped`.
    Queued,
    /// Needs are not met. → `Launching`, `Checking`, `Skipped`, `Stopped`.
    Waiting,
    /// `run_once` is being looked at, by a check process where there is a pid. → `Launching`, `Done`, `Failed`,
    /// `Ending`.
    Checking {
        /// Process of the check command.
        pid: Option<u32>,
    },
    /// A spawn was asked for. → `Stopped`, `Alive`, `Backoff`, `Crashed`, `Failed`.
    Launching,
    /// Its process runs. → `Ending`, or what follows an exit.
    Alive(Run),
    /// Its process tree is being ended. → what `Ending::next` says, once the tree is gone.
    Ending(Ending),
    /// Waits for the next try. → `Queued`, `Stopped`.
    Backoff {
        /// When the try is due.
        until: Active,
        /// The same, for people.
        at: Timestamp,
    },
    /// Failed for good. → `Queued` on request.
    Crashed,
    /// Not running. → `Queued` on request.
    Stopped(StopCause),
    /// A task that succeeded or had nothing to do. → `Queued` on request.
    Done,
    /// A task that did not succeed. → `Queued` on request.
    Failed,
    /// A task that needs a failed one. → `Queued` once that changes.
    Skipped,
}

/// Why a unit is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopCause {
    /// `autostart: false`, and nothing has asked for it.
    NotStarted,
    /// It was asked to stop.
    Asked,
    /// It ended cleanly and no restart is due.
    Exited,
}

/// A running process.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Process id of the leader.
    pub pid: u32,
    /// When it was spawned, or its container started.
    pub since: Active,
    /// What its probe says.
    pub health: Health,
}

/// What is known of a running unit's readiness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Its container does not run yet: the image is being fetched, or it is being made. However long that takes.
    Preparing,
    /// It has no probe.
    Unprobed,
    /// The probe has not passed and may until the deadline.
    Probing {
        /// When patience ends.
        deadline: Active,
    },
    /// The probe has passed.
    Ready,
    /// The deadline passed and `on_timeout: mark_unhealthy` left it alone; probing goes on.
    Unhealthy,
}

/// A process tree on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// The leader, as long as it was not reaped.
    pub pid: Option<u32>,
    /// How the leader ended, once it has.
    pub outcome: Option<Exit>,
    /// When SIGKILL is due; `None` after it was sent.
    pub kill_at: Option<Active>,
    /// What follows.
    pub next: Next,
}

/// What follows the end of a process tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Stopped: it was asked for.
    Stop,
    /// A new start.
    Start,
    /// What the restart policy (or, for a task, the exit code) says.
    Policy {
        /// Counts as a failure whatever the exit code: the probe timed out.
        failed: bool,
    },
    /// What it was before: a task that has ended and whose remains are cleared away.
    Keep {
        /// It was `done`; else `failed`.
        done: bool,
    },
    /// The unit is no longer in the configuration.
    Remove,
}

/// A unit and its life.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Its key.
    pub key: Key,
    /// Its definition.
    pub unit: Unit,
    /// Whether it is supposed to run (or, for a task, to get done).
    pub wanted: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The state last told to the outside, `pending` to begin with.
    pub told: UnitState,
    /// What was last told was told by a supervisor that crashed: nothing of it lives.
    pub afresh: bool,
    /// Starts that nobody asked for, while the box lives.
    pub restarts: u32,
    /// Consecutive failures: the exponent of the next delay.
    pub failures: u32,
    /// Spawn attempts so far.
    pub generation: u64,
    /// The next run is an automatic restart.
    pub automatic: bool,
    /// The next run of a task ignores `run_once`.
    pub force: bool,
    /// Processes that an ended run left behind are known to exist (tasks only).
    pub lingering: bool,
    /// How the last run ended.
    pub outcome: Option<Exit>,
    /// When the last run was spawned.
    pub started_at: Option<Timestamp>,
    /// When the probe of the present run passed.
    pub ready_at: Option<Timestamp>,
    /// When the last run ended.
    pub finished_at: Option<Timestamp>,
    /// Why it stands where it stands.
    pub reason: Option<String>,
}

impl Slot {
    /// A unit nothing has happened to.
    pub fn new(key: Key, unit: Unit) -> Self {
        let wanted = unit.service().is_none_or(|service| service.autostart);
        let told = match unit.kind {
            UnitKind::Service(_) => UnitState::Service(ServiceState::Pending),
            UnitKind::Task(_) => UnitState::Task(TaskState::Pending),
        };
        Self {
            key,
            unit,
            wanted,
            phase: Phase::Pending,
            told,
            afresh: false,
            restarts: 0,
            failures: 0,
            generation: 0,
            automatic: false,
            force: false,
            lingering: false,
            outcome: None,
            started_at: None,
            ready_at: None,
            finished_at: None,
            reason: None,
        }
    }

    /// The state users see; `None` where it is the one they saw before.
    pub fn visible(&self) -> Option<UnitState> {
        Some(match &self.unit.kind {
            UnitKind::Service(_) => UnitState::Service(match &self.phase {
                Phase::Queued | Phase::Launching => return None,
                Phase::Pending => ServiceState::Pending,
                Phase::Waiting | Phase::Checking { .. } | Phase::Skipped | Phase::Done => {
                    ServiceState::Waiting
                }
                Phase::Alive(run) => match run.health {
                    Health::Unprobed => ServiceState::Running,
                    Health::Preparing | Health::Probing { .. } => ServiceState::Starting,
                    Health::Ready => ServiceState::Ready,
                    Health::Unhealthy => ServiceState::Unhealthy,
                },
                Phase::Ending(_) => ServiceState::Stopping,
                Phase::Backoff { .. } => ServiceState::Backoff,
                Phase::Crashed | Phase::Failed => ServiceState::Crashed,
                Phase::Stopped(_) => ServiceState::Stopped,
            }),
            UnitKind::Task(_) => UnitState::Task(match &self.phase {
                Phase::Queued | Phase::Launching => return None,
                Phase::Pending => TaskState::Pending,
                Phase::Waiting | Phase::Checking { .. } => TaskState::Waiting,
                Phase::Ending(Ending {
                    next: Next::Keep { done: true },
                    ..
                }) => TaskState::Done,
                Phase::Ending(Ending {
                    next: Next::Keep { done: false },
                    ..
                }) => TaskState::Failed,
                // A task's leader has gone, or is going; what is left of its tree is part of the run.
                Phase::Alive(_) | Phase::Ending(_) | Phase::Backoff { .. } => TaskState::Running,
                Phase::Done => TaskState::Done,
                Phase::Failed | Phase::Crashed => TaskState::Failed,
                Phase::Skipped => TaskState::Skipped,
                Phase::Stopped(_) => TaskState::Stopped,
            }),
        })
    }

    /// The state users see, the last one told where the present phase has none of its own.
    pub fn state(&self) -> UnitState {
        self.visible().unwrap_or(self.told)
    }

    /// Whether it has reached its good end state: `done`, `ready`, or `running` without a probe.
    pub fn is_good(&self) -> bool {
        match &self.phase {
            Phase::Done => true,
            Phase::Alive(run) => {
                self.unit.is_service() && matches!(run.health, Health::Ready | Health::Unprobed)
            }
            _ => false,
        }
    }

    /// Whether processes of it may exist.
    pub fn has_processes(&self) -> bool {
        self.lingering
            || matches!(
                self.phase,
                Phase::Alive(_) | Phase::Ending(_) | Phase::Checking { pid: Some(_) }
            )
    }

    /// Whether it stands still until somebody asks for something.
    pub fn is_final(&self) -> bool {
        matches!(
            self.phase,
            Phase::Crashed | Phase::Stopped(_) | Phase::Done | Phase::Failed | Phase::Skipped
        )
    }

    /// Process id to show, while there is one.
    pub fn pid(&self) -> Option<u32> {
        match &self.phase {
            Phase::Alive(run) => Some(run.pid),
            Phase::Ending(ending) => ending.pid,
            Phase::Checking { pid } => *pid,
            _ => None,
        }
    }

    /// Health of a process that was spawned at `now`.
    pub fn first_health(&self, now: Active) -> Health {
        match self.unit.launch {
            Launch::Image(_) => Health::Preparing,
            _ => self.running_health(now),
        }
    }

    /// Health of a service that runs from `now` on.
    pub fn running_health(&self, now: Active) -> Health {
        match self
            .unit
            .service()
            .and_then(|service| service.ready_when.as_ref())
        {
            Some(probe) => Health::Probing {
                deadline: now + probe.timeout,
            },
            None => Health::Unprobed,
        }
    }

    /// Whether a probe that times out ends the process.
    pub fn kills_on_timeout(&self) -> bool {
        self.unit
            .service()
            .and_then(|service| service.ready_when.as_ref())
            .is_some_and(|probe| probe.on_timeout == OnTimeout::Kill)
    }

    /// Time from the stop signal to SIGKILL. Tasks have the default of services.
    pub fn stop_timeout(&self) -> Duration {
        self.unit
            .service()
            .map_or(crate::config::model::DEFAULT_STOP_TIMEOUT, |service| {
                service.stop_timeout
            })
    }

    /// Forgets former failures, where the present run has lasted longer than the longest delay.
    pub fn forgive(&mut self, now: Active) {
        if let (Phase::Alive(run), Some(service)) = (&self.phase, self.unit.service())
            && now.saturating_sub(run.since) > service.backoff.max
        {
            self.failures = 0;
        }
    }

    /// The present delay before a restart.
    pub fn delay(&self) -> Duration {
        let backoff = self
            .unit
            .service()
            .map(|service| service.backoff)
            .unwrap_or_default();
        let exponent = i32::try_from(self.failures).unwrap_or(i32::MAX);
        let seconds = backoff.initial.as_secs_f64() * backoff.factor.powi(exponent);
        // Infinity, from a large exponent, is the longest delay too.
        if seconds.is_finite() && seconds < backoff.max.as_secs_f64() {
            Duration::from_secs_f64(seconds)
        } else {
            backoff.max
        }
    }
}
