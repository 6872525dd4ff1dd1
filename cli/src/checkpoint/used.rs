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
    /// A command that looks into it, or makes a box of it.
    Command,
}

impl User {
    /// What to do for it to be gone.
    pub fn removal(&self) -> String {
        match self {
            Self::Box(name) => format!("agentbox destroy {name}"),
            Self::Container(name) => format!("docker rm {name}"),
            Self::Command => "agentbox checkpoint rm again, once that has ended".to_owned(),
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Box(name) => write!(formatter, "box `{name}`"),
            Self::Container(name) => write!(formatter, "container `{name}`"),
            Self::Command => formatter.write_str("a command at work on it"),
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
    let value = |key: &str| container.labels.get(key).map_or("", String::as_str);
    let box_name = value(label::NAME);
    if container.name == name::container(box_name) {
        User::Box(box_name.to_owned())
    } else if container.name == name::temporary(value(label::ID)) {
        User::Command
    } else {
        User::Container(container.name)
    }
}
