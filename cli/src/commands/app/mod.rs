//! `agentbox app create`, `list`, `rm` and `expose`.

mod create;
mod expose;
mod list;
mod rm;
mod show;

use agentbox_ctl::failure::Failure;
use clap::Subcommand;

use crate::Exit;
use crate::context::Context;

/// Arguments of `app`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Give a port of a box a name and a URL
    Create(create::Arguments),
    /// List the apps of a box
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Remove apps of a box
    Rm(rm::Arguments),
    /// Make an app for a port that a process listens on, named after it
    Expose(expose::Arguments),
}

/// Runs one of them.
///
/// # Errors
/// Those of the commands.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Create(arguments) => create::run(arguments, context),
        Command::List(arguments) => list::run(arguments, context),
        Command::Rm(arguments) => rm::run(arguments, context),
        Command::Expose(arguments) => expose::run(arguments, context),
    }
}
