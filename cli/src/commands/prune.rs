//! `agentbox prune`.

use std::time::Duration;

use agentbox_ctl::failure::Failure;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::on_runtime;
use crate::Exit;
use crate::boxes::maker::{self, Maker};
use crate::boxes::{self, label};
use crate::context::Context;
use crate::creation::now;
use crate::docker::Docker;
use crate::lifecycle;
use crate::plan::prune::{self, Leftovers};
use crate::ui::{counted, one_line};

/// Arguments of `prune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Never touches a box that `agentbox list -g` shows.

Examples:
  agentbox prune
  agentbox prune -f --json")]
pub struct Arguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
}

/// What was removed, as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Removed<'a> {
    half_made: Vec<&'a str>,
    volumes: &'a [String],
    images: &'a [String],
    checkpoints: &'a [String],
}

/// How long removals that have begun may take; what is left after that is for the next prune.
const REMOVALS: Duration = Duration::from_secs(10);
/// Time between two looks at them.
const REMOVALS_POLL: Duration = Duration::from_millis(50);

/// Removes what nobody needs: half-made boxes whose maker is gone, volumes whose box is gone, images that served a
/// command which is gone, checkpoints without a name that nothing lies on.
///
/// # Errors
/// No terminal to ask on and no `-f` (2), those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        await_removals(&docker).await?;
        // Volumes first: a box that is made between the two calls has its container before we look at those.
        let volumes = docker.list_volumes(label::ID, true).await?;
        let observed = boxes::observe(&docker).await?;
        let images = docker.list_images(label::TEMPORARY).await?;
        let saved = docker.list_images(label::CHECKPOINT).await?;
        let leftovers = prune::leftovers(
            &observed,
            &volumes,
            &images,
            &saved,
            &Maker::current(),
            now(),
            maker::start_time,
        );
        if !leftovers.is_empty() && !arguments.force && !agreed(context, &leftovers)? {
            context.ui.status("nothing was removed");
            return Ok(Exit::FAILURE);
        }
        let mut half_made = Vec::new();
        for half in &leftovers.half_made {
            if lifecycle::remove_half_made(&docker, &half.id).await? {
                half_made.push(half.id.as_str());
            }
        }
        let mut volumes = Vec::new();
        for volume in leftovers.volumes {
            match docker.remove_volume(&volume).await {
                Ok(()) => volumes.push(volume),
                // The engine makes the volumes of a container before it lists the container: a box is being made
                // beside us, and the volume is its own.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        for image in &leftovers.images {
            docker.remove_image(image).await?;
        }
        // The newest first: the others may lie beneath.
        let mut checkpoints = Vec::new();
        for image in leftovers.checkpoints {
            match docker.remove_image(&image).await {
                Ok(()) => checkpoints.push(image),
                // Something lies on it, or it went with what lay on it.
                Err(error) if error.is_conflict() || error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        if context.json {
            context.ui.json(&Removed {
                half_made,
                volumes: &volumes,
                images: &leftovers.images,
                checkpoints: &checkpoints,
            })?;
        } else if half_made.is_empty()
            && volumes.is_empty()
            && leftovers.images.is_empty()
            && checkpoints.is_empty()
        {
            context.ui.status("there is nothing to remove");
        } else {
            context.ui.status(&format!(
                "removed {}, {}, {} and {}",
                counted(half_made.len(), "half-made box", "half-made boxes"),
                counted(volumes.len(), "volume", "volumes"),
                counted(leftovers.images.len(), "temporary image", "temporary images"),
                counted(
                    checkpoints.len(),
                    "checkpoint without a name",
                    "checkpoints without a name"
                )
            ));
        }
        Ok(Exit::SUCCESS)
    })
}

/// Waits until the engine has finished the removals it has begun, so that the volumes they free are seen.
async fn await_removals(docker: &Docker) -> Result<(), Failure> {
    let deadline = Instant::now() + REMOVALS;
    while boxes::observe(docker).await?.going > 0 && Instant::now() < deadline {
        sleep(REMOVALS_POLL).await;
    }
    Ok(())
}

fn agreed(context: &Context, leftovers: &Leftovers) -> Result<bool, Failure> {
    for half in &leftovers.half_made {
        context.ui.status(&format!(
            "half-made box `{}` ({})",
            one_line(&half.name),
            one_line(&half.id)
        ));
    }
    for volume in &leftovers.volumes {
        context.ui.status(&format!("volume {}", one_line(volume)));
    }
    for image in &leftovers.images {
        context.ui.status(&format!("temporary image {}", one_line(image)));
    }
    for image in &leftovers.checkpoints {
        context
            .ui
            .status(&format!("checkpoint without a name {}", one_line(image)));
    }
    if !context.ui.is_interactive() {
        return Err(
            Failure::usage("without a terminal nobody can say whether these may go")
                .hint("agentbox prune -f"),
        );
    }
    context.ui.confirm("Remove all of this?")
}
