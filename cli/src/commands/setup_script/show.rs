//! `agentbox setup-script show`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::strip_controls;
use agentbox_ctl::spec::SetupScript;

use super::super::kept;
use crate::Exit;
use crate::context::Context;
use crate::spec::Library;

/// Arguments of `setup-script show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 3 there is no such setup script.

Examples:
  agentbox setup-script show install-deps
  agentbox setup-script show install-deps --content > install.sh")]
pub(super) struct Arguments {
    /// Its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Print the script alone, as it was given
    #[arg(long)]
    content: bool,
}

/// Shows a script.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let script = Library::of(context)?.setup_scripts.find(&arguments.name)?;
    if context.json {
        context.ui.json(&script)?;
    } else if arguments.content {
        context.ui.data_bytes(script.fields.content.as_bytes())?;
    } else {
        context.ui.data(&text(&script))?;
    }
    Ok(Exit::SUCCESS)
}

fn text(script: &SetupScript) -> String {
    let fields = &script.fields;
    let mut text = kept::details(&[
        ("name", fields.name.clone()),
        ("id", script.id.clone()),
        ("unit", fields.unit_name()),
        ("run_on", fields.run_on.to_string()),
        ("created_at", script.created_at.to_string()),
        ("updated_at", script.updated_at.to_string()),
    ]);
    text.push('\n');
    text.push_str(&strip_controls(&fields.content));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
