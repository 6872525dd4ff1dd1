//! `agentbox-ctl init`: PID 1 of a box. It starts the daemon, collects the dead and passes on the wish to end.
//!
//! ```text
//! docker stop ─ SIGTERM ─► init ─ SIGTERM ─► daemon ── stops the units in order, exits 0
//!                            │ ◄─ exit ───────┘
//!                            ├─ asked to end: exit 0
//!                            └─ otherwise: start it again, with a growing delay where it dies young
//! ```
//!
//! It has no runtime and no state worth losing, since the box ends when it does.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::libc;

use crate::process::environment::Environment;
use crate::process::reap::{self, Exit};
use crate::process::signals::Arrivals;
use crate::process::spawn::{SpawnRequest, Stdio, spawn};
use crate::process::tree;

/// A daemon that lives less than this has died young.
const YOUNG: Duration = Duration::from_secs(1);
/// Delay after the second young death in a row; the first is answered at once.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(10);
/// Time for the kernel to end what was killed.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// Signals that ask for an ordered shutdown. Docker sends SIGTERM; the rest is what people and machines send.
fn ends(signal: i32) -> bool {
    [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGPWR].contains(&signal)
        || signal == libc::SIGRTMIN() + 3
}

/// Runs `agentbox-ctl daemon` with these arguments until an ordered stop. Returns the exit code to end with: 0
/// after an ordered stop, 1 where the daemon failed at it. What goes wrong is written to `errors`.
///
/// It blocks signals and, where it is not PID 1, makes this process a subreaper: it is for a process that does
/// nothing else.
pub fn run(arguments: &[OsString], errors: &mut dyn Write) -> u8 {
    let program = std::env::current_exe()
        .ok()
        .filter(|path| path.exists())
        .unwrap_or_else(|| "/proc/self/exe".into());
    let argv: Vec<OsString> = [program.into_os_string(), "daemon".into()]
        .into_iter()
        .chain(arguments.iter().cloned())
        .collect();
    run_command(&argv, errors)
}

/// [`run`] with any command in place of the daemon.
pub fn run_command(argv: &[OsString], errors: &mut dyn Write) -> u8 {
    match supervise(argv, errors) {
        Ok(code) => code,
        Err(error) => {
            say(errors, &format!("cannot go on: {error}"));
            end_the_rest(errors);
            1
        }
    }
}

/// Errors have nowhere else to go, so a stderr that takes none is no reason to stop.
fn say(errors: &mut dyn Write, what: &str) {
    let _ = writeln!(errors, "agentbox-ctl init: {what}");
}

/// What the daemon is doing.
enum Daemon {
    Running { pid: u32, since: Instant },
    Due(Instant),
}

fn supervise(argv: &[OsString], errors: &mut dyn Write) -> io::Result<u8> {
    // Everything that can be blocked: PID 1 must not die of a signal that nobody thought of.
    let all: Vec<i32> = (1..=libc::SIGRTMAX()).collect();
    let arrivals = Arrivals::of(&all)?;
    if std::process::id() != 1 {
        reap::become_subreaper()?;
    }
    let mut young_deaths = 0;
    let mut stopping = false;
    let mut daemon = Daemon::Due(Instant::now());
    loop {
        if let Daemon::Due(at) = daemon
            && at <= Instant::now()
        {
            daemon = start(argv, &mut young_deaths, errors);
        }
        let longest = match daemon {
            Daemon::Running { .. } => None,
            Daemon::Due(at) => Some(at.saturating_duration_since(Instant::now())),
        };
        arrivals.poll(longest)?;
        while let Some(signal) = arrivals.next() {
            if !ends(signal) {
                // SIGHUP, SIGUSR1 and the like ask for nothing that PID 1 does; SIGCHLD is looked after below.
                continue;
            }
            stopping = true;
            match daemon {
                // Again each time: a daemon that hangs may want to know that somebody is impatient.
                Daemon::Running { pid, .. } => tree::signal_process(pid, libc::SIGTERM),
                Daemon::Due(_) => {
                    end_the_rest(errors);
                    return Ok(1);
                }
            }
        }
        while let Some(reaped) = reap::next() {
            let Daemon::Running { pid, since } = daemon else {
                continue;
            };
            if reaped.pid != pid {
                continue;
            }
            let how = describe(reaped.exit);
            if stopping {
                if reaped.exit.is_success() {
                    return Ok(0);
                }
                say(
                    errors,
                    &format!("the supervisor {how} before it had stopped everything; ending the rest"),
                );
                end_the_rest(errors);
                return Ok(1);
            }
            let delay = next_delay(since.elapsed(), &mut young_deaths);
            say(
                errors,
                &format!(
                    "the supervisor {how} unexpectedly; starting it again{}",
                    in_time(delay)
                ),
            );
            daemon = Daemon::Due(Instant::now() + delay);
        }
    }
}

