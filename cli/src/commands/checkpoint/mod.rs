//! `agentbox checkpoint create`, `list`, `show`, `rm` and `set-default`.

mod create;
mod list;
mod rm;
mod set_default;
mod show;

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
    /// List checkpoints
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show what is in a checkpoint, what is not, and what looks like a secret
    Show(show::Arguments),
    /// Remove checkpoints
    Rm(rm::Arguments),
    /// Choose the checkpoint that new boxes of the project start from
    SetDefault(set_default::Arguments),
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
        Command::Rm(arguments) => rm::run(arguments, context),
        Command::SetDefault(arguments) => set_default::run(arguments, context),
    }
}
