//! `agentbox setup-script create`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{RunOn, SetupScript, SetupScriptFields};

use super::{content, time};
use crate::Exit;
use crate::context::Context;
use crate::spec::{Library, checked};

/// Arguments of `setup-script create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the script's id. Exit codes: 1 the name is taken, 2 something is wrong with it.

Examples:
  agentbox setup-script create install-deps -f install.sh
  printf 'sudo apt-get update' | agentbox setup-script create update -f - --run-on every_start"
)]
pub(super) struct Arguments {
    /// Its name: letters, digits, _ and -; the task is setup-NAME
    #[arg(value_name = "NAME")]
    name: String,
    /// The script; - is stdin. Its first line says what runs it: #!; else bash does, or sh
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// When it runs: first_boot, once in each box (the default), or every_start
    #[arg(long, value_name = "WHEN", value_parser = time)]
    run_on: Option<RunOn>,
}

/// Keeps a new script, and prints its id.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let fields = checked::<SetupScript>(SetupScriptFields {
        name: arguments.name.clone(),
        content: content(&arguments.file, context)?,
        run_on: arguments.run_on.unwrap_or_default(),
    })?;
    let script = Library::of(context)?.setup_scripts.create(fields)?;
    let name = &script.fields.name;
    context.ui.status(&format!(
        "setup script `{name}` is kept: agentbox create --setup-script {name}, or agentbox setup-script attach BOX {name}"
    ));
    if context.json {
        context.ui.json(&script)?;
    } else {
        context.ui.line(&script.id)?;
    }
    Ok(Exit::SUCCESS)
}
