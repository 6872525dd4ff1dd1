//! The validated content of an `agentbox.yaml`: plain data, every default filled in.
//!
//! A value of these types has passed validation: names are well formed, needs resolve and are free of cycles,
//! regular expressions compile. Two units are equal exactly when a reload has nothing to do for them.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::settings::Entry;
use crate::spec::ExecStart;

/// Time from the stop signal to SIGKILL where the file gives none, and for tasks.
pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_millis(10_000);

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Services, then tasks, each in the order of the file.
    pub units: Vec<Unit>,
    /// Host files to copy into the box, in the order of the file. No two have the same `dest`.
    pub carry: Vec<Carry>,
    /// `defaults`: settings for `create`. What they ask for concerns the host alone.
    pub defaults: Vec<Entry>,
}

/// An entry of `carry`. Both paths are in their shortest form: no `.`, no `..`, no doubled or trailing slash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Carry {
    /// File or directory of the host: starts with `/`, `~/` (the user's home) or `./` (the project).
    pub src: String,
    /// Where it goes in the box: starts with `/` or `~/` (the box user's home).
    pub dest: String,
    /// Permission bits of files, at most `0o777`; `None` keeps the host's.
    pub mode: Option<u32>,
    /// Name or uid of the owner in the box. `None` is the box user.
    pub user: Option<String>,
    /// Globs, relative to the directory at `src`, of what is left out.
    pub exclude: Vec<String>,
    /// Whether `src` may be missing.
    pub optional: bool,
    /// Whether it must not enter the box's writable layer: it lies in the private volume, `dest` is a link.
    pub secret: bool,
}

/// A service or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The unit's name, `[A-Za-z0-9_-]{1,63}`.
    pub name: String,
    /// What is run.
    pub launch: Launch,
    /// Working directory as written; relative paths resolve against the workspace. `None` is the workspace, and the user's
    /// home for what is attached.
    pub cwd: Option<String>,
    /// Environment of the unit, in the order of the file.
    pub env: Vec<(String, String)>,
    /// Files of `KEY=VALUE` lines, read at each start; later files win, `env` wins over all.
    pub env_files: Vec<EnvFile>,
    /// Name or uid to run as. `None` is the box user.
    pub user: Option<String>,
    /// Names of the units that must be in their good end state first, in the order of the file.
    pub needs: Vec<String>,
    /// What only services, or only tasks, have.
    pub kind: UnitKind,
}

/// The part of a unit that depends on what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitKind {
    /// Long-running.
    Service(Service),
    /// Runs to completion.
    Task(Task),
}

/// What a unit runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Launch {
    /// A string, run by `bash -c`, or `sh -c` where the image has no bash.
    Shell(String),
    /// An argument vector, run without a shell. Never empty.
    Argv(Vec<String>),
    /// A container run inside the box (services only).
    Image(ImageLaunch),
    /// The command of a service spec, run without a shell in the home of the user. No file can say so.
    Exec(ExecStart),
    /// A setup script, run in the home of the user (tasks only). No file can say so.
    Script(Arc<str>),
}

/// `image:` of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLaunch {
    /// Image reference.
    pub name: String,
    /// Ports, in `docker run -p` syntax.
    pub ports: Vec<String>,
    /// Arguments given to the container's entrypoint.
    pub args: Vec<String>,
    /// Name of the container, by default made from the unit's.
    pub container_name: Option<String>,
}

impl ImageLaunch {
    /// The container's name: the unit's own is made to fit where Docker is stricter.
    pub fn container_name(&self, unit: &str) -> String {
        match &self.container_name {
            Some(name) => name.clone(),
            None if unit.len() > 1 && !unit.starts_with(['-', '_']) => unit.to_owned(),
            None => ["unit", unit].join("-"),
        }
    }
}

/// One entry of `env_file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// Path below the workspace, as written; of a service spec, an absolute one.
    pub path: String,
    /// Whether the file may be missing; in systemd's syntax, whether it may be anything that cannot be read.
    pub optional: bool,
    /// How it is read.
    pub syntax: EnvSyntax,
}

/// Syntax of a file with variables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EnvSyntax {
    /// That of docker and dotenv.
    #[default]
    Dotenv,
    /// That of systemd's `EnvironmentFile=`.
    Systemd,
}

