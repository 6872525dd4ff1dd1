//! `agentbox checkpoint set-default`.

use agentbox_ctl::failure::Failure;

use super::super::on_runtime;
use crate::Exit;
use crate::checkpoint::{self, Catalog};
use crate::context::Context;
use crate::docker::Docker;
use crate::project::Project;
use crate::ui::one_line;

/// Arguments of `checkpoint set-default`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox checkpoint set-default warm
  agentbox checkpoint set-default --clear")]
pub(super) struct Arguments {
    /// The checkpoint: name, id or tag
    #[arg(value_name = "CHECKPOINT", required_unless_present = "clear")]
    checkpoint: Option<String>,
    /// Let new boxes of the project start cold
    #[arg(long, conflicts_with = "checkpoint")]
    clear: bool,
}

/// Chooses the checkpoint that `create` starts from in this project.
///
/// # Errors
/// No such checkpoint (3), one of another project (2), those of the engine.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let key = checkpoint::key_of(&Project::find(&context.directory)?);
        let Some(spec) = &arguments.checkpoint else {
            let had_one = checkpoint::clear_default(&docker, &key).await?;
            context.ui.status(if had_one {
                "agentbox create starts cold in this project now"
            } else {
                "this project has no default checkpoint already"
            });
            return Ok(Exit::SUCCESS);
        };
        let catalog = Catalog::load(&docker).await?;
        let found = catalog.find(&key, spec)?;
        if found.key != key {
            return Err(Failure::usage(format!(
                "checkpoint `{}` is of another project: {}",
                found.name,
                one_line(&found.record.project)
            ))
            .hint("call it in that project, or agentbox config set box.from with its tag"));
        }
        checkpoint::set_default(&docker, found).await?;
        context.ui.status(&format!(
            "agentbox create starts from checkpoint `{}` in this project; --from none does not",
            found.name
        ));
        Ok(Exit::SUCCESS)
    })
}
