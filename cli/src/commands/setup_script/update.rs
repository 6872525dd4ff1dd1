//! `agentbox setup-script update`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{RunOn, SetupScript, SetupScriptFields};

use super::{content, time};
use crate::Exit;
use crate::context::Context;
use crate::spec::{Library, checked};

/// Arguments of `setup-script update`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "What no flag names stays. Boxes that have the script get the new one at their next `agentbox start`. Exit codes:
1 the new name is taken, 2 something is wrong with it, 3 there is no such setup script.

Examples:
  agentbox setup-script update install-deps -f install.sh
  agentbox setup-script update install-deps --run-on every_start"
)]
pub(super) struct Arguments {
    /// Its name or id
    #[arg(value_name = "NAME")]
    which: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A new script; - is stdin
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// When it runs: first_boot or every_start
    #[arg(long, value_name = "WHEN", value_parser = time)]
    run_on: Option<RunOn>,
}

/// Changes a script.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.name.is_none() && arguments.file.is_none() && arguments.run_on.is_none() {
        return Err(Failure::usage("nothing to change").hint("agentbox setup-script update --help"));
    }
    let new = match &arguments.file {
        Some(path) => Some(content(path, context)?),
        None => None,
    };
    let store = Library::of(context)?.setup_scripts;
    let script = store.update(&arguments.which, |old| {
        checked::<SetupScript>(SetupScriptFields {
            name: arguments.name.clone().unwrap_or_else(|| old.name.clone()),
            content: new.unwrap_or_else(|| old.content.clone()),
            run_on: arguments.run_on.unwrap_or(old.run_on),
        })
    })?;
    context.ui.status(&format!(
        "setup script `{}` is changed; boxes that have it get it at their next start",
        script.fields.name
    ));
    if context.json {
        context.ui.json(&script)?;
    }
    Ok(Exit::SUCCESS)
}
