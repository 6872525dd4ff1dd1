//! Carrying out what the machine decides about processes.
//!
//! ```text
//! mod       spawn and output
//! resolve   what a unit's command is run with: environment, directory, user
//! end       signals to its tree, or to dockerd for its container
//! once      `run_once`: whether there is something to do
//! ```

mod end;
mod once;
mod resolve;

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::docker::{self, Container};
use super::machine::Key;
use super::message::Message;
use super::output::{Log, Output};
use super::probe::log::Matcher;
use super::shared::Shared;
use super::{Options, lives, script_file};
use crate::config::Config;
use crate::config::model::{Launch, RunOnce, Unit};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::process::environment::Environment;
use crate::process::place::Place;
use crate::process::reap::{self, Exit};
use crate::process::spawn::{self, SpawnRequest, Stdio};
use crate::process::tag::Life;
use crate::process::tree::UnitHandle;
use crate::process::users;

/// Starts and ends processes.
#[derive(Debug)]
pub(super) struct Launcher {
    options: Rc<Options>,
    identity: Identity,
    shared: Rc<Shared>,
    base: Environment,
    place: Place,
    life: Option<Life>,
    entries: HashMap<Key, Entry>,
    by_pid: HashMap<u32, Key>,
    logs: HashMap<String, Rc<RefCell<Log>>>,
    /// What went wrong with trees and markers, by unit.
    troubles: HashMap<String, String>,
}

/// A unit that has been started at least once.
#[derive(Debug)]
struct Entry {
    name: String,
    handle: UnitHandle,
    output: Output,
    /// Rounds of SIGKILL so far.
    kills: u32,
    /// What a service with `image` runs beside its processes.
    container: Option<Container>,
    /// Time from the stop signal to SIGKILL.
    grace: Duration,
    /// Whether it runs from a file that is there for its leader alone.
    is_script: bool,
}

impl Launcher {
    /// Ends what a former life of this supervisor left running, and gets ready to start units.
    ///
    /// # Errors
    /// Processes of a former life that cannot be ended: two copies of a unit must not be.
    pub(super) fn new(options: Rc<Options>, identity: Identity, shared: Rc<Shared>) -> Result<Self, Failure> {
        nix::sys::prctl::set_child_subreaper(true)
            .map_err(|error| Failure::failed("cannot become the reaper of orphans").because(&error))?;
        let life = lives::begin(&options.private())?;
        let place = Place::find(&identity, Path::new("/"));
        Ok(Self {
            options,
            place,
            identity,
            shared,
            base: Environment::of_this_process(),
            life,
            entries: HashMap::new(),
            by_pid: HashMap::new(),
            logs: HashMap::new(),
            troubles: HashMap::new(),
        })
    }

    /// Spawns a unit's command.
    ///
    /// # Errors
    /// Why it cannot be spawned, as `status` shows it.
    pub(super) fn start(&mut self, key: Key, unit: &Unit) -> Result<u32, String> {
        self.troubles.remove(&unit.name);
        if docker::is_daemon(&unit.name) {
            docker::prepare()?;
        }
        if let Some(RunOnce::Ever(marker)) = unit.task().and_then(|task| task.run_once.as_ref()) {
            // It counts once it has succeeded; so one that fails when it is run again has failed.
            let _ = std::fs::remove_file(self.options.run_once().join(marker));
        }
        let started = self.spawn(key, unit, &unit.launch);
        if started.is_err() && matches!(unit.launch, Launch::Script(_)) {
            script_file::remove(&self.options, &unit.name);
        }
        started
    }

    fn spawn(&mut self, key: Key, unit: &Unit, launch: &Launch) -> Result<u32, String> {
        let resolved = self.resolve(unit, launch)?;
        let log = self.log(&unit.name)?;
        let container = match launch {
            Launch::Image(_) => Some(Container::of(unit, &self.options.private())),
            _ => None,
        };
        let (output, writer) = Output::open(log, Rc::clone(&self.shared))
            .map_err(|error| format!("cannot make a pipe: {error}"))?;
        let tag = self.life.as_ref().and_then(|life| life.tag(key.0 as usize));
        let request = SpawnRequest {
            argv: &resolved.argv,
            environment: &resolved.environment,
            cwd: &resolved.cwd,
            credentials: resolved.credentials.as_ref(),
            tag,
            stdio: Stdio::Output(writer.as_fd()),
        };
        let pid = spawn::spawn(&request).map_err(|failure| failure.reason)?;
        drop(writer);
        output.begin();
        let entry = Entry {
            name: unit.name.clone(),
            handle: UnitHandle::new(pid, tag),
            output,
            kills: 0,
            container,
            grace: unit.stop_timeout(),
            is_script: matches!(launch, Launch::Script(_)),
        };
        self.entries.insert(key, entry);
        self.by_pid.insert(pid, key);
        Ok(pid)
    }

