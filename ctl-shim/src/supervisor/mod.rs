//! The supervisor: reads the configuration, runs the units, answers requests.
//!
//! ```text
//!  socket ─► server ─► answer ──(commands)──► engine ◄── SIGCHLD, timers, probes, output
//!                        │                      │  ▲
//!         journal, logs ─┘                      ▼  │
//!                                            machine (pure)
//!                                               │ effects
//!              launch (processes, logs) ◄───────┼──────► probe, forward, journal, record
//! ```
//!
//! One thread, no periodic wake-up: when nothing happens, nothing runs.

mod answer;
mod attached;
mod clock;
mod dial;
pub(crate) mod docker;
mod effects;
mod engine;
mod forward;
mod idle;
pub mod journal;
mod launch;
mod lives;
pub mod machine;
mod message;
mod output;
mod ownership;
mod ports;
mod probe;
mod record;
mod requests;
mod restore;
mod run_once;
mod script_file;
mod secrets;
mod server;
mod settings;
mod shared;
mod stream;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::{Notify, Semaphore, mpsc};

use crate::failure::Failure;
use crate::identity::Identity;
use crate::paths;
use crate::time::Timestamp;

/// Where a supervisor finds and keeps things.
#[derive(Debug, Clone)]
pub struct Options {
    /// The socket it answers on.
    pub socket: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// The directory that relative paths of the configuration resolve against.
    pub workspace: PathBuf,
    /// Unit logs.
    pub log_directory: PathBuf,
    /// `run_once` markers; identity, journal and record in `private/` below it.
    pub state_directory: PathBuf,
    /// A former life of this supervisor, in the same life of the box, has crashed: tasks that are done stay so.
    pub resume: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            socket: paths::SOCKET.into(),
            config: paths::CONFIG.into(),
            workspace: paths::WORKSPACE.into(),
            log_directory: paths::LOGS.into(),
            state_directory: paths::STATE.into(),
            resume: false,
        }
    }
}

impl Options {
    /// The private directory.
    pub fn private(&self) -> PathBuf {
        self.state_directory.join("private")
    }

    /// Where the markers of `run_once` lie.
    pub fn run_once(&self) -> PathBuf {
        self.state_directory.join("run-once")
    }
}

/// Runs a supervisor in the foreground until SIGTERM or SIGINT, then ends all units in order.
///
/// Once requests are answered, `announce` gets one line: `agentbox-ctl <version>: ready`.
///
/// # Errors
/// A socket that another supervisor owns, directories that cannot be written.
pub fn run(options: Options, announce: &mut dyn Write) -> Result<(), Failure> {
    // `init` waits for its signals with a mask, which its children inherit: with it no SIGCHLD would reach us.
    nix::sys::signal::SigSet::empty()
        .thread_set_mask()
        .map_err(|error| Failure::failed("cannot unblock signals").because(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the supervisor").because(&error))?;
    tokio::task::LocalSet::new().block_on(&runtime, supervise(options, announce))
}

async fn supervise(options: Options, announce: &mut dyn Write) -> Result<(), Failure> {
    let options = Rc::new(options);
    let private = options.private();
    ownership::prepare_directories(&options)?;
    // Held until the end: whoever has it owns the socket, the journal and the units.
    let _ownership = ownership::acquire(&options)?;
    let identity = read_identity(&private)?;
    secrets::place(&options)?;
    let journal_path = private.join(paths::JOURNAL_NAME);
    let journal = journal::Journal::open(&journal_path).map_err(|error| {
        Failure::failed(format!("cannot open {}", journal_path.display())).because(&error)
    })?;
    let restored = if options.resume {
        restore::read(&private, &journal_path)
    } else {
        restore::Restored::new()
    };

    let idle = idle::is_asked_for(&private, options.resume);
    let read = if idle {
        settings::Read {
            config: None,
            errors: vec!["error: started without units, to save the box's work".to_owned()],
        }
    } else {
        settings::read(&options)
    };
    let (commands, command_queue) = mpsc::channel(64);
    let (messages, message_queue) = mpsc::unbounded_channel();
    let sequence = journal.last();
    let shared = Rc::new(shared::Shared {
        commands,
        journal: RefCell::new(journal),
        event_told: Notify::new(),
        log_grown: Notify::new(),
        log_directory: options.log_directory.clone(),
        unit_names: RefCell::default(),
        started_at: Timestamp::now(),
        connections: Cell::new(0),
        dials: Semaphore::new(dial::MOST),
    });
    let box_name = (!identity.name.is_empty()).then(|| identity.name.clone());
    let box_user = identity.user.clone();
    script_file::clear(&options);
    let launcher = launch::Launcher::new(Rc::clone(&options), identity, Rc::clone(&shared))?;
    // Saving the box's work is no start of the box: what is attached waits for the next one.
    let attached = if idle {
        attached::Attached::default()
    } else {
        attached::Attached::begin(&options)
    };
    let mut config = read.config.unwrap_or_default();
    if !idle {
        settings::complete(&mut config, &attached, &launcher);
    }
    let mut engine = engine::Engine::new(engine::Parts {
        machine: machine::Machine::new(config, sequence, &restored),
        launcher,
        config_errors: read.errors,
        attached,
        options: Rc::clone(&options),
        shared: Rc::clone(&shared),
        recorder: record::Recorder::new(private.join(paths::RECORD_NAME)),
        box_name,
        messages,
    });
    let listener = ownership::listen(&options, &box_user)?;
    engine.begin();
    crate::process::give_back_memory();
    let serving = tokio::task::spawn_local(server::serve(listener, shared));
    // Whoever started us may have closed its end.
    let _ = writeln!(announce, "agentbox-ctl {}: ready", env!("CARGO_PKG_VERSION"));
    let _ = announce.flush();
    let result = engine.run(command_queue, message_queue).await;
    serving.abort();
    ownership::remove_socket(&options);
    result
}

fn read_identity(private: &std::path::Path) -> Result<Identity, Failure> {
    let path = private.join("box.json");
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| Failure::failed(format!("cannot read {}", path.display())).because(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Identity::default()),
        Err(error) => Err(Failure::failed(format!("cannot read {}", path.display())).because(&error)),
    }
}
