//! A look into a box that does not run, without starting it.
//!
//! ```text
//! box (stopped, paused) ─ commit ─► image ─► throw-away container: no network, no capabilities ─► output
//!    volumes below /workspace ───────────────► mounted, read-only
//! ```
//!
//! The box itself is not touched. A look that is cut off leaves a half-made box and an image that carry their maker;
//! `prune` removes them.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::identity::Identity;
use agentbox_ctl::paths;
use futures_util::StreamExt;

use super::inside;
use crate::boxes::identity::{host_id, new_id};
use crate::boxes::maker::Maker;
use crate::boxes::{BoxInfo, label, name};
use crate::context::Context;
use crate::docker::{Channel, ContainerDetails, ContainerSpec, Docker, NamedVolume};
use crate::interrupt::{Interrupt, Stopped};
use crate::supervisor_binary;

/// Largest identity of a box that is read, in bytes.
const IDENTITY_LIMIT: usize = 4 << 20;
/// Processes that a look needs at most.
const PROCESSES: i64 = 256;
/// How much of what it complains about is kept, in bytes.
const COMPLAINT_LIMIT: usize = 8 * 1024;

/// Runs `agentbox-ctl work` with `words` beside a box that does not run; `take` gets what it writes to stdout.
///
/// # Errors
/// Those of the engine, a command that fails, those of `take`, a signal.
pub async fn run(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    words: &[&str],
    interrupt: &mut Interrupt,
    take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Stopped> {
    let step = context
        .ui
        .step(&format!("looking into box `{}` ({})", info.name, info.state));
    let (details, identity) = interrupt
        .guard(async {
            tokio::try_join!(
                docker.inspect_container(&info.container_id),
                docker.read_file(&info.container_id, paths::IDENTITY, IDENTITY_LIMIT),
            )
        })
        .await?;
    let identity: Identity = identity
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let maker = Maker::current().encode();
    let labels = HashMap::from([(label::TEMPORARY.to_owned(), maker.clone())]);
    // Neither is to be cut off: the engine would go on, and nobody would know what it made.
    let image = docker.commit(&info.container_id, &labels).await?;
    let id = new_id()?;
    let spec = spec(info, &details, &identity, &image, &id, maker, words);
    drop(step);
    let result = match docker.create_container(&spec).await {
        Ok(container) => interrupt.guard(watch(docker, info, &container, take)).await,
        Err(error) => Err(error.into()),
    };
    // What cannot be removed now is removed by `prune`.
    if let Err(error) = docker.remove_container(&spec.name).await {
        context.ui.detail(&format!("{error}: {}", error.cause()));
    }
    if let Err(error) = docker.remove_image(&image).await {
        context.ui.detail(&format!("{error}: {}", error.cause()));
    }
    result
}

async fn watch(
    docker: &Docker,
    info: &BoxInfo,
    container: &str,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut attached = docker.attach(container, false).await?;
    docker.start_container(container).await?;
    let mut complaint = Vec::new();
    while let Some(part) = attached.output.next().await {
        match part? {
            (Channel::Stdout, bytes) => take(&bytes)?,
            (Channel::Stderr, bytes) => {
                let room = COMPLAINT_LIMIT.saturating_sub(complaint.len());
                complaint.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
    }
    let code = docker.wait_container(container).await?;
    match u8::try_from(code).unwrap_or(u8::MAX) {
        0 => Ok(()),
        code => Err(inside::complained(&info.name, code, &complaint)),
    }
}

/// The throw-away container. To every other command it is a half-made box.
fn spec(
    info: &BoxInfo,
    details: &ContainerDetails,
    identity: &Identity,
    image: &str,
    id: &str,
    maker: String,
    words: &[&str],
) -> ContainerSpec {
    let below = format!("{}/", paths::WORKSPACE);
    ContainerSpec {
        name: name::temporary(id),
        image: image.to_owned(),
        hostname: info.name.clone(),
        entrypoint: inside::command(words),
        user: if identity.user.is_empty() {
            "0".to_owned()
        } else {
            identity.user.clone()
        },
        labels: HashMap::from([
            (label::ID.to_owned(), id.to_owned()),
            (label::NAME.to_owned(), info.name.clone()),
            (label::HOST.to_owned(), host_id()),
            (label::VERSION.to_owned(), supervisor_binary::VERSION.to_owned()),
            (label::MAKER.to_owned(), maker),
        ]),
        stop_signal: "SIGKILL".to_owned(),
        stop_timeout: 1,
        volumes: details
            .mounts
            .iter()
            .filter(|(kind, _, path)| kind == "volume" && path.starts_with(&below))
            .map(|(_, volume, path)| NamedVolume {
                name: volume.clone(),
                path: path.clone(),
                labels: HashMap::new(),
                read_only: true,
            })
            .collect(),
        capabilities_dropped: vec!["ALL".to_owned()],
        memory: details.memory,
        nano_cpus: details.nano_cpus,
        pids: Some(PROCESSES),
        network: Some("none".to_owned()),
        ..ContainerSpec::default()
    }
}
