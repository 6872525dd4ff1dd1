//! Removing checkpoints, and choosing which one is a project's default.

use agentbox_ctl::failure::Failure;

use super::catalog::{Catalog, Checkpoint};
use super::reference::Key;
use super::still::abandoned;
use super::used::{User, users_of};
use crate::docker::Docker;
use crate::lifecycle;
use crate::ui::one_line;

/// Most users of a checkpoint whose removal is hinted at.
const HINTED: usize = 3;

/// Makes sure that a checkpoint can be removed.
///
/// # Errors
/// One that boxes were made from, those of the engine.
pub async fn check_unused(
    docker: &Docker,
    catalog: &Catalog,
    checkpoint: &Checkpoint,
) -> Result<(), Failure> {
    // A second name of the same image keeps it.
    let is_last = catalog
        .checkpoints
        .iter()
        .all(|other| other.id != checkpoint.id || other.tag == checkpoint.tag);
    if !is_last {
        return Ok(());
    }
    let mut users = users_of(docker, checkpoint).await?;
    if users.contains(&User::Command) {
        for half in abandoned(docker).await? {
            lifecycle::remove_half_made(docker, &half.id).await?;
        }
        users = users_of(docker, checkpoint).await?;
    }
    if users.is_empty() {
        Ok(())
    } else {
        Err(in_use(&checkpoint.name, &users))
    }
}

/// Removes a checkpoint that nothing uses, with its project's default tag where that is on it. Tells whether it was.
/// Layers that other checkpoints lie on stay with those.
///
/// # Errors
/// One that boxes were made from, those of the engine.
pub async fn remove(docker: &Docker, catalog: &Catalog, checkpoint: &Checkpoint) -> Result<bool, Failure> {
    check_unused(docker, catalog, checkpoint).await?;
    // The engine takes the image away with its last tag.
    docker.remove_image(&checkpoint.tag).await?;
    if checkpoint.is_default {
        docker.remove_image(&checkpoint.key.default_tag()).await?;
    }
    Ok(checkpoint.is_default)
}

fn in_use(name: &str, users: &[User]) -> Failure {
    let named: Vec<_> = users.iter().map(User::to_string).collect();
    let failure = Failure::failed(format!(
        "checkpoint `{name}` is in use: {}",
        one_line(&named.join(", "))
    ))
    .cause("a box lies on the files of the checkpoint that it was made from");
    users
        .iter()
        .take(HINTED)
        .fold(failure, |failure, user| failure.hint(one_line(&user.removal())))
}

/// Makes a checkpoint the one that new boxes of its project start from.
///
/// # Errors
/// Those of the engine.
pub async fn set_default(docker: &Docker, checkpoint: &Checkpoint) -> Result<(), Failure> {
    let (repository, tag) = checkpoint.key.default_parts();
    Ok(docker.tag_image(&checkpoint.id, &repository, tag).await?)
}

/// Lets new boxes of a project start cold. `false` where they did before.
///
/// # Errors
/// Those of the engine.
pub async fn clear_default(docker: &Docker, key: &Key) -> Result<bool, Failure> {
    match docker.remove_image(&key.default_tag()).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
