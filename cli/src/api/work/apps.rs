//! The apps of a box.

use serde_json::{Value, json};

use super::super::error::{Answered, Error, Reply};
use super::World;
use super::body::Body;
use crate::app::{self, App, Listening};
use crate::boxes::BoxInfo;
use crate::docker::Docker;
use crate::relay::Relay;
use crate::spec::Refused;
use crate::target::Target;

async fn listening(world: &World<'_>, docker: &Docker, info: &BoxInfo) -> Listening {
    let relay = Relay::of(world.context, docker);
    Listening::ask(&Target::of(docker.clone(), info.clone(), relay)).await
}

fn shown(world: &World<'_>, info: &BoxInfo, app: &App, listening: &Listening) -> Value {
    json!({
        "id": app.id,
        "name": app.name,
        "port": app.port,
        "url": app::url(&app.name, &info.name, world.port),
        "health": listening.health(app.port),
        "created_at": app.created_at,
    })
}

/// A list that cannot be read or changed is one of a box in another state.
fn refused(refused: Refused) -> Error {
    match refused {
        Refused::Failed(failure) => Error::from_failure(&failure, 409),
        other => other.into(),
    }
}

pub(super) async fn list(world: &World<'_>, word: &str) -> Answered {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let apps = app::list(&docker, &info).await?;
    let listening = listening(world, &docker, &info).await;
    let all: Vec<Value> = apps
        .iter()
        .map(|app| shown(world, &info, app, &listening))
        .collect();
    Ok(Reply::of(200, all.into()))
}

pub(super) async fn create(world: &World<'_>, word: &str, body: &[u8]) -> Answered {
    let mut body = Body::parse(body)?;
    let name = body.text("name");
    let port = body.port("port");
    // A port that is none has been noted.
    match &name {
        None if body.has_noted("name") => {}
        None => body.note("name", "it is missing"),
        Some(name) => {
            for wrong in app::check(name, port.max(1)) {
                body.note(&wrong.field, wrong.message);
            }
        }
    }
    body.finish()?;
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let name = name.unwrap_or_default();
    let made = app::create(world.context, &docker, &info, &name, port)
        .await
        .map_err(refused)?;
    let listening = listening(world, &docker, &info).await;
    Ok(Reply::of(201, shown(world, &info, &made, &listening)))
}

pub(super) async fn delete(world: &World<'_>, word: &str, name: &str) -> Answered {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    app::remove(world.context, &docker, &info, &[name.to_owned()])
        .await
        .map_err(refused)?;
    Ok(Reply::done())
}
