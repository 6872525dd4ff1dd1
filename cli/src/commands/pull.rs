//! `agentbox pull`.

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::target::Target;
use crate::work;

/// Arguments of `pull`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The commit that is checked out in the box arrives on the branch agentbox/BOX of the project's repository,
the box's other branches under refs/agentbox/BOX/. Nothing is merged; your work tree, index and other
branches stay as they are.

Examples:
  agentbox pull mybox
  git diff HEAD...agentbox/mybox
  git merge agentbox/mybox"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Overwrite a branch here that the box has rewritten
    #[arg(short, long)]
    force: bool,
}

/// Fetches a box's commits.
///
/// # Errors
/// No such box (3), one that does not run or has no repository, no repository on the host, a branch that is checked out
/// or was rewritten (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let mut interrupt = Interrupt::new()?;
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        match work::pull::pull(context, &target, arguments.force, &mut interrupt).await {
            Ok(()) => Ok(Exit::SUCCESS),
            Err(Stopped::Interrupted) => Ok(interrupt::EXIT),
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    })
}
