//! `agentbox checkpoint show`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;

use super::super::on_runtime;
use crate::Exit;
use crate::boxes;
use crate::checkpoint::{self, Catalog, Manifest};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::project::Project;
use crate::ui::counted;

/// Arguments of `checkpoint show`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads all of its files and says where something looks like a secret: private keys, tokens of known forms,
files such as .env. It prints places, never the secrets, and cannot know what has no form of its own.

Examples:
  agentbox checkpoint show warm
  agentbox checkpoint show warm --strict --json"
)]
pub(super) struct Arguments {
    /// The checkpoint: name, id or tag
    #[arg(value_name = "CHECKPOINT")]
    checkpoint: String,
    /// Fail where something looks like a secret
    #[arg(long)]
    strict: bool,
}

/// Prints what is in a checkpoint and what is not.
///
/// # Errors
/// No such checkpoint (3), with `--strict` something that looks like a secret (1), those of the engine.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let key = checkpoint::key_of(&Project::find(&context.directory)?);
        let (catalog, observed) = tokio::try_join!(Catalog::load(&docker), boxes::observe(&docker))?;
        let found = catalog.find(&key, &arguments.checkpoint)?;
        let image = docker
            .inspect_image(&found.id)
            .await?
            .ok_or_else(|| Failure::not_found(format!("checkpoint `{}` is gone", found.name)))?;
        let mut interrupt = Interrupt::new()?;
        let inside = match checkpoint::look_inside(context, &docker, found, &mut interrupt).await {
            Ok(inside) => inside,
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Interrupted) => return Ok(interrupt::EXIT),
        };
        let made = checkpoint::boxes_of(&observed.boxes, found)
            .map(|info| info.name.clone())
            .collect();
        let manifest = Manifest::new(found, &image, &inside, made);
        if context.json {
            context.ui.json(&manifest)?;
        } else {
            context.ui.data(&manifest.text(Timestamp::now()))?;
        }
        let count = inside.secrets.len() + inside.more_secrets;
        if arguments.strict && count > 0 {
            return Err(Failure::failed(format!(
                "checkpoint `{}` has {} that looks like a secret",
                found.name,
                counted(count, "place", "places")
            ))
            .hint(
                "carry files with secret: true, or remove them in the box and take another one with --merged",
            ));
        }
        Ok(Exit::SUCCESS)
    })
}