/// What only services have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Whether it starts with the supervisor.
    pub autostart: bool,
    /// What happens after it exits.
    pub restart: RestartPolicy,
    /// Delays between restarts.
    pub backoff: Backoff,
    /// Readiness probe. Filled in from `expose` where the file gives none.
    pub ready_when: Option<Probe>,
    /// Signal number sent to stop it.
    pub stop_signal: i32,
    /// Time from the stop signal to SIGKILL.
    pub stop_timeout: Duration,
    /// The web port, where this is the box's web service.
    pub expose: Option<Expose>,
}

/// `restart:` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// After every exit.
    Always,
    /// After a failure only.
    OnFailure,
    /// Never.
    Never,
}

/// `backoff:` of a service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// First delay.
    pub initial: Duration,
    /// Longest delay; never below `initial`. A run that lasts longer resets the delay.
    pub max: Duration,
    /// Growth from one delay to the next, finite and at least 1.
    pub factor: f64,
}

// A factor is finite by validation, so equality is total.
impl Eq for Backoff {}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(500),
            max: Duration::from_millis(30_000),
            factor: 2.0,
        }
    }
}

/// A readiness probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// What is tried.
    pub check: Check,
    /// Longest gap between two attempts (`port`, `http`).
    pub interval: Duration,
    /// Wait before the first attempt (`port`, `http`).
    pub initial_delay: Duration,
    /// Time from spawn until the probe counts as failed, without time spent paused.
    pub timeout: Duration,
    /// What happens then.
    pub on_timeout: OnTimeout,
}

/// What a probe tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// A TCP connection. Without a host: 127.0.0.1, then ::1.
    Port {
        /// Name or address to connect to.
        host: Option<String>,
        /// TCP port.
        port: u16,
    },
    /// An HTTP GET.
    Http {
        /// The URL as written, valid and `http` or `https`.
        url: String,
        /// The one status that counts; `None` is any 2xx.
        expect_status: Option<u16>,
    },
    /// The box's own dockerd answers. No file can say so.
    Docker,
    /// A regular expression over the output.
    LogMatch {
        /// The expression as written; it compiles with `regex::bytes`.
        pattern: String,
    },
}

/// `on_timeout:` of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnTimeout {
    /// End the process and enter the restart policy as a failure.
    Kill,
    /// Leave it and go on probing.
    MarkUnhealthy,
}

/// `expose:` of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Expose {
    /// The port the service listens on.
    pub port: u16,
    /// The port it appears on in the box; always 80.
    #[serde(rename = "as")]
    pub published_as: u16,
}

/// What only tasks have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// When the task is passed over.
    pub run_once: Option<RunOnce>,
}

/// `run_once:` of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOnce {
    /// `true`, or `{inputs, creates}`: a marker of an earlier success decides, with the content of the inputs
    /// and the existence of the created paths. Both lists are empty for `true`.
    Marker {
        /// Globs, relative to the workspace.
        inputs: Vec<String>,
        /// Paths, relative to the workspace.
        creates: Vec<String>,
    },
    /// `{check}`: the command exits 0.
    Check(Launch),
    /// A marker of this name decides, whatever the task is by now. No file can say so.
    Ever(String),
}

impl Unit {
    /// Whether this is a service.
    pub fn is_service(&self) -> bool {
        matches!(self.kind, UnitKind::Service(_))
    }

    /// The service part, where this is a service.
    pub fn service(&self) -> Option<&Service> {
        match &self.kind {
            UnitKind::Service(service) => Some(service),
            UnitKind::Task(_) => None,
        }
    }

    /// Time from the stop signal to SIGKILL.
    pub fn stop_timeout(&self) -> Duration {
        self.service()
            .map_or(DEFAULT_STOP_TIMEOUT, |service| service.stop_timeout)
    }

    /// Whether a failure of it counts as success.
    pub fn ignores_failure(&self) -> bool {
        matches!(&self.launch, Launch::Exec(line) if line.ignores_failure)
    }

    /// The task part, where this is a task.
    pub fn task(&self) -> Option<&Task> {
        match &self.kind {
            UnitKind::Task(task) => Some(task),
            UnitKind::Service(_) => None,
        }
    }
}

impl Config {
    /// The unit of this name.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.units.iter().find(|unit| unit.name == name)
    }

    /// The box's web service and its port.
    pub fn exposed(&self) -> Option<(&Unit, Expose)> {
        self.units
            .iter()
            .find_map(|unit| Some((unit, unit.service()?.expose?)))
    }
}
