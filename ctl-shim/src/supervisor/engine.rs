//! The loop: waits for something to happen, asks the [machine](super::machine) what follows, does it.
//!
//! `select!` only builds a [`Wake`]; everything after is synchronous, so no two things happen at once.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::attached::Attached;
use super::clock::{Clock, SHORT_SLEEP};
use super::docker::is_daemon;
use super::forward::Forwarder;
use super::launch::Launcher;
use super::machine::{Effect, Input, Key, Machine, Phase};
use super::message::Message;
use super::record::Recorder;
use super::requests::Open;
use super::shared::{Command, Shared};
use super::{Options, settings};
use crate::config::model::Launch;
use crate::failure::Failure;
use crate::logs::last_line;
use crate::time::Timestamp;

/// How often a tree that is being ended is looked at, where no exit brings the news.
const TREE_POLL: Duration = Duration::from_millis(50);

/// How long effects are carried out before requests and exits get their turn.
const TURN: Duration = Duration::from_millis(2);

enum Wake {
    Command(Command),
    Message(Message),
    Children,
    Shutdown,
    Time,
    /// Effects are left from before.
    More,
}

/// The supervisor's heart.
pub(super) struct Engine {
    pub(super) machine: Machine,
    pub(super) clock: Clock,
    pub(super) launcher: Launcher,
    pub(super) open: Vec<Open>,
    /// What is wrong with the configuration file, rendered; the units are those of the last good one.
    pub(super) config_errors: Vec<String>,
    /// What is attached to the box.
    pub(super) attached: Attached,
    pub(super) options: Rc<Options>,
    pub(super) shared: Rc<Shared>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) probes: HashMap<Key, AbortHandle>,
    pub(super) forwarder: Forwarder,
    pub(super) recorder: Recorder,
    pub(super) journal_error: Option<String>,
    pub(super) box_name: Option<String>,
    /// What is still to be carried out, in order.
    effects: VecDeque<Effect>,
    pub(super) finished: bool,
}

/// What the engine is made of.
pub(super) struct Parts {
    pub(super) machine: Machine,
    pub(super) launcher: Launcher,
    pub(super) config_errors: Vec<String>,
    pub(super) attached: Attached,
    pub(super) options: Rc<Options>,
    pub(super) shared: Rc<Shared>,
    pub(super) recorder: Recorder,
    pub(super) box_name: Option<String>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
}

