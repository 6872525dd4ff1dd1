//! Boxes that are frozen for a moment.

use std::time::Duration;

use agentbox_ctl::failure::Failure;

use crate::boxes::{self, BoxInfo, BoxState};
use crate::checkpoint;
use crate::context::Context;
use crate::docker::Docker;

/// How often such a box is looked at.
const PAUSE: Duration = Duration::from_millis(40);

/// Waits while a box is frozen and a checkpoint of it is being taken, and gives the box as it is after that. It is thawed
/// then by itself, whatever is done to it now; and who thaws it sooner has a checkpoint of files that were being written.
///
/// # Errors
/// Those of the engine.
pub async fn settled(context: &Context, docker: &Docker, mut info: BoxInfo) -> Result<BoxInfo, Failure> {
    let mut waits = false;
    while info.state == BoxState::Paused {
        let observed = boxes::observe(docker).await?;
        let is_being_saved = checkpoint::is_being_taken(&observed, &info);
        if let Some(now) = observed.boxes.into_iter().find(|now| now.id == info.id) {
            info = now;
        }
        if !is_being_saved {
            break;
        }
        if !std::mem::replace(&mut waits, true) {
            context.ui.status(&format!(
                "a checkpoint of box `{}` is being taken: waiting",
                info.name
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(info)
}
