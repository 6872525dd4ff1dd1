//! Boxes, as the API shows them, and what is done with one that is there.

use agentbox_ctl::paths;
use agentbox_ctl::spec::Attachments;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::super::error::{Answered, Error, Reply};
use super::{World, stopped};
use crate::boxes::private::Document;
use crate::boxes::{BoxInfo, observe};
use crate::commands::{destroy, restart, url};
use crate::docker::Docker;
use crate::lifecycle;
use crate::relay::Relay;
use crate::settings::Layers;
use crate::target::{Target, settled};

/// Boxes that are looked into at once.
const AT_ONCE: usize = 8;

/// A box as JSON.
pub(super) async fn describe(world: &World<'_>, docker: &Docker, info: &BoxInfo) -> Result<Value, Error> {
    let templates = templates(world)?;
    Ok(shown(world, docker, info, &templates).await)
}

async fn shown(world: &World<'_>, docker: &Docker, info: &BoxInfo, templates: &[(String, String)]) -> Value {
    let document = Document {
        docker,
        info,
        path: paths::ATTACHED,
    };
    // What only somebody in the box can have broken hides no box.
    let attached: Attachments = document.read().await.unwrap_or_default();
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
        "url": url::stable(&info.name, world.port),
        "created_at": info.created_at,
    })
}

/// Words for images, and the images.
pub(super) fn templates(world: &World<'_>) -> Result<Vec<(String, String)>, Error> {
    // Only the user's own settings count.
    let layers = Layers::load(world.context, None, &[])?;
    Ok(layers.templates())
}

pub(super) async fn list(world: &World<'_>) -> Answered {
    let docker = world.docker()?;
    let boxes = observe(&docker).await?.boxes;
    let templates = templates(world)?;
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
    Ok(Reply::of(200, describe(world, &docker, &info).await?))
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
    Ok(Reply::of(200, describe(world, docker, now).await?))
}
