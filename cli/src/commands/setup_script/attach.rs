//! `agentbox setup-script attach`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::SetupScript;

use super::super::kept::{self, BoxAndNames};
use crate::Exit;
use crate::context::Context;

/// Arguments of `setup-script attach`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox setup-script attach [OPTIONS] [BOX] NAME...",
    after_help = "Works in any state of the box, and takes effect at its next start. Exit codes: 3 there is no such setup script or box.

Examples:
  agentbox setup-script attach install-deps
  agentbox setup-script attach mybox install-deps"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: BoxAndNames,
}

/// Gives a box setup scripts.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::attach::<SetupScript>(&arguments.which, context)
}
