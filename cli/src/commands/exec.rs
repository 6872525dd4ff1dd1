//! `agentbox exec`.

use std::ffi::OsString;
use std::io;

use agentbox_ctl::failure::{Failure, Kind};

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::session::{Ending, Request, Signals, pump};
use crate::target::Target;
use crate::terminal::{self, RawMode};

/// What a failure of ours ends `exec` with, so that it is not taken for the command's.
const OUR_FAILURE: u8 = 125;

/// Arguments of `exec`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "agentbox exec [OPTIONS] BOX COMMAND [ARGUMENT]...
       agentbox exec [OPTIONS] [BOX] -- COMMAND [ARGUMENT]...")]
#[command(
    after_help = "Runs as the box user in /workspace. Stdin, signals and the exit code pass through; there is a terminal when
stdin and stdout are one.
Exit codes: the command's own, 126 it cannot be executed, 127 it is not there, 125 a failure of agentbox.

Examples:
  agentbox exec mybox npm test
  agentbox exec -- git status
  pg_dump app | agentbox exec -u root mybox psql app"
)]
pub struct Arguments {
    /// Pass stdin through, without a terminal unless -t is given too
    #[arg(short, long)]
    interactive: bool,
    /// Make a terminal, even where stdout is none
    #[arg(short, long)]
    tty: bool,
    /// Run as this user: a name or a uid
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
    /// Run in this directory
    #[arg(short, long, value_name = "DIRECTORY")]
    workdir: Option<String>,
    /// Set a variable; without a value it is taken from here
    #[arg(short, long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// The box, then the command
    #[arg(
        value_name = "BOX COMMAND",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    words: Vec<OsString>,
    /// Whether a `--` stood before the first word: the words are the command alone then. The parser swallows it.
    #[arg(skip)]
    escaped: bool,
}

impl Arguments {
    /// Looks up in the whole command line what the parser does not tell.
    pub fn look_up(&mut self, command_line: &[OsString]) {
        // The words are everything to the end, so what stands before them is found by counting.
        let before = command_line
            .len()
            .checked_sub(self.words.len() + 1)
            .and_then(|index| command_line.get(index));
        self.escaped = before.is_some_and(|word| word == "--");
    }
}

/// Runs a command in a box.
///
/// # Errors
/// No such box (3), one that does not run (1), an engine that cannot be reached (4). Later failures are printed and
/// end with 125.
pub fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, command) = split(arguments.words, arguments.escaped)?;
    let request = Request {
        user: arguments.user,
        directory: arguments.workdir,
        env: environment(arguments.env),
        terminal: None,
        command,
    };
    let look = context.ui.look();
    if arguments.tty && !look.stdin_terminal {
        return Err(Failure::usage("the input device is not a terminal").hint("leave out -t"));
    }
    let wants_terminal = match (arguments.interactive, arguments.tty) {
        (_, true) => true,
        (true, false) => false,
        (false, false) => look.stdin_terminal && look.stdout_terminal,
    };
    enter(context, name.as_deref(), request, wants_terminal)
}

/// Opens a session and stays in it until it ends.
///
/// # Errors
/// As [`run`].
pub(super) fn enter(
    context: &Context,
    name: Option<&str>,
    mut request: Request,
    wants_terminal: bool,
) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, name).await?;
        target.require_running()?;
        if wants_terminal {
            request.terminal = Some((terminal::size(), std::env::var("TERM").ok()));
        }
        match attached(context, &target, &request).await {
            Err(failure) if failure.kind == Kind::Failed && !context.ui.is_broken() => {
                context.ui.failure(&failure);
                Ok(Exit(OUR_FAILURE))
            }
            result => result,
        }
    })
}

async fn attached(context: &Context, target: &Target, request: &Request) -> Result<Exit, Failure> {
    let terminal = request.terminal.is_some();
    let signals = Signals::listen(terminal)?;
    let (wire, exit) = target.session(&request.arguments()).await?;
    let raw = terminal.then(RawMode::enter).transpose()?;
    let ending = pump(&context.ui, wire, io::stdin(), signals, raw.as_ref(), terminal).await?;
    drop(raw);
    match ending {
        Ending::Exited => Ok(Exit(exit.code().await?)),
        Ending::HungUp(signal) => Ok(Exit(128 + signal)),
    }
}

/// Which words are the box and which the command.
fn split(words: Vec<OsString>, escaped: bool) -> Result<(Option<String>, Vec<OsString>), Failure> {
    let mut words = words.into_iter().peekable();
    let name = if escaped { None } else { words.next() };
    if name.is_some() {
        words.next_if(|word| word == "--");
    }
    let command: Vec<OsString> = words.collect();
    if command.is_empty() {
        return Err(Failure::usage("no command to run")
            .hint("agentbox exec BOX COMMAND, or agentbox exec -- COMMAND for the project's only box"));
    }
    let name = name
        .map(|name| {
            name.into_string()
                .map_err(|_| Failure::not_found("no box has a name that is not UTF-8"))
        })
        .transpose()?;
    Ok((name, command))
}

/// `KEY=VALUE` as given, `KEY` with its value here; a variable that is not set here is left out, as docker does.
fn environment(variables: Vec<String>) -> Vec<String> {
    variables
        .into_iter()
        .filter_map(|variable| {
            if variable.contains('=') {
                return Some(variable);
            }
            let value = std::env::var(&variable).ok()?;
            Some(format!("{variable}={value}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<(Option<String>, Vec<OsString>), Failure> {
        let line = words(&[&["agentbox", "exec"], line].concat());
        let arguments = super::super::parse(line).unwrap();
        match arguments.command {
            super::super::Command::Exec(arguments) => split(arguments.words, arguments.escaped),
            other => panic!("{other:?}"),
        }
    }

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_box_comes_first_or_is_left_out() {
        let named = Some("b".to_owned());
        assert_eq!(
            parse(&["b", "ls", "-l", "--json"]),
            Ok((named.clone(), words(&["ls", "-l", "--json"])))
        );
        assert_eq!(
            parse(&["b", "--", "ls", "-l"]),
            Ok((named.clone(), words(&["ls", "-l"])))
        );
        assert_eq!(
            parse(&["-u", "root", "--", "ls", "-u"]),
            Ok((None, words(&["ls", "-u"])))
        );
        assert_eq!(
            parse(&["--", "a", "--", "b"]),
            Ok((None, words(&["a", "--", "b"])))
        );
        assert_eq!(
            parse(&["b", "a", "--", "c"]),
            Ok((named, words(&["a", "--", "c"])))
        );
        assert!(parse(&["b"]).is_err());
        assert!(parse(&[]).is_err());
    }
}
