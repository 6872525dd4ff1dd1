//! Boxes, as the API shows them, and what is done with one that is there.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::super::error::{Answered, Error, Reply};
use super::{World, stopped};
use crate::boxes::{BoxInfo, BoxState, observe};
use crate::commands::{destroy, restart, url};
use crate::docker::Docker;
use crate::lifecycle;
use crate::relay::Relay;
use crate::settings::Layers;
use crate::spec;
use crate::target::{Target, settled};

/// Boxes that are looked into at once.
const AT_ONCE: usize = 8;

/// How long a supervisor may take to say whether it has an exposed service.
const PATIENCE: Duration = Duration::from_secs(2);

/// A box as JSON.
pub(super) async fn describe(world: &World<'_>, docker: &Docker, info: &BoxInfo) -> Value {
    let templates = templates(world).unwrap_or_default();
    shown(world, docker, info, &templates).await
}

async fn shown(world: &World<'_>, docker: &Docker, info: &BoxInfo, templates: &[(String, String)]) -> Value {
    // What only somebody in the box can have broken hides no box.
    let attached = spec::attached(docker, info).await.unwrap_or_default();
    let specs: Vec<&str> = attached
        .service_specs
        .iter()
        .map(|copy| copy.content.id.as_str())
        .collect();
    let scripts: Vec<&str> = attached
        .setup_scripts
        .iter()
        .map(|copy| copy.content.id.as_str())
        .collect();
    let template = templates.iter().find(|(_, image)| *image == info.image);
    json!({
        "id": info.id,
        "name": info.name,
        "status": info.state.as_str(),
        "template_id": template.map_or(&info.image, |(word, _)| word),
        "image": info.image,
        "project": Some(&info.project).filter(|project| !project.is_empty()),
        "service_spec_ids": specs,
        "setup_script_ids": scripts,
        "url": is_exposed(world, docker, info).await.then(|| url::stable(&info.name, world.port)),
        "created_at": info.created_at,
    })
}

/// Whether the box is one that the relay leads to, and has a service that it leads to.
async fn is_exposed(world: &World<'_>, docker: &Docker, info: &BoxInfo) -> bool {
    if info.state != BoxState::Running || !info.is_of(&world.context.home_label()) {
        return false;
    }
    let target = Target::of(docker.clone(), info.clone(), Relay::of(world.context, docker));
    let units = timeout(PATIENCE, target.units()).await;
    matches!(units, Ok(Ok((_, units))) if units.services.iter().any(|service| service.expose.is_some()))
}

/// Words for images, and the images. What only shows boxes does without where the settings are broken.
pub(super) fn templates(world: &World<'_>) -> Result<Vec<(String, String)>, Error> {
    Ok(layers(world)?.templates())
}

/// The settings: only the user's own count. What is wrong with them is no mistake of a client.
pub(super) fn layers(world: &World<'_>) -> Result<Layers, Error> {
    Layers::load(world.context, None, &[]).map_err(|failure| Error {
        status: 500,
        ..failure.into()
    })
}

pub(super) async fn list(world: &World<'_>) -> Answered {
    let docker = world.docker()?;
    let boxes = observe(&docker).await?.boxes;
    let templates = templates(world).unwrap_or_default();
    let all: Vec<Value> = futures_util::stream::iter(&boxes)
        .map(|info| shown(world, &docker, info, &templates))
        .buffered(AT_ONCE)
        .collect()
        .await;
    Ok(Reply::of(200, all.into()))
}

pub(super) async fn get(world: &World<'_>, word: &str) -> Answered {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    Ok(Reply::of(200, describe(world, &docker, &info).await))
}

pub(super) async fn start(world: &mut World<'_>, word: &str) -> Answered {
    let (docker, info) = settled_box(world, word).await?;
    let interrupt = &mut world.interrupt;
    lifecycle::start(world.context, &docker, &info, interrupt)
        .await
        .map_err(stopped(409))?;
    after(world, &docker, &info).await
}

pub(super) async fn stop(world: &mut World<'_>, word: &str) -> Answered {
    let (docker, info) = settled_box(world, word).await?;
    let stopping = lifecycle::stop(world.context, &docker, &info);
    world.interrupt.guard(stopping).await.map_err(stopped(409))?;
    after(world, &docker, &info).await
}

pub(super) async fn restart(world: &mut World<'_>, word: &str) -> Answered {
    let (docker, info) = settled_box(world, word).await?;
    let target = Target::of(docker.clone(), info.clone(), None);
    restart::whole_box(world.context, &target, &mut world.interrupt)
        .await
        .map_err(stopped(409))?;
    after(world, &docker, &info).await
}

pub(super) async fn delete(world: &mut World<'_>, word: &str) -> Answered {
    let (docker, info) = settled_box(world, word).await?;
    let saved = destroy::forced(world.context, &docker, &info)
        .await
        .map_err(stopped(409))?;
    Ok(Reply {
        saved: saved.map(|path| path.display().to_string()),
        ..Reply::done()
    })
}

/// A box that no checkpoint has frozen just now.
pub(super) async fn settled_box(world: &World<'_>, word: &str) -> Result<(Docker, BoxInfo), Error> {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let info = settled(world.context, &docker, info)
        .await
        .map_err(|failure| Error::from_failure(&failure, 409))?;
    Ok((docker, info))
}

/// The box as it is after something was done with it.
async fn after(world: &World<'_>, docker: &Docker, info: &BoxInfo) -> Answered {
    if let Some(relay) = Relay::of(world.context, docker) {
        // So that its URLs work at once.
        let _ = relay.wake().await;
    }
    let boxes = observe(docker).await?.boxes;
    let now = boxes.iter().find(|now| now.id == info.id);
    let now = now.ok_or_else(|| Error::new(404, "the box is gone"))?;
    Ok(Reply::of(200, describe(world, docker, now).await))
}
