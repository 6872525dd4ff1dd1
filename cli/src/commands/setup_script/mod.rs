//! `agentbox setup-script create`, `list`, `show`, `update`, `rm`, `attach` and `detach`.

mod attach;
mod create;
mod detach;
mod list;
mod rm;
mod show;
mod update;

use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::RunOn;
use clap::Subcommand;

use super::kept;
use crate::Exit;
use crate::context::Context;
use crate::ui::one_line;

/// Arguments of `setup-script`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Keep a new setup script
    Create(create::Arguments),
    /// List setup scripts
    #[command(visible_alias = "ls")]
    List(list::Arguments),
    /// Show a setup script
    Show(show::Arguments),
    /// Change a setup script
    Update(update::Arguments),
    /// Delete setup scripts
    Rm(rm::Arguments),
    /// Give a box setup scripts, from its next start on
    Attach(attach::Arguments),
    /// Take setup scripts from a box, from its next start on
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

/// Reads `--run-on`.
fn time(text: &str) -> Result<RunOn, String> {
    RunOn::from_word(text).ok_or_else(|| "write first_boot or every_start".to_owned())
}

/// The script that `-f` names.
fn content(path: &Path, context: &Context) -> Result<String, Failure> {
    let (name, content) = kept::read(path, context)?;
    String::from_utf8(content)
        .map_err(|error| Failure::usage(format!("{} is no UTF-8 text", one_line(&name))).because(&error))
}
