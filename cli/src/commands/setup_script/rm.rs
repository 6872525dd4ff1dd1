//! `agentbox setup-script rm`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::SetupScript;

use super::super::kept::{self, Names};
use crate::Exit;
use crate::context::Context;

/// Arguments of `setup-script rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Boxes that have one lose it at their next `agentbox start`. Exit codes: 3 there is no such setup script; none is
deleted then.

Examples:
  agentbox setup-script rm install-deps"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Names,
}

/// Deletes setup scripts.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::remove::<SetupScript>(&arguments.which, context)
}
