//! What was made from a checkpoint: boxes, and other containers.

use agentbox_ctl::failure::Failure;

use super::catalog::Checkpoint;
use crate::boxes::{BoxInfo, label, name};
use crate::docker::{ContainerSummary, Docker};

/// The boxes that were made from a checkpoint.
pub fn boxes_of<'a>(boxes: &'a [BoxInfo], checkpoint: &'a Checkpoint) -> impl Iterator<Item = &'a BoxInfo> {
    boxes.iter().filter(|info| info.image_id == checkpoint.id)
}

/// Who uses a checkpoint's image, in words: boxes by their names, and other containers.
///
/// # Errors
/// Those of the engine.
pub async fn users_of(docker: &Docker, checkpoint: &Checkpoint) -> Result<Vec<String>, Failure> {
    // Every container of an image has the image's labels.
    let containers = docker.list_containers(label::ID).await?;
    Ok(containers
        .into_iter()
        .filter(|container| container.image_id == checkpoint.id)
        .map(in_words)
        .collect())
}

fn in_words(container: ContainerSummary) -> String {
    match container.labels.get(label::NAME) {
        Some(box_name) if container.name == name::container(box_name) => format!("box `{box_name}`"),
        _ => format!("container `{}`", container.name),
    }
}
