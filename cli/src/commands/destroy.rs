//! `agentbox destroy`.

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::boxes;
use crate::context::Context;
use crate::docker::Docker;
use crate::lifecycle;
use crate::project::Project;

/// Arguments of `destroy`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Removes the box, its volumes and its records. Files that exist only in the box are gone.

Examples:
  agentbox destroy mybox
  agentbox destroy mybox -f"
)]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Do not ask; a box that does not exist is no error
    #[arg(short, long)]
    force: bool,
    /// Do not save work first. Nothing is saved yet, with or without it
    #[arg(long)]
    discard: bool,
}

/// Removes a box.
///
/// # Errors
/// No such box (3; not with `-f`), no terminal to ask on and no `-f` (2), those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let observed = boxes::observe(&docker).await?;
        let spec = arguments.name.as_deref();
        if arguments.force && boxes::is_absent(&observed.boxes, &project, spec) {
            context.ui.status("there is no such box");
            return Ok(Exit::SUCCESS);
        }
        let info = boxes::find(&observed.boxes, &project, spec)?;
        let name = &info.name;
        if !arguments.force {
            if !context.ui.is_interactive() {
                return Err(Failure::usage(format!(
                    "without a terminal nobody can say whether box `{name}` may go"
                ))
                .hint(format!("agentbox destroy {name} -f")));
            }
            let question = format!("Remove box `{name}` ({}) and everything in it?", info.state);
            if !context.ui.confirm(&question)? {
                context.ui.status(&format!("box `{name}` stays"));
                return Ok(Exit::FAILURE);
            }
        }
        if !arguments.discard {
            context
                .ui
                .detail("files that exist only in the box are not saved");
        }
        let step = context.ui.step(&format!("removing box `{name}`"));
        lifecycle::remove(&docker, &info.container_id, &info.id).await?;
        step.finish(&format!("removed box `{name}`"));
        if context.json {
            context.ui.json(info)?;
        }
        Ok(Exit::SUCCESS)
    })
}
