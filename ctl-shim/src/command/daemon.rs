//! The commands that run in a box: the supervisor, PID 1, and the process behind an exec.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use nix::sys::stat::{Mode, umask};

use crate::failure::Failure;
use crate::paths;
use crate::protocol::seed::{SEEDED, SEEDED_WITHOUT_HISTORY};
use crate::seed::{self, History};
use crate::supervisor::{self, Options};

#[derive(Debug, Args)]
pub(super) struct DaemonArguments {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory that relative paths resolve against
    #[arg(long, value_name = "DIR", default_value = paths::WORKSPACE)]
    workspace: PathBuf,
    /// Directory of the unit logs
    #[arg(long, value_name = "DIR", default_value = paths::LOGS)]
    log_dir: PathBuf,
    /// Directory of markers, journal and identity
    #[arg(long, value_name = "DIR", default_value = paths::STATE)]
    state_dir: PathBuf,
    /// A supervisor crashed in this life of the box: tasks that are done stay done
    #[arg(long, hide = true)]
    resume: bool,
}

pub(super) fn daemon(arguments: DaemonArguments, socket: &Path) -> Result<u8, Failure> {
    let config = arguments
        .config
        .unwrap_or_else(|| arguments.workspace.join(paths::CONFIG_NAME));
    let absolute = |path: PathBuf| {
        std::path::absolute(&path)
            .map_err(|error| Failure::usage(format!("cannot resolve {}", path.display())).because(&error))
    };
    let options = Options {
        socket: absolute(socket.to_owned())?,
        config: absolute(config)?,
        workspace: absolute(arguments.workspace)?,
        log_directory: absolute(arguments.log_dir)?,
        state_directory: absolute(arguments.state_dir)?,
        resume: arguments.resume,
    };
    supervisor::run(options, &mut std::io::stdout()).map(|()| 0)
}

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Arguments of the supervisor
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// Runs as PID 1. The socket goes on to the supervisor, like every other argument.
pub(super) fn init(arguments: &InitArguments, socket: &Path) -> u8 {
    let mut all: Vec<OsString> = vec!["--socket".into(), socket.into()];
    all.extend(arguments.arguments.iter().cloned());
    crate::init::run(&all)
}

#[derive(Debug, Args)]
pub(super) struct SeedArguments {
    /// Directory to write into
    #[arg(long, value_name = "DIR", default_value = paths::WORKSPACE)]
    workspace: PathBuf,
    /// Numbers of the user and group that everything is made for, where root starts it
    #[arg(long, value_name = "UID:GID", value_parser = owner)]
    owner: Option<(u32, u32)>,
}

fn owner(text: &str) -> Result<(u32, u32), String> {
    let numbers = || {
        let (user, group) = text.split_once(':')?;
        Some((user.parse().ok()?, group.parse().ok()?))
    };
    numbers().ok_or_else(|| "two numbers, with a colon in between".to_owned())
}

/// Writes a project and says on stdout what became of its history.
pub(super) fn seed(arguments: &SeedArguments, context: &super::Context) -> Result<(), Failure> {
    if let Some((user, group)) = arguments.owner {
        seed::become_user(user, group)
            .map_err(|error| Failure::failed("cannot become the box's user").because(&error))?;
    }
    // Modes are those of the stream.
    umask(Mode::empty());
    // From inside: where the root is a file system in user space, it is asked again for each path that begins there.
    std::env::set_current_dir(&arguments.workspace).map_err(|error| {
        Failure::failed(format!("cannot enter {}", arguments.workspace.display())).because(&error)
    })?;
    let history = seed::receive(
        &mut std::io::stdin().lock(),
        Path::new("."),
        Path::new(paths::SEEDED),
        &mut std::io::stdout(),
    )?;
    context.output.line(match history {
        History::Whole => SEEDED,
        History::LeftOut => SEEDED_WITHOUT_HISTORY,
    })
}
