//! A container that is never started, to read files from: of an image, of a box that goes on running.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use crate::boxes::identity::{host_id, new_id};
use crate::boxes::maker::{self, Maker};
use crate::boxes::{self, HalfMade, Observation, label, name};
use crate::context::Context;
use crate::creation::now;
use crate::docker::{ContainerSpec, Docker, DockerError};
use crate::plan::prune;
use crate::supervisor_binary;

/// A container without a process. To every other command it is a half-made box: `prune` removes one that was left.
#[derive(Debug)]
pub(super) struct Still {
    /// Its id.
    pub(super) container: String,
    name: String,
}

impl Still {
    /// Makes one of an image.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) async fn of_image(docker: &Docker, image: &str, called: &str) -> Result<Self, Failure> {
        Ok(Self::known_as(docker, &new_id()?, image, called).await?)
    }

    /// As [`Self::of_image`], with an id of its own making. Another one with that id is a conflict.
    ///
    /// # Errors
    /// Those of the engine.
    pub(super) async fn known_as(
        docker: &Docker,
        id: &str,
        image: &str,
        called: &str,
    ) -> Result<Self, DockerError> {
        let labels = [
            (label::ID, id),
            (label::NAME, called),
            (label::HOST, &host_id()),
            (label::VERSION, supervisor_binary::VERSION),
            (label::MAKER, &Maker::current().encode()),
        ];
        let spec = ContainerSpec {
            name: name::temporary(id),
            image: image.to_owned(),
            entrypoint: vec![paths::BINARY.to_owned()],
            labels: HashMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned()))),
            network: Some("none".to_owned()),
            ..ContainerSpec::default()
        };
        let container = docker.create_container(&spec).await?;
        Ok(Self {
            container,
            name: spec.name,
        })
    }

    /// Removes it. What cannot be removed now is removed by `prune`.
    pub(super) async fn remove(self, context: &Context, docker: &Docker) {
        if let Err(error) = docker.remove_container(&self.name).await {
            tell(context, &error);
        }
    }
}

/// Such containers, and other half-made boxes, whose makers are gone.
///
/// # Errors
/// Those of the engine.
pub(super) async fn abandoned(docker: &Docker) -> Result<Vec<HalfMade>, Failure> {
    Ok(abandoned_in(&boxes::observe(docker).await?))
}

/// The same, among what was seen.
pub(super) fn abandoned_in(observed: &Observation) -> Vec<HalfMade> {
    prune::abandoned(observed, &Maker::current(), now(), maker::start_time)
}

/// Removes an image that is not needed any more. What cannot be removed now is removed by `prune`.
pub(super) async fn remove_image(context: &Context, docker: &Docker, image: &str) {
    if let Err(error) = docker.remove_image(image).await {
        tell(context, &error);
    }
}

fn tell(context: &Context, error: &DockerError) {
    context.ui.detail(&format!("{error}: {}", error.cause()));
}
