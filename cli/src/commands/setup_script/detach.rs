//! `agentbox setup-script detach`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::SetupScript;

use super::super::kept::{self, BoxAndNames};
use crate::Exit;
use crate::context::Context;

/// Arguments of `setup-script detach`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox setup-script detach [OPTIONS] [BOX] NAME...",
    after_help = "Works in any state of the box, and takes effect at its next start. Exit codes: 3 there is no such box, or it has no such setup script.

Examples:
  agentbox setup-script detach install-deps
  agentbox setup-script detach mybox install-deps"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: BoxAndNames,
}

/// Takes setup scripts from a box.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::take::<SetupScript>(&arguments.which, context)
}
