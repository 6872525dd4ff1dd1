//! The host side of agentbox.
//!
//! ```text
//! argv, environment ─► commands (clap) ─► Context ─► one command's run ─► Result<Exit, Failure> ─► ExitCode
//!                                            │
//!                                            └─ Ui: stdout is data, stderr is status
//! ```

pub mod api;
pub mod app;
pub mod approval;
pub mod boxes;
pub mod carry;
pub mod checkpoint;
pub mod commands;
pub mod context;
pub mod copy;
pub mod creation;
pub mod dashboard;
pub mod docker;
pub mod events;
pub mod forward;
pub mod host_file;
pub mod host_git;
pub mod image;
pub mod inspection;
pub mod interrupt;
pub mod lifecycle;
pub mod locale;
pub mod logs;
pub mod on;
pub mod plan;
pub mod project;
pub mod project_config;
pub mod push;
pub mod readiness;
pub mod relay;
pub mod seed;
pub mod session;
pub mod settings;
pub mod spec;
pub mod supervisor_binary;
pub mod target;
pub mod terminal;
pub mod timeline;
pub mod ui;
pub mod units;
pub mod web;
pub mod wizard;
pub mod work;

#[cfg(test)]
mod testing;

use std::ffi::OsString;
use std::process::ExitCode;

use agentbox_ctl::failure::{Failure, Kind};

use crate::context::Context;
use crate::ui::Ui;

/// How a command that did its work ends. Failures are [`Failure`]s; this is for codes that are no failure of
/// ours, such as that of an `exec`'s command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Exit code 0.
    pub const SUCCESS: Self = Self(0);
    /// Exit code 1.
    pub const FAILURE: Self = Self(1);
}

/// What a process ends with when the reader of its output has gone: 128 + SIGPIPE, as for any other tool.
const BROKEN_PIPE: u8 = 141;

/// Runs one command line and says how the process ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command_line: Vec<OsString> = arguments.into_iter().collect();
    let subcommand = commands::subcommand_of(&command_line);
    let arguments = match commands::parse(command_line) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, subcommand.as_deref()),
    };
    let context = match Context::resolve(&arguments.global) {
        Ok(context) => context,
        Err(failure) => return ExitCode::from(finish(&Ui::for_terminal(&arguments.global), Err(failure))),
    };
    let result = arguments.command.run(&context);
    ExitCode::from(finish(&context.ui, result))
}

/// The one place where a failure is printed and becomes an exit code.
fn finish(ui: &Ui, result: Result<Exit, Failure>) -> u8 {
    if ui.is_broken() {
        return BROKEN_PIPE;
    }
    match result {
        Ok(Exit(code)) => code,
        Err(failure) => {
            if failure.kind == Kind::Interrupted {
                ui.status(&failure.message);
            } else {
                ui.failure(&failure);
            }
            failure.kind.exit_code()
        }
    }
}

/// Prints clap's help, version or complaint: help is data, a complaint is an error with its hint.
fn usage(error: &clap::Error, subcommand: Option<&str>) -> ExitCode {
    let ui = Ui::for_terminal(&commands::GlobalArguments::default());
    let text = error.render().to_string();
    if !error.use_stderr() {
        let printed = ui.data(&text);
        return ExitCode::from(finish(&ui, printed.map(|()| Exit::SUCCESS)));
    }
    let mut failure = Failure::usage(String::new());
    let (complaint, hint) = match text.split_once("\nFor more information, try ") {
        Some((complaint, _)) => (complaint, true),
        None => (text.as_str(), false),
    };
    failure.rendered = Some(complaint.trim_end().to_owned());
    if hint {
        failure = failure.hint(match subcommand {
            Some(subcommand) => format!("agentbox {subcommand} --help"),
            None => "agentbox --help".to_owned(),
        });
    }
    ExitCode::from(finish(&ui, Err(failure)))
}
