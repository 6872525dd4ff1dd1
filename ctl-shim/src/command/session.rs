//! `session`: the process behind `agentbox exec` and `agentbox shell`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::session::{SessionCommand, SessionOptions, SessionPlace, run};

#[derive(Debug, Args)]
pub(super) struct SessionArguments {
    /// User: a name or uid, optionally with a group
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Working directory; relative ones resolve against the workspace
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Open a terminal of this size
    #[arg(long, value_name = "COLSxROWS", value_parser = parse_size)]
    tty: Option<(u16, u16)>,
    /// TERM of the terminal
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// Environment variable
    #[arg(short, long = "env", value_name = "K=V", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// The user's shell instead of a command
    #[arg(long, conflicts_with = "command", required_unless_present = "command")]
    login_shell: bool,
    /// Identity of the box
    #[arg(long, hide = true, value_name = "FILE", default_value = crate::paths::IDENTITY)]
    identity: PathBuf,
    /// Directory that relative paths resolve against
    #[arg(long, hide = true, value_name = "DIR", default_value = crate::paths::WORKSPACE)]
    workspace: PathBuf,
    /// Command and arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn parse_size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text
        .split_once('x')
        .and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    parsed.ok_or_else(|| "expected COLSxROWS, such as 80x24".to_owned())
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// Runs the command and says how the process ends.
pub(super) fn session(arguments: SessionArguments) -> u8 {
    let options = SessionOptions {
        user: arguments.user,
        cwd: arguments.cwd,
        terminal: arguments.tty,
        term: arguments.term,
        env: arguments.env,
        command: if arguments.login_shell {
            SessionCommand::LoginShell
        } else {
            SessionCommand::Argv(arguments.command)
        },
        place: SessionPlace {
            identity: arguments.identity,
            workspace: arguments.workspace,
            ..SessionPlace::default()
        },
    };
    run(&options, &mut std::io::stderr())
}
