//! `agentbox spec detach`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::ServiceSpec;

use super::super::kept::{self, BoxAndNames};
use crate::Exit;
use crate::context::Context;

/// Arguments of `spec detach`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox spec detach [OPTIONS] [BOX] NAME...",
    after_help = "Works in any state of the box, and takes effect at its next start. Exit codes: 3 there is no such box, or it has no such service spec.

Examples:
  agentbox spec detach api
  agentbox spec detach mybox api worker"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: BoxAndNames,
}

/// Takes service specs from a box.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::take::<ServiceSpec>(&arguments.which, context)
}
