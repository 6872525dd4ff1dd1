//! A new box without a project.

use agentbox_ctl::config::limit;
use agentbox_ctl::spec::Attachments;

use super::super::error::{Answered, Error, Reply};
use super::body::Body;
use super::boxes::{describe, layers, templates};
use super::{World, stopped};
use crate::boxes::{name, observe};
use crate::carry;
use crate::checkpoint;
use crate::creation::{self, Order};
use crate::docker::Docker;
use crate::image;
use crate::plan::create::{Settings, Start, check_image};
use crate::relay::Relay;
use crate::settings::{self, Flags};
use crate::spec::Refused;

/// The template of a box that asks for none.
const DEFAULT_TEMPLATE: &str = "tpl_node";

pub(super) async fn create(world: &mut World<'_>, body: &[u8]) -> Answered {
    let flags = read(world, body)?;
    let layers = layers(world)?;
    let mut settings = settings::resolve(flags, &layers)?;
    let attached = attached(world, &settings)?;
    let docker = world.docker()?;
    let mut order = Order {
        attached,
        ..Order::default()
    };
    if let Some(name) = &settings.name
        && is_taken(&docker, name).await?
    {
        return Err(conflict(name));
    }
    prepare(world, &docker, &mut settings, &mut order).await?;
    let carried = carry::Plan::default();
    let making = creation::create(
        world.context,
        &docker,
        None,
        order,
        &settings,
        &carried,
        &mut world.interrupt,
    );
    let made = match making.await {
        Ok(made) => made,
        Err(failed) => {
            // Somebody may have been faster.
            return Err(match &settings.name {
                Some(name) if is_taken(&docker, name).await? => conflict(name),
                _ => stopped(500)(failed),
            });
        }
    };
    if let Some(relay) = Relay::of(world.context, &docker) {
        // So that its URLs work at once.
        let _ = relay.wake().await;
    }
    Ok(Reply::of(201, describe(world, &docker, &made.info).await))
}

/// What a body asks for.
fn read(world: &World<'_>, body: &[u8]) -> Result<Flags, Error> {
    let mut body = Body::parse(body)?;
    let name = body.text("name");
    if let Some(name) = &name
        && !name::is_valid(name)
    {
        let rule = format!(
            "1 to {} of a-z, 0-9 and -, without - at either end",
            name::MAX_LENGTH
        );
        body.note("name", rule);
    }
    let template = body.text("template_id");
    let snapshot = body.text("snapshot_id");
    let specs = body.texts("service_spec_ids");
    let scripts = body.texts("setup_script_ids");
    let library = world.library()?;
    for word in &specs {
        match library.copies(std::slice::from_ref(word), &[]) {
            Ok(_) => {}
            Err(refused) => note_missing(&mut body, "service_spec_ids", refused)?,
        }
    }
    for word in &scripts {
        match library.copies(&[], std::slice::from_ref(word)) {
            Ok(_) => {}
            Err(refused) => note_missing(&mut body, "setup_script_ids", refused)?,
        }
    }
    let word = template.as_deref().unwrap_or(DEFAULT_TEMPLATE);
    let image = match image_of(&templates(world)?, word) {
        Ok(image) => image,
        Err(wrong) => {
            body.note("template_id", wrong);
            String::new()
        }
    };
    match snapshot.as_deref() {
        // On the command line it stands for no checkpoint at all.
        Some(checkpoint::NONE) => body.note("snapshot_id", "that is no checkpoint"),
        Some(snapshot) => {
            if let Err(wrong) = limit::reference(snapshot) {
                body.note("snapshot_id", wrong);
            }
        }
        None => {}
    }
    body.finish()?;
    Ok(Flags {
        name,
        image: snapshot.is_none().then_some(image),
        from: snapshot,
        service_specs: specs,
        setup_scripts: scripts,
        ..Flags::default()
    })
}

/// What the body and the user's own settings ask for.
fn attached(world: &World<'_>, settings: &Settings) -> Result<Attachments, Error> {
    let library = world.library()?;
    let copies = library.copies(&settings.service_specs, &settings.setup_scripts);
    // One that was deleted in between is as unknown as any other.
    copies.map_err(|refused| match refused {
        Refused::Missing(failure) => Error::new(422, failure.message),
        refused => refused.into(),
    })
}

fn note_missing(body: &mut Body, field: &str, refused: Refused) -> Result<(), Error> {
    match refused {
        Refused::Missing(failure) => {
            body.note(field, failure.message);
            Ok(())
        }
        refused => Err(refused.into()),
    }
}

/// The image that a word means.
fn image_of(templates: &[(String, String)], word: &str) -> Result<String, String> {
    if let Some((_, image)) = templates.iter().find(|(known, _)| known == word) {
        return Ok(image.clone());
    }
    if word.starts_with("tpl_") {
        return Err(format!(
            "there is no template `{word}` in the setting api.templates"
        ));
    }
    limit::reference(word)
}

/// Gets what the box starts from. What is wrong with it is wrong with the body.
async fn prepare(
    world: &mut World<'_>,
    docker: &Docker,
    settings: &mut Settings,
    order: &mut Order,
) -> Result<(), Error> {
    if let Start::Checkpoint(wanted) = settings.start.clone() {
        let found = checkpoint::warm_up(docker, None, settings, false).await;
        let found = found.map_err(|failure| {
            let mut error = Error::from_failure(&failure, 422);
            if error.status == 404 {
                error = Error::wrong("snapshot_id", failure.message);
            }
            error
        })?;
        if let Some(found) = found {
            // On the command line the beginning of an id will do; a program means what it says.
            if ![&found.name, found.digits()].contains(&wanted.as_str()) {
                return Err(Error::wrong("snapshot_id", "there is no such checkpoint"));
            }
            order.config = checkpoint::config_of(world.context, docker, &found).await?;
            order.config.check_needs(&found.name, &order.attached)?;
        }
        return Ok(());
    }
    let image = match docker.inspect_image(&settings.image).await {
        Ok(image) => image,
        Err(error) => return Err(no_image(Error::from_failure(&error.into(), 422))),
    };
    let image = match image {
        Some(image) => image,
        None => image::obtain(world.context, docker, &settings.image, &mut world.interrupt)
            .await
            .map_err(|failed| no_image(stopped(422)(failed)))?,
    };
    check_image(&settings.image, &image).map_err(|failure| Error::wrong("template_id", failure.message))
}

/// An image that cannot be had is what the client asked for.
fn no_image(error: Error) -> Error {
    if error.status == 503 {
        error
    } else {
        Error::wrong("template_id", error.message)
    }
}

async fn is_taken(docker: &Docker, name: &str) -> Result<bool, Error> {
    let boxes = observe(docker).await?.boxes;
    Ok(boxes.iter().any(|info| info.name == name))
}

fn conflict(name: &str) -> Error {
    Error::new(409, format!("there is a box `{name}` already"))
}
