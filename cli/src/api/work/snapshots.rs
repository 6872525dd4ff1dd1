//! Checkpoints of a box.

use serde_json::{Value, json};

use super::super::error::{Answered, Error, Reply};
use super::body::Body;
use super::boxes::layers;
use super::{World, stopped};
use crate::boxes::{BoxInfo, name};
use crate::checkpoint::{self, Catalog, Checkpoint, Key, NONE, Wanted};

fn shown(checkpoint: &Checkpoint) -> Value {
    json!({
        "id": checkpoint.digits(),
        "name": checkpoint.name,
        "workspace": checkpoint.record.source_box,
        "size": checkpoint.size,
        "created_at": checkpoint.record.time,
    })
}

/// Those of a box: of its project, or of boxes without one, and taken of a box of its name.
fn of_box<'a>(catalog: &'a Catalog, info: &BoxInfo) -> Vec<&'a Checkpoint> {
    let key = Key::of(&info.project, &info.host);
    let all = catalog.checkpoints.iter();
    all.filter(|checkpoint| checkpoint.key == key && checkpoint.record.source_box == info.name)
        .collect()
}

pub(super) async fn list(world: &World<'_>, word: &str) -> Answered {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let catalog = Catalog::load(&docker).await?;
    let all: Vec<Value> = of_box(&catalog, &info).into_iter().map(shown).collect();
    Ok(Reply::of(200, all.into()))
}

pub(super) async fn create(world: &mut World<'_>, word: &str, body: &[u8]) -> Answered {
    let mut body = Body::parse(body)?;
    let given = body.text("name");
    if let Some(given) = &given
        && (!name::is_valid(given) || given == NONE)
    {
        let rule = format!(
            "1 to {} of a-z, 0-9 and -, without - at either end, and not `{NONE}`",
            name::MAX_LENGTH
        );
        body.note("name", rule);
    }
    body.finish()?;
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let layers = layers(world)?;
    let depth = layers.value("checkpoint.max_depth");
    let wanted = Wanted {
        name: given,
        replace: false,
        merged: false,
        max_depth: depth.and_then(|row| row.text.parse().ok()).unwrap_or_default(),
        stop: false,
        set_default: false,
    };
    let taken = checkpoint::take(world.context, &docker, &info, &wanted, &mut world.interrupt)
        .await
        .map_err(stopped(409))?;
    Ok(Reply::of(201, shown(&taken.checkpoint)))
}

pub(super) async fn delete(world: &World<'_>, word: &str, snapshot: &str) -> Answered {
    let docker = world.docker()?;
    let info = world.find(&docker, word).await?;
    let catalog = Catalog::load(&docker).await?;
    let all = of_box(&catalog, &info);
    let by_name = all.iter().find(|checkpoint| checkpoint.name == snapshot);
    let found = by_name.or_else(|| all.iter().find(|checkpoint| checkpoint.digits() == snapshot));
    let Some(found) = found else {
        return Err(Error::new(404, "there is no such checkpoint of this box"));
    };
    let conflict = |failure| Error::from_failure(&failure, 409);
    checkpoint::check_unused(&docker, &catalog, found)
        .await
        .map_err(conflict)?;
    checkpoint::remove(&docker, &catalog, found)
        .await
        .map_err(conflict)?;
    Ok(Reply::done())
}
