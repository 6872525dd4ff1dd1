//! `session`: what stands between an exec of the host and its command.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::session::{self, SessionCommand, SessionOptions, SessionPlace};

#[derive(Debug, Args)]
pub(super) struct SessionArguments {
    /// User to run as; the box user where there is none
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Working directory; the workspace where there is none
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Make a terminal of this size
    #[arg(long, value_name = "COLSxROWS", value_parser = size)]
    tty: Option<(u16, u16)>,
    /// TERM, where there is a terminal
    #[arg(long, value_name = "TERM")]
    term: Option<String>,
    /// A variable that wins over all others
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// Run the user's shell as a login shell
    #[arg(long, conflicts_with = "command")]
    login_shell: bool,
    /// Program and arguments
    #[arg(last = true, required_unless_present = "login_shell")]
    command: Vec<OsString>,
}

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
        place: SessionPlace::default(),
    };
    session::run(&options, &mut io::stderr())
}

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed = text
        .split_once('x')
        .and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
    parsed.ok_or_else(|| "a size is COLSxROWS, such as 80x24".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a variable is KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_variables() {
        assert_eq!(size("80x24"), Ok((80, 24)));
        assert!(size("80").is_err());
        assert!(size("-1x24").is_err());
        assert_eq!(variable("A=b=c"), Ok(("A".to_owned(), "b=c".to_owned())));
        assert!(variable("=b").is_err());
    }
}
