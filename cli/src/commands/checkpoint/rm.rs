//! `agentbox checkpoint rm`.

use agentbox_ctl::failure::Failure;
use serde::Serialize;

use super::super::on_runtime;
use crate::Exit;
use crate::checkpoint::{self, Catalog};
use crate::context::Context;
use crate::docker::Docker;
use crate::project::Project;

/// Arguments of `checkpoint rm`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Checkpoints that lie on it go on working. One that boxes were made from stays as long as they do.

Examples:
  agentbox checkpoint rm warm
  agentbox checkpoint rm warm warm-2"
)]
pub(super) struct Arguments {
    /// Checkpoints: name, id or tag
    #[arg(value_name = "CHECKPOINT", required = true)]
    checkpoints: Vec<String>,
}

/// One that was removed, as `--json` has it.
#[derive(Debug, Serialize)]
struct Removed {
    name: String,
    id: String,
    tag: String,
    /// Whether new boxes of the project start cold from now on.
    default: bool,
}

/// Removes checkpoints.
///
/// # Errors
/// No such checkpoint (3) or one that boxes were made from: none is removed then. Those of the engine.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let key = checkpoint::key_of(&Project::find(&context.directory)?);
        let catalog = Catalog::load(&docker).await?;
        let mut wanted = Vec::new();
        for spec in &arguments.checkpoints {
            let found = catalog.find(&key, spec)?;
            if !wanted.contains(&found) {
                wanted.push(found);
            }
        }
        for found in &wanted {
            checkpoint::check_unused(&docker, &catalog, found).await?;
        }
        let mut removed = Vec::new();
        for found in wanted {
            // As things are after the last one.
            let catalog = Catalog::load(&docker).await?;
            let default = checkpoint::remove(&docker, &catalog, found).await?;
            context.ui.status(&format!("removed checkpoint `{}`", found.name));
            if default {
                context
                    .ui
                    .status("it was its project's default: agentbox create starts cold there now");
            }
            removed.push(Removed {
                name: found.name.clone(),
                id: found.id.clone(),
                tag: found.tag.clone(),
                default,
            });
        }
        if context.json {
            context.ui.json(&removed)?;
        }
        Ok(Exit::SUCCESS)
    })
}
