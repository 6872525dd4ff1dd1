//! `agentbox init`. Needs no engine.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;

use crate::Exit;
use crate::context::Context;
use crate::interrupt;
use crate::project::Project;
use crate::wizard::{self, Outcome, Proposed};

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Looks at the project and proposes an agentbox.yaml: tasks, services, probes. Nothing of the project is run,
and a file that is there is never touched.

Exit codes: 0 the file was written or printed, 1 it exists already or was not wanted, 2 nobody could be asked.

Examples:
  agentbox init
  agentbox init -y
  agentbox init --print --project ../other"
)]
pub struct Arguments {
    /// The project's directory; else the git top level, or the current one
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Take the proposal without asking; no env files are imported
    #[arg(short, long)]
    yes: bool,
    /// Print the proposal and write nothing
    #[arg(long, conflicts_with = "yes")]
    print: bool,
}

/// Proposes an `agentbox.yaml` and writes it.
///
/// # Errors
/// One that exists already (1), a directory that cannot be written (1), nobody to ask and no `-y` (2).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let directory = match &arguments.project {
        Some(directory) => context.directory.join(directory),
        None => context.directory.clone(),
    };
    let project = Project::find(&directory)?;
    if arguments.print {
        let proposed = Proposed::of(&project);
        return print(context, &project, &proposed).map(|()| Exit::SUCCESS);
    }
    if project.has_config {
        return Err(wizard::exists(&project));
    }
    let proposed = Proposed::of(&project);
    let outcome = if arguments.yes {
        proposed.accept(context, &project)?
    } else if context.ui.is_interactive() {
        proposed.ask(context, &project)?
    } else {
        proposed.describe(context, &project.root);
        if context.json {
            print(context, &project, &proposed)?;
        }
        return Err(
            Failure::usage("without a terminal nobody can say whether that is right")
                .hint("agentbox init -y takes the proposal, agentbox init --print shows the file"),
        );
    };
    match outcome {
        Outcome::Written(text) => {
            if context.json {
                context.ui.json(&proposed.report(&project, text, true))?;
            }
            Ok(Exit::SUCCESS)
        }
        Outcome::Skipped => {
            context.ui.status("nothing was written");
            Ok(Exit::FAILURE)
        }
        Outcome::Interrupted => {
            context.ui.status("interrupted: nothing was written");
            Ok(interrupt::EXIT)
        }
    }
}

fn print(context: &Context, project: &Project, proposed: &Proposed) -> Result<(), Failure> {
    if context.json {
        return context.ui.json(&proposed.report(project, proposed.text(), false));
    }
    context.ui.data(&proposed.text())
}
