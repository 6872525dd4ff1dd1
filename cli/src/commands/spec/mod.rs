//! `agentbox spec create`, `list`, `show`, `update`, `rm`, `attach` and `detach`.

mod attach;
mod create;
mod detach;
mod list;
mod rm;
mod show;
mod update;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{ExecStart, RestartPolicy, ServiceSpecFields};
use clap::Subcommand;

use crate::Exit;
use crate::context::Context;

/// Arguments of `spec`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a new service spec
    Create(create::Arguments),
    /// List service specs
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show a service spec, or its systemd unit file
    Show(show::Arguments),
    /// Change a service spec
    Update(update::Arguments),
    /// Delete service specs
    Rm(rm::Arguments),
    /// Give a box service specs, from its next start on
    Attach(attach::Arguments),
    /// Take service specs from a box, from its next start on
    Detach(detach::Arguments),
}

/// Runs one of them.
///
/// # Errors
/// Those of the commands.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Create(arguments) => create::run(arguments, context),
        Command::List(arguments) => list::run(arguments, context),
        Command::Show(arguments) => show::run(arguments, context),
        Command::Update(arguments) => update::run(arguments, context),
        Command::Rm(arguments) => rm::run(arguments, context),
        Command::Attach(arguments) => attach::run(arguments, context),
        Command::Detach(arguments) => detach::run(arguments, context),
    }
}

/// Reads `--restart`.
fn policy(text: &str) -> Result<RestartPolicy, String> {
    RestartPolicy::from_word(text).ok_or_else(|| "write always, on-failure or no".to_owned())
}

/// Says what a person should know about a command line.
fn warn(fields: &ServiceSpecFields, context: &Context) {
    if let Ok(exec_start) = ExecStart::parse(&fields.exec_start) {
        for warning in exec_start.warnings {
            context.ui.warning(&format!("exec_start: {warning}"));
        }
    }
}
