//! `agentbox-ctl session`: runs one command for a client outside of the box.
//!
//! ```text
//! client ═ stdin, framed ═► session ─ pipe or pty ─► command and what it starts
//!        ◄═ stdout, stderr ═══════════ directly, or from the pty's other side
//! ```
//!
//! An exec outlives a client that goes away and Docker has no call to end it; so this process stays between the
//! two. It notices the end of its stdin and then ends the whole tree of the command. When the command exits by
//! itself, what it left in the background stays, as it does after `docker exec`.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::identity::Identity;
use crate::paths;
use crate::process::environment::{Environment, Sources, compose};
use crate::process::place::Place;
use crate::process::spawn::{SpawnFailure, SpawnFailureKind, SpawnRequest, Stdio, spawn};
use crate::process::tag::Life;
use crate::process::tree::UnitHandle;
use crate::process::{reap, signals, users};

mod ending;
mod input;
mod relay;
mod terminal;

use terminal::Terminal;

/// Exit code for a failure of ours.
const FAILED: u8 = 125;
/// Exit code for a command that is there and cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// Exit code for a command that is not there.
const NOT_FOUND: u8 = 127;

/// What to run and how.
#[derive(Debug, Clone)]
pub struct SessionOptions {
    /// User, as in an image's configuration; `None` is the box user.
    pub user: Option<String>,
    /// Working directory; relative ones resolve against the workspace. `None` is the workspace.
    pub cwd: Option<PathBuf>,
    /// Columns and rows of a terminal; `None` is none.
    pub terminal: Option<(u16, u16)>,
    /// `TERM`, where there is a terminal.
    pub term: Option<String>,
    /// Variables that win over all others.
    pub env: Vec<(String, String)>,
    /// What to run.
    pub command: SessionCommand,
    /// Where this box is.
    pub place: SessionPlace,
}

/// What a session runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionCommand {
    /// Program and arguments. Not empty.
    Argv(Vec<OsString>),
    /// The user's shell as a login shell; where it cannot be run, bash, then sh.
    LoginShell,
}

/// Paths that differ in tests only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPlace {
    /// The box's identity.
    pub identity: PathBuf,
    /// The project's directory.
    pub workspace: PathBuf,
    /// Where `etc/passwd` and the like are.
    pub root: PathBuf,
}

impl Default for SessionPlace {
    fn default() -> Self {
        Self {
            identity: paths::IDENTITY.into(),
            workspace: paths::WORKSPACE.into(),
            root: "/".into(),
        }
    }
}

/// Runs the command with this process's stdin, stdout and stderr, and returns the exit code to end with: the
/// command's own, 128 and the number of the signal that ended it, 126, 127, or 125 for a failure of ours, which
/// is written to `errors`.
///
/// It blocks signals and makes this process a subreaper, so it is for a process that does nothing else.
pub fn run(options: &SessionOptions, errors: &mut dyn Write) -> u8 {
    match try_run(options) {
        Ok(code) => code,
        Err((failure, code)) => {
            // Nobody is left to tell where this fails.
            let _ = errors.write_all(failure.render().as_bytes());
            code
        }
    }
}

type Problem = (Failure, u8);

fn ours(message: &str, error: &(dyn std::error::Error + 'static)) -> Problem {
    (Failure::failed(message).because(error), FAILED)
}

fn try_run(options: &SessionOptions) -> Result<u8, Problem> {
    let identity = read_identity(&options.place.identity)?;
    let user = options.user.as_deref().unwrap_or(&identity.user);
    let credentials =
        users::lookup(user, &options.place.root).map_err(|why| (Failure::failed(why), NOT_EXECUTABLE))?;
    let mut variables = Vec::new();
    if let (Some(term), Some(_)) = (&options.term, options.terminal) {
        variables.push(("TERM".to_owned(), term.clone()));
    }
    variables.extend(options.env.iter().cloned());
    let environment = compose(&Sources {
        base: &Environment::of_this_process(),
        identity: &identity,
        credentials: &credentials,
        place: &Place::find(&identity, &options.place.root),
        files: &[],
        unit: &variables,
    });
    let cwd = options
        .place
        .workspace
        .join(options.cwd.as_deref().unwrap_or(Path::new("")));

    reap::become_subreaper().map_err(|error| ours("cannot adopt orphaned processes", &error))?;
    let arrivals =
        signals::Arrivals::of(&relay::SIGNALS).map_err(|error| ours("cannot watch signals", &error))?;
    // Where no tag is possible, session and descent still tell what belongs to the command.
    let tag = Life::new(&[]).ok().and_then(|life| life.tag(0));
    let start = |stdio: Stdio<'_>| {
        start_first(&candidates(options, &credentials.shell), |argv| {
            spawn(&SpawnRequest {
                argv,
                environment: &environment,
                cwd: &cwd,
                credentials: Some(&credentials),
                tag,
                stdio,
            })
        })
    };
    let (pid, ends) = match options.terminal {
        Some((columns, rows)) => {
            let (terminal, user_side) = Terminal::open(columns, rows, credentials.uid)
                .map_err(|error| ours("cannot open a terminal", &error))?;
            (
                start(Stdio::Terminal(user_side.as_fd()))?,
                relay::Ends::Terminal(terminal),
            )
        }
        None => {
            let (read, write) =
                crate::process::spawn::output_pipe().map_err(|error| ours("cannot make a pipe", &error))?;
            (start(Stdio::Input(read.as_fd()))?, relay::Ends::Pipe(write))
        }
    };
    let unit = UnitHandle::new(pid, tag);
    relay::relay(&unit, ends, &arrivals).map_err(|error| {
        // Whatever went wrong here, the command must not stay behind.
        let _ = ending::end(&unit, &arrivals);
        ours("lost the connection between the command and its client", &error)
    })
}

fn read_identity(path: &Path) -> Result<Identity, Problem> {
    let name = path.display();
    let bytes = fs::read(path).map_err(|error| ours(&format!("cannot read `{name}`"), &error))?;
    serde_json::from_slice(&bytes).map_err(|error| ours(&format!("cannot understand `{name}`"), &error))
}

/// Commands to try in turn.
fn candidates(options: &SessionOptions, shell: &str) -> Vec<Vec<OsString>> {
    match &options.command {
        SessionCommand::Argv(argv) => vec![argv.clone()],
        SessionCommand::LoginShell => [shell, "bash", "sh"]
            .into_iter()
            // Accounts of services have these; somebody who asks for a shell wants one.
            .filter(|shell| {
                let name = Path::new(shell).file_name().unwrap_or(OsStr::new(""));
                name != "nologin" && name != "false"
            })
            .map(|shell| vec![shell.into(), "-l".into()])
            .collect(),
    }
}

fn start_first(
    candidates: &[Vec<OsString>],
    spawn: impl Fn(&[OsString]) -> Result<u32, SpawnFailure>,
) -> Result<u32, Problem> {
    let mut first = None;
    for argv in candidates {
        match spawn(argv) {
            Ok(pid) => return Ok(pid),
            Err(failure) => {
                let other_may_work = matches!(
                    failure.kind,
                    SpawnFailureKind::NotFound | SpawnFailureKind::NotExecutable
                );
                first.get_or_insert(failure);
                if !other_may_work {
                    break;
                }
            }
        }
    }
    Err(first.map_or_else(
        || (Failure::failed("nothing to run"), FAILED),
        |failure| {
            let code = match failure.kind {
                SpawnFailureKind::NotFound => NOT_FOUND,
                SpawnFailureKind::System => FAILED,
                _ => NOT_EXECUTABLE,
            };
            (Failure::failed(failure.reason), code)
        },
    ))
}