    /// Adds dockerd to a configuration, where the box has one.
    pub(super) fn add_docker(&self, config: &mut Config) {
        if self.identity.docker {
            let user = users::lookup(&self.identity.user, Path::new("/"));
            docker::add_to(config, user.map_or(0, |user| user.gid));
        }
    }

    fn log(&mut self, name: &str) -> Result<Rc<RefCell<Log>>, String> {
        if let Some(log) = self.logs.get(name) {
            return Ok(Rc::clone(log));
        }
        let log = Log::open(&self.options.log_directory, name)
            .map_err(|error| format!("cannot open the log of {name}: {error}"))?;
        let log = Rc::new(RefCell::new(log));
        self.logs.insert(name.to_owned(), Rc::clone(&log));
        Ok(log)
    }

    /// Collects all children that have ended.
    pub(super) fn reap(&self) -> Vec<(u32, Exit)> {
        std::iter::from_fn(|| reap::next().map(|reaped| (reaped.pid, reaped.exit))).collect()
    }

    /// The unit whose leader this was; only once, since the number is free now.
    pub(super) fn take_leader(&mut self, pid: u32) -> Option<Key> {
        let key = self.by_pid.remove(&pid)?;
        if let Some(entry) = self.entries.get(&key).filter(|entry| entry.is_script) {
            script_file::remove(&self.options, &entry.name);
        }
        Some(key)
    }

    /// Reads what the unit's processes have written up to now.
    pub(super) fn drain(&self, key: Key) {
        if let Some(output) = self.entries.get(&key).map(|entry| &entry.output) {
            output.drain();
        }
    }

    /// Has a message sent when the unit's container runs.
    pub(super) fn await_container(&self, key: Key, pid: u32, messages: &mpsc::UnboundedSender<Message>) {
        let messages = messages.clone();
        if let Some(container) = self.container(key) {
            container.await_start(pid, move || {
                let _ = messages.send(Message::ContainerStarted { key, pid });
            });
        }
    }

    /// Looks for a match in the output from now on.
    pub(super) fn begin_match(
        &mut self,
        key: Key,
        pid: u32,
        pattern: &str,
        messages: &mpsc::UnboundedSender<Message>,
    ) {
        let messages = messages.clone();
        if let (Some(output), Some(matcher)) = (
            self.entries.get(&key).map(|entry| &entry.output),
            Matcher::new(pattern),
        ) {
            let passed = move || {
                let _ = messages.send(Message::ProbePassed { key, pid });
            };
            output.watch(matcher, Box::new(passed));
        }
    }

    /// Stops looking.
    pub(super) fn end_match(&self, key: Key) {
        if let Some(output) = self.entries.get(&key).map(|entry| &entry.output) {
            output.unwatch();
        }
    }

    /// The units that have run, with what tells their processes.
    pub(super) fn handles(&self) -> Vec<(String, UnitHandle)> {
        let entries = self.entries.values();
        entries
            .map(|entry| (entry.name.clone(), entry.handle.clone()))
            .collect()
    }

    /// Drops what is known of a unit; its log stays on disk.
    pub(super) fn forget(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key) {
            self.troubles.remove(&entry.name);
            self.by_pid.retain(|_, other| *other != key);
        }
    }

    /// What is wrong with logs, trees and markers.
    pub(super) fn errors(&self) -> Vec<String> {
        let mut errors: Vec<String> = self.troubles.values().cloned().collect();
        errors.extend(self.logs.values().filter_map(|log| log.borrow().error()));
        errors.sort();
        errors
    }
}

/// Does something that may take long on a thread of its own.
pub(super) fn aside(work: Box<dyn FnOnce() + Send>) -> Result<(), String> {
    let builder = std::thread::Builder::new().stack_size(256 * 1024);
    builder
        .spawn(work)
        .map(drop)
        .map_err(|error| format!("cannot start a thread: {error}"))
}
