//! An image of a box's files, on top of the one that the box was made from.

use std::collections::HashMap;

use super::still::remove_image;
use crate::boxes::BoxInfo;
use crate::context::Context;
use crate::docker::{Docker, ImageDetails};
use crate::interrupt::{Interrupt, Stopped};

/// Commits a box and gives the image's id. It is not cut off: the engine would go on, and nobody would know what it
/// made. The engine freezes a box that runs, and thaws it, whoever is still there to see it.
///
/// # Errors
/// Those of the engine, a signal; no image is left then.
pub(super) async fn commit(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    image: &ImageDetails,
    labels: &HashMap<String, String>,
    interrupt: &mut Interrupt,
) -> Result<String, Stopped> {
    let mut committing = std::pin::pin!(docker.commit_frozen(&info.container_id, image, labels));
    tokio::select! {
        image = &mut committing => return Ok(image?),
        _ = interrupt.received() => {}
    }
    context
        .ui
        .status("interrupted: waiting for the engine, which cannot be told to end a commit");
    if let Ok(image) = committing.await {
        remove_image(context, docker, &image).await;
    }
    Err(Stopped::Interrupted)
}
