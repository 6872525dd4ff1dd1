//! PID 1 of a box: starts the supervisor, reaps orphans, passes on the order to stop.
//!
//! ```text
//! init (PID 1) ── starts ──► agentbox-ctl daemon ── starts ──► units
//!    │  ▲                        │
//!    │  └── SIGCHLD: reap ───────┘ died? start it again, with --resume
//!    │  └── first of all, in a new box: `seed`, which takes the project from stdin, as the box user
//!    └── SIGTERM, SIGINT, SIGQUIT ──► SIGTERM to the daemon; when it has ended, so does the box
//! ```
//!
//! It is a process of its own so that reaping orphans can never take an exit status from the supervisor, and it is
//! synchronous: it waits for signals and needs next to no memory.

use std::ffi::OsString;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::unistd::Pid;

use crate::failure::Failure;
use crate::identity::Identity;
use crate::process::reap::{self, Exit};
use crate::process::users;
use crate::protocol::seed::SEEDED;
use crate::{leftovers, paths, volumes};

/// A daemon that lived for less has failed to start.
const LIVED: Duration = Duration::from_secs(1);
/// First wait before the start after a failed one; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Longest wait between two starts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Runs until a signal asks for the end and the daemon has ended; returns the exit code. `arguments` go to
/// `agentbox-ctl daemon`.
pub fn run(arguments: &[OsString]) -> u8 {
    if std::process::id() != 1 && nix::sys::prctl::set_child_subreaper(true).is_err() {
        complain("cannot become the reaper of orphans");
    }
    let signals = [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
    ];
    let signals = SigSet::from_iter(signals);
    // Blocked, so that they wait for us to ask; the daemon inherits the mask and undoes it.
    if let Err(error) = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), None) {
        complain(&format!("cannot block signals: {error}"));
        return 1;
    }
    if std::process::id() == 1 {
        crate::command::put_shims_in_place();
    }
    if let Err(failure) = seed() {
        complain(failure.render().trim_end());
        return 1;
    }
    let mut init = Init {
        arguments,
        daemon: None,
        stopping: false,
        wait: FIRST_WAIT,
        started: Instant::now(),
        next_start: Instant::now(),
    };
    init.start(false);
    crate::process::give_back_memory();
    loop {
        // A deadline, since orphans that end wake us as often as they like.
        let patience = match init.daemon {
            Some(_) => None,
            None => Some(init.next_start.saturating_duration_since(Instant::now())),
        };
        match next_signal(&signals, patience) {
            Some(Signal::SIGCHLD) => init.reap(),
            Some(Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) => init.stop(),
            _ => {}
        }
        if init.daemon.is_none() && !init.stopping && Instant::now() >= init.next_start {
            init.start(true);
        }
        if init.stopping && init.daemon.is_none() {
            // What is left in a container ends with its PID 1.
            return 0;
        }
    }
}

/// Lets a new box take its project, as the box user, and waits until it has. Volumes become the user's before, and what
/// a checkpoint brought and nobody wants goes.
fn seed() -> Result<(), Failure> {
    let ours = |what: &str, error: &dyn std::error::Error| Failure::failed(format!("{what}: {error}"));
    let start = match fs::read_to_string(paths::SEEDING) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        start => start.map_err(|error| ours("cannot read how to start", &error))?,
    };
    let identity = fs::read(paths::IDENTITY)
        .map_err(|error| ours("cannot read the identity", &error))
        .and_then(|bytes| {
            serde_json::from_slice::<Identity>(&bytes)
                .map_err(|error| ours("cannot understand the identity", &error))
        })?;
    let user = users::lookup(&identity.user, Path::new("/")).map_err(Failure::failed)?;
    volumes::give(&identity.volumes, &user);
    if !start.is_empty() {
        leftovers::clear(&user.home);
    }
    if start == paths::SEEDING_FROZEN {
        // Nobody is left to be told when stdout is gone.
        let _ = writeln!(io::stdout(), "{SEEDED}");
    } else {
        own_list(Path::new(paths::SEEDED), user.uid, user.gid)
            .map_err(|error| ours("cannot make the list of what is sent", &error))?;
        let status = Command::new("/proc/self/exe")
            .arg0("agentbox-ctl")
            .arg("seed")
            .args(["--owner", &format!("{}:{}", user.uid, user.gid)])
            .env("HOME", &user.home)
            .status()
            .map_err(|error| ours("cannot start to take the project", &error))?;
        if !status.success() {
            // It has said why.
            return Err(Failure::failed("the box has no project"));
        }
    }
    fs::remove_file(paths::SEEDING).map_err(|error| ours("cannot note that the project is there", &error))
}