impl Engine {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            machine: parts.machine,
            clock: Clock::new(),
            launcher: parts.launcher,
            open: Vec::new(),
            config_errors: parts.config_errors,
            attached: parts.attached,
            options: parts.options,
            shared: parts.shared,
            messages: parts.messages,
            probes: HashMap::new(),
            forwarder: Forwarder::default(),
            recorder: parts.recorder,
            journal_error: None,
            box_name: parts.box_name,
            effects: VecDeque::new(),
            finished: false,
        }
    }

    /// Starts the units, without waiting for any.
    pub(super) fn begin(&mut self) {
        self.publish_names();
        self.input(Input::Tick);
    }

    /// Runs until all units have ended after a SIGTERM.
    ///
    /// # Errors
    /// Signal handlers that cannot be installed.
    pub(super) async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut messages: mpsc::UnboundedReceiver<Message>,
    ) -> Result<(), Failure> {
        let install = |kind: SignalKind| -> Result<Signal, Failure> {
            signal(kind).map_err(|error| Failure::failed("cannot handle signals").because(&error))
        };
        let mut children = install(SignalKind::child())?;
        let mut terminate = install(SignalKind::terminate())?;
        let mut interrupt = install(SignalKind::interrupt())?;
        // The terminal of a supervisor in the foreground was closed: its units must not stay behind.
        let mut hangup = install(SignalKind::hangup())?;
        // Children that ended before the handler was there.
        self.reap();
        while !self.finished {
            let planned = self.next_wake();
            let wake = tokio::select! {
                Some(command) = commands.recv() => Wake::Command(command),
                Some(message) = messages.recv() => Wake::Message(message),
                _ = children.recv() => Wake::Children,
                _ = terminate.recv() => Wake::Shutdown,
                _ = interrupt.recv() => Wake::Shutdown,
                _ = hangup.recv() => Wake::Shutdown,
                () = sleep_until(planned) => Wake::Time,
                () = tokio::task::yield_now(), if !self.effects.is_empty() => Wake::More,
            };
            if let Some(planned) = planned {
                self.clock.woke(planned.into_std(), std::time::Instant::now());
            }
            match wake {
                Wake::Command(command) => self.command(command),
                Wake::Message(message) => self.message(message),
                Wake::Children => self.reap(),
                Wake::Shutdown => self.shut_down(),
                Wake::More => self.carry_out(VecDeque::new()),
                Wake::Time => {
                    self.look_at_ending_trees();
                    self.input(Input::Tick);
                    self.record_if_due();
                }
            }
        }
        self.recorder.write(self.machine.sequence(), &self.report());
        Ok(())
    }

    fn next_wake(&self) -> Option<Instant> {
        let now = std::time::Instant::now();
        let mut next = self.machine.next_deadline().map(|at| self.clock.instant_of(at));
        let mut sooner = |at: std::time::Instant| next = Some(next.map_or(at, |next| next.min(at)));
        if self.machine.has_pausable_deadline() {
            sooner(now + SHORT_SLEEP);
        }
        if self
            .machine
            .all_slots()
            .any(|slot| matches!(slot.phase, Phase::Ending(_)))
        {
            sooner(now + TREE_POLL);
        }
        if let Some(due) = self.recorder.due() {
            sooner(due);
        }
        next.map(Instant::from_std)
    }

    fn command(&mut self, command: Command) {
        match command {
            // A client that did not wait for the answer is no concern of ours.
            Command::Status(reply) => drop(reply.send(self.report())),
            Command::Handles(reply) => drop(reply.send(self.launcher.handles())),
            Command::Ask(ask, reply) => self.ask(ask, reply),
        }
    }

    fn shut_down(&mut self) {
        if !self.machine.is_shutting_down() {
            self.note_lingering();
            self.input(Input::Shutdown);
        }
    }

    /// Finds what ended tasks have left behind.
    pub(super) fn note_lingering(&mut self) {
        let ended: Vec<Key> = self
            .machine
            .all_slots()
            .filter(|slot| !slot.unit.is_service() && slot.is_final() && slot.generation > 0)
            .map(|slot| slot.key)
            .collect();
        for key in ended {
            if self.launcher.has_processes(key) {
                self.machine.note_lingering(key);
            }
        }
    }

    /// Collects the children that have ended.
    fn reap(&mut self) {
        for (pid, outcome) in self.launcher.reap() {
            let Some(key) = self.launcher.take_leader(pid) else {
                continue;
            };
            // What the leader wrote is in the pipe by now.
            self.launcher.drain(key);
            self.launcher.note_exit(key, outcome, &self.messages);
            self.machine.last_words = self.last_words(key);
            let task = self.machine.slot(key).is_some_and(|slot| !slot.unit.is_service());
            let ending = self
                .machine
                .slot(key)
                .is_some_and(|slot| matches!(slot.phase, Phase::Ending(_)));
            // What a task leaves behind is looked for when it matters.
            let leftovers = (!task || ending) && self.launcher.has_processes(key);
            self.input(Input::Exited {
                key,
                pid,
                outcome,
                leftovers,
            });
        }
        self.look_at_ending_trees();
    }

    /// What there is to say about the end of dockerd, or of what was to make a container.
    fn last_words(&self, key: Key) -> Option<String> {
        let slot = self.machine.slot(key)?;
        let speaks = is_daemon(&slot.unit.name) || matches!(slot.unit.launch, Launch::Image(_));
        let words = speaks.then(|| last_line(&self.options.log_directory, &slot.unit.name));
        words.flatten()
    }

    fn look_at_ending_trees(&mut self) {
        let ending: Vec<Key> = self
            .machine
            .all_slots()
            .filter(|slot| matches!(&slot.phase, Phase::Ending(ending) if ending.pid.is_none()))
            .map(|slot| slot.key)
            .collect();
        for key in ending {
            if !self.launcher.has_processes(key) {
                self.input(Input::TreeGone { key });
            } else if matches!(
                self.machine.slot(key).map(|slot| &slot.phase),
                Some(Phase::Ending(ending)) if ending.kill_at.is_none()
            ) {
                // Its time is over; what was forked in the meantime goes the same way.
                self.launcher.kill(key);
            }
        }
    }

    /// Hands an input to the machine and carries out what follows.
    pub(super) fn input(&mut self, input: Input) {
        let (now, wall) = (self.clock.now(), Timestamp::now());
        let effects = self.machine.handle(input, now, wall);
        self.carry_out(effects);
    }

    /// Carries out effects in order. Many spawns in a row take a while: after each, when [`TURN`] is over, others
    /// get their turn, and the loop comes back for the rest.
    pub(super) fn carry_out(&mut self, effects: VecDeque<Effect>) {
        let begin = std::time::Instant::now();
        self.effects.extend(effects);
        while let Some(effect) = self.effects.pop_front() {
            let spawned = matches!(effect, Effect::Spawn(_));
            if let Some(input) = self.perform(effect) {
                let follow_up = self.machine.handle(input, self.clock.now(), Timestamp::now());
                self.effects.extend(follow_up);
            }
            if spawned && begin.elapsed() > TURN {
                break;
            }
        }
        self.forward();
        self.answer_open();
    }

    fn record_if_due(&mut self) {
        if self.recorder.is_due() {
            let (sequence, report) = (self.machine.sequence(), self.report());
            self.recorder.write(sequence, &report);
        }
    }

    /// The unit table with everything that is wrong.
    pub(super) fn report(&self) -> crate::report::UnitsReport {
        let mut report = self.machine.report();
        report.errors.extend(self.config_errors.iter().cloned());
        report.errors.extend(self.machine.missing_specs());
        report.errors.extend(self.attached.errors());
        report.attached = self.attached.marks();
        if let Some(error) = self.forwarder.error() {
            for service in report
                .services
                .iter_mut()
                .filter(|service| service.expose.is_some())
            {
                service.reason.get_or_insert_with(|| error.clone());
            }
        }
        let daemon = self.machine.daemon().filter(|slot| !slot.is_good());
        if let Some(reason) = daemon.and_then(|slot| slot.reason.as_ref()) {
            report
                .errors
                .push(format!("the box's Docker engine is not up: {reason}"));
        }
        report.errors.extend(self.journal_error.clone());
        report.errors.extend(self.launcher.errors());
        report
    }

    /// Makes the present unit names known to those who read logs.
    pub(super) fn publish_names(&self) {
        *self.shared.unit_names.borrow_mut() =
            self.machine.slots().map(|slot| slot.unit.name.clone()).collect();
    }

    /// Reads the configuration from where it lies.
    pub(super) fn read_config(&self) -> settings::Read {
        let mut read = settings::read(&self.options);
        if let Some(config) = &mut read.config {
            settings::complete(config, &self.attached, &self.launcher);
        }
        read
    }
}

async fn sleep_until(planned: Option<Instant>) {
    match planned {
        Some(planned) => tokio::time::sleep_until(planned).await,
        None => std::future::pending().await,
    }
}

/// The failure for a unit that does not exist.
pub(super) fn unknown_unit<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let failure = Failure::not_found(format!("no unit \"{name}\""));
    if known.is_empty() {
        failure
            .cause("agentbox.yaml defines no units")
            .hint("agentbox validate")
    } else {
        failure
            .cause(format!("the units are {}", known.join(", ")))
            .hint("agentbox status BOX")
    }
}
