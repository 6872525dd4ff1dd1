//! `agentbox config unset`.

use agentbox_ctl::failure::Failure;

use super::{Whose, described, full_name};
use crate::Exit;
use crate::context::Context;
use crate::settings::{Change, Changed, find};

/// Arguments of `config unset`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 1 it has no value there.

Examples:
  agentbox config unset box.memory
  agentbox config unset --global box.env.API_URL")]
pub(super) struct Arguments {
    /// The setting; of a mapping or list also one entry, such as box.env.NAME
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    whose: Whose,
}

/// Removes a value, and says where.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (key, entry) = find(&arguments.key)?;
    let (changed, file) = arguments
        .whose
        .change(&Change::unset(key, entry.clone()), context)?;
    let name = full_name(key, entry.as_deref());
    let place = described(&file, context.home.as_deref());
    if changed == Changed::Not {
        return Err(Failure::failed(format!("{name} is not set in {place}"))
            .hint("agentbox config list shows where each value comes from"));
    }
    context.ui.status(&format!("{name} is no longer set in {place}"));
    Ok(Exit::SUCCESS)
}