/// Gives the list of what hosts have sent to the box user. Anything but a file of one name is of no use: a link may lead
/// anywhere, and a pipe to nobody.
fn own_list(path: &Path, user: u32, group: u32) -> io::Result<()> {
    let is_list = |metadata: &Metadata| metadata.is_file() && metadata.nlink() == 1;
    if !fs::symlink_metadata(path).is_ok_and(|metadata| is_list(&metadata)) {
        leftovers::remove(path);
    }
    let list = OpenOptions::new()
        .create(true)
        .append(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)?;
    fchown(list, Some(user), Some(group))
}

struct Init<'a> {
    arguments: &'a [OsString],
    daemon: Option<Pid>,
    stopping: bool,
    /// How long to wait before the next start.
    wait: Duration,
    started: Instant,
    /// When a daemon that is gone is started again.
    next_start: Instant,
}

impl Init<'_> {
    fn start(&mut self, resume: bool) {
        self.started = Instant::now();
        let mut command = Command::new("/proc/self/exe");
        // Whoever lists the processes of a box reads the program's name and not where the kernel keeps it.
        command.arg0("agentbox-ctl").arg("daemon").args(self.arguments);
        if resume {
            command.arg("--resume");
        }
        match command.spawn() {
            Ok(child) => self.daemon = Some(Pid::from_raw(child.id().cast_signed())),
            Err(error) => {
                complain(&format!("cannot start the supervisor: {error}"));
                self.lengthen_wait();
            }
        }
    }

    fn reap(&mut self) {
        while let Some(reaped) = reap::next() {
            if self
                .daemon
                .is_none_or(|daemon| daemon.as_raw().cast_unsigned() != reaped.pid)
            {
                continue;
            }
            self.daemon = None;
            if self.stopping {
                continue;
            }
            let how = match reaped.exit {
                Exit::Code(code) => format!("exited with code {code}"),
                Exit::Signal(signal) => format!("was ended by signal {signal}"),
            };
            if self.started.elapsed() < LIVED {
                complain(&format!(
                    "the supervisor {how}; next start in {} ms",
                    self.wait.as_millis()
                ));
                self.lengthen_wait();
            } else {
                complain(&format!("the supervisor {how}; starting it again"));
                self.wait = FIRST_WAIT;
                self.start(true);
            }
        }
    }

    fn lengthen_wait(&mut self) {
        self.next_start = Instant::now() + self.wait;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
    }

    fn stop(&mut self) {
        self.stopping = true;
        if let Some(daemon) = self.daemon {
            // It may have ended already; its SIGCHLD is then on the way.
            let _ = kill(daemon, Signal::SIGTERM);
        }
    }
}

/// Waits for one of `signals`, at most for `patience`.
fn next_signal(signals: &SigSet, patience: Option<Duration>) -> Option<Signal> {
    let timeout = patience.map(|patience| libc::timespec {
        tv_sec: patience.as_secs().cast_signed(),
        tv_nsec: patience.subsec_nanos().into(),
    });
    let timeout = timeout.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the set and the timeout outlive the call; no information about the signal is asked for.
    #[expect(unsafe_code, reason = "nix has no sigtimedwait")]
    let number = unsafe { libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), timeout) };
    Signal::try_from(number).ok()
}

/// Says what is wrong where `docker logs` shows it.
fn complain(text: &str) {
    // Nobody is left to be told when stderr is gone.
    let _ = writeln!(io::stderr(), "agentbox-ctl init: {text}");
}
