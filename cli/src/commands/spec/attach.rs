//! `agentbox spec attach`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::ServiceSpec;

use super::super::kept::{self, BoxAndNames};
use crate::Exit;
use crate::context::Context;

/// Arguments of `spec attach`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox spec attach [OPTIONS] [BOX] NAME...",
    after_help = "Works in any state of the box, and takes effect at its next start. Exit codes: 3 there is no such service spec or box.

Examples:
  agentbox spec attach api
  agentbox spec attach mybox api worker"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: BoxAndNames,
}

/// Gives a box service specs.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::attach::<ServiceSpec>(&arguments.which, context)
}
