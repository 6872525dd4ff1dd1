//! Carrying out what the machine decides about processes: environment, spawn, output, trees, `run_once`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::docker::{self, Container};
use super::engine::Message;
use super::machine::{Decision, Key};
use super::output::{Log, Output};
use super::probe::log::Matcher;
use super::run_once::Question;
use super::shared::Shared;
use super::{Options, lives};
use crate::config::Config;
use crate::config::model::{Launch, RunOnce, Unit};
use crate::failure::Failure;
use crate::identity::Identity;
use crate::process::env_file;
use crate::process::environment::{self, Environment};
use crate::process::place::Place;
use crate::process::reap::{self, Exit};
use crate::process::spawn::{self, SpawnRequest, Stdio};
use crate::process::tag::Life;
use crate::process::tree::{self, UnitHandle};
use crate::process::users::{self, Credentials};

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
}

/// Everything about a command that its unit decides.
struct Resolved {
    argv: Vec<OsString>,
    environment: Environment,
    /// The unit's own part of the environment.
    own: Vec<(String, String)>,
    cwd: PathBuf,
    credentials: Option<Credentials>,
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
        self.spawn(key, unit, &unit.launch)
    }

    fn spawn(&mut self, key: Key, unit: &Unit, launch: &Launch) -> Result<u32, String> {
        let resolved = self.resolve(unit, launch)?;
        let log = self.log(&unit.name)?;
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
            container: match launch {
                Launch::Image(image) => Some(Container::of(unit, image)),
                _ => None,
            },
            grace: unit.stop_timeout(),
        };
        self.entries.insert(key, entry);
        self.by_pid.insert(pid, key);
        Ok(pid)
    }

    fn resolve(&self, unit: &Unit, launch: &Launch) -> Result<Resolved, String> {
        let credentials = self.credentials(unit)?;
        let mut files = Vec::new();
        for file in &unit.env_files {
            match env_file::read(&self.options.workspace.join(&file.path))? {
                Some(variables) => files.extend(variables),
                None if file.optional => {}
                None => return Err(format!("env_file {} does not exist", file.path)),
            }
        }
        let environment = environment::compose(&environment::Sources {
            base: &self.base,
            identity: &self.identity,
            credentials: &credentials,
            place: &self.place,
            files: &files,
            unit: &unit.env,
        });
        let cwd = unit.cwd.as_ref().map_or_else(
            || self.options.workspace.clone(),
            |cwd| self.options.workspace.join(cwd),
        );
        let own: Vec<_> = files.into_iter().chain(unit.env.iter().cloned()).collect();
        let mut root = nix::unistd::geteuid().is_root();
        let argv = match launch {
            Launch::Shell(script) => spawn::shell_argv(script, &environment, &cwd),
            Launch::Argv(words) => words.iter().map(OsString::from).collect(),
            Launch::Image(image) if self.identity.docker => {
                // Everybody's dockerd is root's, whoever the image lets use its socket.
                root = false;
                docker::argv(unit, image, &own)
            }
            Launch::Image(_) => return Err("a service with image needs a box with Docker inside".to_owned()),
        };
        Ok(Resolved {
            argv,
            environment,
            own,
            cwd,
            credentials: root.then_some(credentials),
        })
    }

    fn credentials(&self, unit: &Unit) -> Result<Credentials, String> {
        let root = nix::unistd::geteuid().is_root();
        match &unit.user {
            Some(user) if root => users::lookup(user, Path::new("/")),
            Some(user) => {
                let credentials = users::lookup(user, Path::new("/"))?;
                if credentials.uid == nix::unistd::geteuid().as_raw() {
                    Ok(credentials)
                } else {
                    Err(format!(
                        "cannot run as `{user}`: the supervisor does not run as root"
                    ))
                }
            }
            None if root => users::lookup(&self.identity.user, Path::new("/")),
            None => users::lookup(&nix::unistd::geteuid().to_string(), Path::new("/")),
        }
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

    /// Looks at a task's `run_once`. `None`: the answer comes as a message.
    pub(super) fn decide(
        &mut self,
        key: Key,
        unit: &Unit,
        messages: &mpsc::UnboundedSender<Message>,
    ) -> Option<Decision> {
        if let Some(RunOnce::Check(check)) = unit.task().and_then(|task| task.run_once.as_ref()) {
            return Some(match self.spawn(key, unit, check) {
                Ok(pid) => Decision::Checking(pid),
                Err(reason) => Decision::Failed(format!("run_once check: {reason}")),
            });
        }
        match self.question(unit) {
            Ok(Some(question)) => {
                let messages = messages.clone();
                let deciding = aside(Box::new(move || {
                    let decision = question.decide();
                    let _ = messages.send(Message::Decided { key, decision });
                }));
                deciding.err().map(Decision::Failed)
            }
            Ok(None) => Some(Decision::Run),
            Err(reason) => Some(Decision::Failed(reason)),
        }
    }

    /// Remembers a task's success, where it has `run_once`. What goes wrong comes as a message.
    pub(super) fn mark_done(&mut self, unit: &Unit, messages: &mpsc::UnboundedSender<Message>) {
        let name = unit.name.clone();
        let messages = messages.clone();
        let result = match self.question(unit) {
            // Inputs may be large; reading them must not hold up the supervisor.
            Ok(Some(question)) => aside(Box::new(move || {
                if let Err(reason) = question.mark() {
                    let _ = messages.send(Message::NotMarked { unit: name, reason });
                }
            })),
            Ok(None) => Ok(()),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = result {
            self.note_unmarked(&unit.name, &reason);
        }
    }

    /// Shows that a task's success could not be remembered.
    pub(super) fn note_unmarked(&mut self, unit: &str, reason: &str) {
        self.troubles
            .insert(unit.to_owned(), format!("run_once of {unit}: {reason}"));
    }

    fn question(&self, unit: &Unit) -> Result<Option<Question>, String> {
        let Some(RunOnce::Marker { inputs, creates }) = unit.task().and_then(|task| task.run_once.as_ref())
        else {
            return Ok(None);
        };
        let resolved = self.resolve(unit, &unit.launch)?;
        let user = resolved
            .credentials
            .as_ref()
            .map(|credentials| credentials.name.clone());
        let definition = format!(
            "{:?}\n{:?}\n{:?}\n{user:?}",
            unit.launch, resolved.cwd, resolved.own
        );
        Ok(Some(Question {
            directory: self.options.state_directory.join("run-once"),
            task: unit.name.clone(),
            definition: definition.into_bytes(),
            workspace: self.options.workspace.clone(),
            inputs: inputs.clone(),
            creates: creates.clone(),
        }))
    }

    /// Collects all children that have ended.
    pub(super) fn reap(&self) -> Vec<(u32, Exit)> {
        std::iter::from_fn(|| reap::next().map(|reaped| (reaped.pid, reaped.exit))).collect()
    }

    /// The unit whose leader this was; only once, since the number is free now.
    pub(super) fn take_leader(&mut self, pid: u32) -> Option<Key> {
        self.by_pid.remove(&pid)
    }

    /// Reads what the unit's processes have written up to now.
    pub(super) fn drain(&self, key: Key) {
        if let Some(output) = self.entries.get(&key).map(|entry| &entry.output) {
            output.drain();
        }
    }

    /// Notes that a unit's leader has ended. A client that was killed says nothing about its container.
    pub(super) fn note_exit(&self, key: Key, outcome: Exit) {
        if let (Some(container), Exit::Code(_)) = (self.container(key), outcome) {
            container.note_end();
        }
    }

    fn container(&self, key: Key) -> Option<&Container> {
        self.entries.get(&key)?.container.as_ref()
    }

    /// Whether any process of the unit is alive, or its container. Where that cannot be told, none is said to be: a stop
    /// must end.
    pub(super) fn has_processes(&self, key: Key) -> bool {
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
    pub(super) fn signal(&mut self, key: Key, signal: i32) {
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
    pub(super) fn kill(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
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

fn denied(processes: &[tree::Process]) -> Option<String> {
    if processes.is_empty() {
        return None;
    }
    let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
    Some(format!("not permitted for process {}", pids.join(", ")))
}
