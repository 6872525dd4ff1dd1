//! `agentbox checkpoint create`, `list`, `show`, `rm` and `set-default`.

mod create;

use agentbox_ctl::failure::Failure;
use clap::Subcommand;

use crate::Exit;
use crate::context::Context;

/// Arguments of `checkpoint`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Save a box as it is
    Create(create::Arguments),
}

/// Runs one of them.
///
/// # Errors
/// Those of the commands.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Create(arguments) => create::run(arguments, context),
    }
}
