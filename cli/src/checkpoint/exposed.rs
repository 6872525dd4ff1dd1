//! Secrets that were carried into a box as links to memory, and are files of its own since: a program that saves its
//! settings often replaces the link. They are in a checkpoint then.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use futures_util::StreamExt;
use futures_util::stream;

use super::survey::read;
use crate::docker::{Docker, DockerError, PathKind};

/// Longest list of secrets, in bytes.
const LIMIT: usize = 1 << 20;
/// Most secrets that are looked at.
const MOST: usize = 200;
/// How many at once.
const AT_ONCE: usize = 8;

/// The places of carried secrets where something else than a link lies now: those of the box, and `others`.
///
/// # Errors
/// Those of the engine.
pub(super) async fn exposed(
    docker: &Docker,
    container: &str,
    others: &[String],
) -> Result<Vec<String>, Failure> {
    let list = read(docker, container, paths::CARRIED_SECRETS, LIMIT).await?;
    let mut places: Vec<String> = list
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    places.extend_from_slice(others);
    places.sort();
    places.dedup();
    places.truncate(MOST);
    let looks = stream::iter(places).map(|place| async move {
        Ok::<_, Failure>(is_own(docker, container, &place).await?.then_some(place))
    });
    let found: Vec<_> = looks.buffered(AT_ONCE).collect().await;
    found.into_iter().filter_map(Result::transpose).collect()
}

async fn is_own(docker: &Docker, container: &str, place: &str) -> Result<bool, DockerError> {
    match docker.look_at(container, place).await {
        Err(error @ DockerError::Unreachable { .. }) => Err(error),
        Ok(Some(found)) => Ok(!matches!(found.kind, PathKind::Link(_))),
        // Nothing, or what cannot be reached.
        Ok(None) | Err(_) => Ok(false),
    }
}
