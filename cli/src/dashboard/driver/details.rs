//! What is known of a box's present start: when it began, and who needs whom.

use std::collections::HashMap;

use agentbox_ctl::config::{self, LoadOptions};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::super::model::Details;
use super::super::plain::clean;
use crate::docker::DockerError;
use crate::target::Target;
use crate::timeline::Needs;

/// Largest configuration that is read, in bytes. It is read again while the dashboard runs, and a box can have one of
/// any size.
const LIMIT: usize = 1 << 20;

/// Asks the engine, and reads the box's `agentbox.yaml`.
///
/// # Errors
/// A box that is gone, an engine that cannot be reached.
pub(super) async fn read(target: &Target) -> Result<Details, Failure> {
    let container = &target.info.container_id;
    let inspected = target.docker.inspect_container(container).await?;
    let needs = match target.docker.read_file(container, paths::CONFIG, LIMIT).await {
        Ok(None) => Ok(HashMap::new()),
        Ok(Some(content)) => parse(content).await,
        Err(error @ DockerError::Unreachable { .. }) => return Err(error.into()),
        Err(error) => Err(format!(
            "cannot read agentbox.yaml: {}",
            clean(&error.cause().message)
        )),
    };
    Ok(Details {
        started_at: inspected.started_at,
        finished_at: inspected.finished_at,
        needs: Some(needs),
    })
}

/// Who needs whom, by what the file says; not on the thread that draws.
async fn parse(content: Vec<u8>) -> Result<HashMap<String, Needs>, String> {
    let parsed = tokio::task::spawn_blocking(move || {
        let loaded = config::load_bytes(&content, &LoadOptions::default());
        loaded.config.map(|config| {
            let units = config.units.into_iter();
            units.map(Needs::of).collect::<HashMap<_, _>>()
        })
    });
    match parsed.await {
        Ok(Some(needs)) => Ok(needs),
        Ok(None) => Err("agentbox.yaml has mistakes".to_owned()),
        Err(_) => Err("agentbox.yaml cannot be parsed".to_owned()),
    }
}
