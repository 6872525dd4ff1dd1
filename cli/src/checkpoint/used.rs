//! What was made from a checkpoint: boxes, and other containers.

use std::fmt;

use agentbox_ctl::failure::Failure;

use super::catalog::Checkpoint;
use crate::boxes::{BoxInfo, label, name};
use crate::docker::{ContainerSummary, Docker};

/// The boxes that were made from a checkpoint.
pub fn boxes_of<'a>(boxes: &'a [BoxInfo], checkpoint: &'a Checkpoint) -> impl Iterator<Item = &'a BoxInfo> {
    boxes.iter().filter(|info| info.image_id == checkpoint.id)
}

/// What lies on a checkpoint's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// A box, by its name.
    Box(String),
    /// Another container, by its name.
    Container(String),
}

impl User {
    /// The command that removes it.
    pub fn removal(&self) -> String {
        match self {
            Self::Box(name) => format!("agentbox destroy {name}"),
            Self::Container(name) => format!("docker rm {name}"),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box(name) => write!(formatter, "box `{name}`"),
            Self::Container(name) => write!(formatter, "container `{name}`"),
        }
    }
}

/// Who uses a checkpoint's image.
///
/// # Errors
/// Those of the engine.
pub async fn users_of(docker: &Docker, checkpoint: &Checkpoint) -> Result<Vec<User>, Failure> {
    // Every container of an image has the image's labels.
    let containers = docker.list_containers(label::ID).await?;
    Ok(containers
        .into_iter()
        .filter(|container| container.image_id == checkpoint.id)
        .map(user)
        .collect())
}

fn user(container: ContainerSummary) -> User {
    match container.labels.get(label::NAME) {
        Some(box_name) if container.name == name::container(box_name) => User::Box(box_name.clone()),
        _ => User::Container(container.name),
    }
}
