//! `agentbox spec rm`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::ServiceSpec;

use super::super::kept::{self, Names};
use crate::Exit;
use crate::context::Context;

/// Arguments of `spec rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Boxes that have one lose it at their next `agentbox start`. Exit codes: 3 there is no such service spec; none is
deleted then.

Examples:
  agentbox spec rm api worker"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Names,
}

/// Deletes service specs.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    kept::remove::<ServiceSpec>(&arguments.which, context)
}
