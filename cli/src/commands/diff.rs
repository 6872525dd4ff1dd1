//! `agentbox diff`.

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::target::Target;
use crate::work::diff::{self, Shown};

/// Arguments of `diff`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Shows what changed in /workspace since the box forked from the project: commits, changes that nobody has
committed, and new files that git does not ignore. Works on a box in any state, and leaves it in it.

Examples:
  agentbox diff mybox
  agentbox diff mybox --stat"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Show how much changed in each file
    #[arg(long, group = "form")]
    stat: bool,
    /// Show names of changed files only
    #[arg(long, group = "form")]
    name_only: bool,
    /// Show names of changed files, each with a letter
    #[arg(long, group = "form")]
    name_status: bool,
}

/// Shows what changed in a box.
///
/// # Errors
/// No such box (3), one that is dead or has no repository (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let shown = match (arguments.stat, arguments.name_only, arguments.name_status) {
        (true, ..) => Shown::Stat,
        (_, true, _) => Shown::Names,
        (.., true) => Shown::Statuses,
        _ => Shown::Patch,
    };
    on_runtime(async {
        let mut interrupt = Interrupt::new()?;
        let target = Target::resolve(context, arguments.name.as_deref()).await?;
        match diff::diff(context, &target, shown, &mut interrupt).await {
            Ok(()) => Ok(Exit::SUCCESS),
            Err(Stopped::Interrupted) => Ok(interrupt::EXIT),
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    })
}
