//! Which checkpoint a new box starts from.

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::paths;

use super::catalog::{Catalog, Checkpoint, by_tag, key_of};
use super::reference::Key;
use super::still::Still;
use crate::boxes::name;
use crate::context::Context;
use crate::docker::Docker;
use crate::plan::create::{Settings, Start, Warm};
use crate::project::Project;
use crate::project_config::{self, ValidFile};

/// Finds what the settings ask for, and makes it the image of the box. `None`: the box starts cold.
///
/// # Errors
/// A checkpoint that is not there (3), `resync` being off without one (2), those of the engine.
pub async fn warm_up(
    docker: &Docker,
    project: Option<&Project>,
    settings: &mut Settings,
    resync: bool,
) -> Result<Option<Checkpoint>, Failure> {
    let cold = || match resync {
        true => Ok(None),
        false => Err(Failure::usage("--no-resync is for a box from a checkpoint")
            .hint("agentbox create --from CHECKPOINT --no-resync")),
    };
    if settings.start == Start::Image {
        return cold();
    }
    let key = key_of(project);
    let found = match &settings.start {
        // Boxes without a project have no default in common.
        Start::Default if project.is_none() => return cold(),
        Start::Checkpoint(spec) => named(docker, &key, spec)
            .await
            .map_err(|failure| placed(failure, settings))?,
        _ => match by_tag(docker, &key, &key.default_tag()).await? {
            Some(found) => found,
            None => return cold(),
        },
    };
    settings.image = found.tag.clone();
    settings.warm = Some(Warm {
        checkpoint: found.name.clone(),
        resync,
        base: found.record.base.clone(),
    });
    Ok(Some(found))
}

/// The checkpoint that a user means. A name, which it mostly is, needs no look at all the others.
async fn named(docker: &Docker, key: &Key, spec: &str) -> Result<Checkpoint, Failure> {
    if name::is_valid(spec)
        && let Some(found) = by_tag(docker, key, &key.tag(spec)).await?
    {
        return Ok(found);
    }
    Ok(Catalog::load(docker).await?.find(key, spec)?.clone())
}

/// What a file says is wrong there, and not on the command line.
fn placed(mut failure: Failure, settings: &Settings) -> Failure {
    match settings.place("box.from") {
        Some(place) if failure.kind == Kind::NotFound => {
            failure.kind = Kind::Usage;
            failure
                .cause(place)
                .hint("agentbox create --from none starts without one")
        }
        _ => failure,
    }
}

/// The `agentbox.yaml` of a checkpoint.
///
/// # Errors
/// Mistakes in it (2), those of the engine.
pub async fn config_of(
    context: &Context,
    docker: &Docker,
    checkpoint: &Checkpoint,
) -> Result<ValidFile, Failure> {
    let still = Still::of_image(docker, &checkpoint.id, &checkpoint.name).await?;
    let read = docker
        .read_file(&still.container, paths::CONFIG, project_config::LIMIT as usize)
        .await;
    still.remove(context, docker).await;
    let bytes = read?;
    let config = match &bytes {
        Some(bytes) => {
            project_config::validate(bytes, &format!("{}:{}", checkpoint.name, paths::CONFIG_NAME))?
        }
        None => Default::default(),
    };
    Ok(ValidFile { bytes, config })
}
