//! Taking a checkpoint.
//!
//! ```text
//! running: commit; the engine freezes the box meanwhile ─┐
//! paused, stopped: commit ───────────────────────────────┼─► image, unnamed ─► tag ─► default tag ─► former one away
//! too many layers, or --merged: flatten ─────────────────┘      └── removed on a failure or a signal
//! └────────────── claim to read the box ─────────────────┘                  └─────── claim to name ────────┘
//! ```
//!
//! The image appears whole or not at all, and is a checkpoint from the moment it has its tag. What a kill leaves before
//! that is an unnamed image that carries its maker; `prune` removes it once the maker is gone.

use std::time::{Duration, Instant};

use agentbox_ctl::failure::{Failure, Kind};

use super::catalog::{Catalog, Checkpoint, by_tag};
use super::claim::Claim;
use super::commit::commit;
use super::flatten::flatten;
use super::reference::{self, Key};
use super::still::remove_image;
use super::survey::survey;
use crate::boxes::{self, BoxInfo, BoxState};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle;
use crate::relay;
use crate::ui::one_line;

/// Layers that an image may have for one more to go on top: engines refuse containers with some 125.
const MOST_LAYERS: usize = 110;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Name; `None` takes one from the box.
    pub name: Option<String>,
    /// Whether the name may be another one's, which loses it.
    pub replace: bool,
    /// Whether it has no layers beneath it, whatever the depth.
    pub merged: bool,
    /// How many layers may lie upon each other before they are flattened.
    pub max_depth: usize,
    /// Whether the box is stopped first.
    pub stop: bool,
    /// Whether it becomes the project's default.
    pub set_default: bool,
}

/// A checkpoint that was taken.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What the box did while its files were read.
    pub state: BoxState,
    /// How long it was frozen, where it ran.
    pub paused: Option<Duration>,
}

/// Takes a checkpoint of a box.
///
/// # Errors
/// A name that is no name (2) or is taken, a box that is dead, those of the engine, a signal. Nothing of it is left
/// then, and the box is as it was, but for `stop`.
pub async fn take(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    wanted: &Wanted,
    interrupt: &mut Interrupt,
) -> Result<Taken, Stopped> {
    if let Some(name) = &wanted.name {
        reference::check(name)?;
    }
    if info.state == BoxState::Dead {
        return Err(lifecycle::dead(info).into());
    }
    let claim = Claim::to_read(context, docker, info, interrupt).await?;
    let read = read(context, docker, info, wanted, interrupt).await;
    claim.release(context, docker).await;
    let read = read?;
    match name(context, docker, info, &read, wanted, interrupt).await {
        Ok(checkpoint) => Ok(Taken {
            checkpoint,
            state: read.state,
            paused: read.paused,
        }),
        Err(stopped) => {
            remove_image(context, docker, &read.image).await;
            Err(stopped)
        }
    }
}

/// An image of a box's files that has no name.
#[derive(Debug)]
struct Read {
    image: String,
    /// The name that was free when it was begun.
    name: String,
    state: BoxState,
    paused: Option<Duration>,
}

/// Makes an image of a box's files. For who has the claim.
async fn read(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    wanted: &Wanted,
    interrupt: &mut Interrupt,
) -> Result<Read, Stopped> {
    let key = Key::of(&info.project, &info.host);
    // Another checkpoint may have frozen the box when it was looked at first.
    let looking = async {
        tokio::try_join!(
            Catalog::load(docker),
            survey(docker, info),
            state_of(docker, info)
        )
    };
    let (catalog, survey, mut state) = interrupt.guard(looking).await?;
    choose_name(&catalog, &key, info, wanted)?;
    if wanted.stop {
        interrupt.guard(lifecycle::stop(context, docker, info)).await?;
        state = BoxState::Stopped;
    }
    let mut record = survey.record.clone();
    record.name = choose_name(&catalog, &key, info, wanted)?;
    let runs = state == BoxState::Running;
    let is_deep = survey.depth + 1 > wanted.max_depth || survey.image.layers >= MOST_LAYERS;
    let flat = wanted.merged || is_deep;
    record.depth = if flat { 0 } else { survey.depth + 1 };
    tell_exposed(context, &record.exposed);
    if !flat {
        // What an upper layer hides is in the image all the same.
        record.exposed.extend(survey.exposed_beneath.clone());
        record.exposed.sort();
        record.exposed.dedup();
    }
    let labels = record.labels();
    let read = |image, paused| Read {
        image,
        name: record.name.clone(),
        state,
        paused,
    };
    // An engine that freezes a container while a process is being started in it may not be able to thaw it.
    relay::hold(context, docker, &info.id).await;
    if flat {
        let flattening = flatten(context, docker, info, runs, &survey, &labels, interrupt);
        let flat = flattening.await.map_err(|stopped| explained(info, stopped))?;
        return Ok(read(flat.image, flat.paused));
    }
    let _step = context
        .ui
        .step(&format!("taking a checkpoint of box `{}`", info.name));
    let begun = Instant::now();
    let committing = commit(context, docker, info, &survey.image, &labels, interrupt);
    let image = committing.await.map_err(|stopped| explained(info, stopped))?;
    Ok(read(image, runs.then(|| begun.elapsed())))
}

