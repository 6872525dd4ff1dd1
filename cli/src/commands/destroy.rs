//! `agentbox destroy`.

use agentbox_ctl::failure::{Failure, Kind};

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::lifecycle;
use crate::target::Target;

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
}

/// Removes a box.
///
/// # Errors
/// No such box (3; not with `-f`), no terminal to ask on and no `-f` (2), those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = match Target::resolve(context, arguments.name.as_deref()).await {
            Ok(target) => target,
            Err(failure) if is_gone(&failure, arguments) => {
                context.ui.status(&failure.message);
                return Ok(Exit::SUCCESS);
            }
            Err(failure) => return Err(failure),
        };
        let name = &target.info.name;
        if !arguments.force {
            if !context.ui.is_interactive() {
                return Err(Failure::usage(format!(
                    "without a terminal nobody can say whether box `{name}` may go"
                ))
                .hint(format!("agentbox destroy {name} -f")));
            }
            let question = format!(
                "Remove box `{name}` ({}) and everything in it?",
                target.info.state
            );
            if !context.ui.confirm(&question)? {
                context.ui.status(&format!("box `{name}` stays"));
                return Ok(Exit::FAILURE);
            }
        }
        let step = context.ui.step(&format!("removing box `{name}`"));
        lifecycle::remove(&target.docker, &target.info.container_id, &target.info.id).await?;
        step.finish(&format!("removed box `{name}`"));
        if context.json {
            context.ui.json(&target.info)?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// A box that is not there. Several that could be meant are another matter, `-f` or not.
fn is_gone(failure: &Failure, arguments: &Arguments) -> bool {
    arguments.force && failure.kind == Kind::NotFound && !failure.message.contains(" boxes")
}