fn start(argv: &[OsString], young_deaths: &mut u32, errors: &mut dyn Write) -> Daemon {
    let request = SpawnRequest {
        argv,
        environment: &Environment::of_this_process(),
        cwd: Path::new("/"),
        credentials: None,
        tag: None,
        stdio: Stdio::Inherit,
    };
    match spawn(&request) {
        Ok(pid) => Daemon::Running {
            pid,
            since: Instant::now(),
        },
        Err(failure) => {
            let delay = next_delay(Duration::ZERO, young_deaths).max(FIRST_DELAY);
            say(errors, &format!("{failure}; trying again{}", in_time(delay)));
            Daemon::Due(Instant::now() + delay)
        }
    }
}

/// Nothing after the first young death, then doubling; a daemon that grew old starts the count anew.
fn next_delay(lived: Duration, young_deaths: &mut u32) -> Duration {
    if lived >= YOUNG {
        *young_deaths = 0;
        return Duration::ZERO;
    }
    *young_deaths = young_deaths.saturating_add(1);
    match young_deaths.checked_sub(2) {
        Some(doublings) => FIRST_DELAY
            .saturating_mul(1 << doublings.min(16))
            .min(LONGEST_DELAY),
        None => Duration::ZERO,
    }
}

fn in_time(delay: Duration) -> String {
    if delay.is_zero() {
        String::new()
    } else {
        format!(" in {} ms", delay.as_millis())
    }
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exited with code {code}"),
        Exit::Signal(signal) => match nix::sys::signal::Signal::try_from(signal) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
    }
}

/// Ends what a daemon left behind that did not get to it: as PID 1 everything there is, else our descendants.
fn end_the_rest(errors: &mut dyn Write) {
    if std::process::id() == 1 {
        // SAFETY: plain integers. From PID 1 this reaches every other process of the container.
        #[expect(unsafe_code, reason = "nix has no name for this pid")]
        // It fails where nobody is left.
        unsafe {
            libc::kill(-1, libc::SIGKILL);
        }
    }
    match tree::kill_descendants(AFTER_KILL) {
        Ok(killed) if killed.is_complete() => {}
        Ok(killed) => say(
            errors,
            &format!("{} processes could not be ended", killed.left.len()),
        ),
        Err(error) => say(errors, &format!("cannot look for processes: {error}")),
    }
    while reap::next().is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_while_it_dies_young() {
        let mut deaths = 0;
        let delays: Vec<u128> = (0..10)
            .map(|_| next_delay(Duration::from_millis(5), &mut deaths).as_millis())
            .collect();
        assert_eq!(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(next_delay(Duration::from_secs(2), &mut deaths), Duration::ZERO);
        assert_eq!(next_delay(Duration::ZERO, &mut deaths), Duration::ZERO);
        deaths = u32::MAX;
        assert_eq!(next_delay(Duration::ZERO, &mut deaths), LONGEST_DELAY);
    }
}