/// Says which secrets the checkpoint will have.
fn tell_exposed(context: &Context, exposed: &[String]) {
    for path in exposed {
        context.ui.warning(&format!(
            "{} was carried in as a secret and is no link any more but a file of the box: the checkpoint has it",
            one_line(path)
        ));
    }
}

/// The state of a box as it is now.
async fn state_of(docker: &Docker, info: &BoxInfo) -> Result<BoxState, Failure> {
    let boxes = boxes::observe(docker).await?.boxes;
    boxes
        .iter()
        .find(|other| other.id == info.id)
        .map(|now| now.state)
        .ok_or_else(|| Failure::not_found(format!("box `{}` is gone", info.name)))
}

/// Makes an image a checkpoint.
async fn name(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    read: &Read,
    wanted: &Wanted,
    interrupt: &mut Interrupt,
) -> Result<Checkpoint, Stopped> {
    let key = Key::of(&info.project, &info.host);
    let claim = Claim::to_name(context, docker, &key, &read.image, interrupt).await?;
    let named = name_it(docker, info, &key, read, wanted).await;
    claim.release(context, docker).await;
    Ok(named?)
}

/// A failure of the engine's, with what it means.
fn explained(info: &BoxInfo, stopped: Stopped) -> Stopped {
    let Stopped::Failed(mut failure) = stopped else {
        return stopped;
    };
    let is_full = failure.causes.iter().any(|cause| cause.contains("no space left"));
    if failure.kind != Kind::EngineUnreachable {
        failure.message = format!("cannot take a checkpoint of box `{}`", info.name);
    }
    Stopped::Failed(if is_full {
        failure.hint("agentbox df says what takes the space; agentbox prune, or agentbox checkpoint rm")
    } else {
        failure
    })
}

/// The name to take, as things are now.
fn choose_name(catalog: &Catalog, key: &Key, info: &BoxInfo, wanted: &Wanted) -> Result<String, Failure> {
    let is_taken = |name: &str| catalog.named(key, name).is_some();
    match &wanted.name {
        Some(name) if is_taken(name) && !wanted.replace => Err(Failure::failed(format!(
            "there is a checkpoint `{name}` already"
        ))
        .hint(format!(
            "agentbox checkpoint create --name {name} --replace, or --name with another one"
        ))),
        Some(name) => Ok(name.clone()),
        None if wanted.replace && info.name != reference::NONE => Ok(info.name.clone()),
        None => Ok(boxes::name::first_free(&info.name, |name| {
            name == reference::NONE || is_taken(name)
        })),
    }
}

/// Makes an image that is whole a checkpoint, and what had its name before none any more. For who has the claim.
async fn name_it(
    docker: &Docker,
    info: &BoxInfo,
    key: &Key,
    read: &Read,
    wanted: &Wanted,
) -> Result<Checkpoint, Failure> {
    let image = read.image.as_str();
    // Somebody may have taken the name meanwhile.
    let before = Catalog::load(docker).await?;
    let name = match &wanted.name {
        None if before.named(key, &read.name).is_none() => read.name.clone(),
        _ => choose_name(&before, key, info, wanted)?,
    };
    let former = before.named(key, &name);
    docker.tag_image(image, &key.repository(), &name).await?;
    // What new boxes start from is the name, not what had it once.
    if wanted.set_default || former.is_some_and(|former| former.is_default) {
        let (repository, tag) = key.default_parts();
        docker.tag_image(image, &repository, tag).await?;
    }
    if let Some(former) = former.filter(|former| former.id != image) {
        remove_nameless(docker, &former.id).await;
    }
    by_tag(docker, key, &key.tag(&name))
        .await?
        .ok_or_else(|| Failure::failed(format!("checkpoint `{name}` is gone already")))
}

/// Removes an image that has lost its name, unless it has another one, which somebody gave it. What lies on it keeps it;
/// `prune` removes it after that.
async fn remove_nameless(docker: &Docker, image: &str) {
    if let Ok(Some(details)) = docker.inspect_image(image).await
        && details.tags.is_empty()
    {
        let _ = docker.remove_image(image).await;
    }
}
