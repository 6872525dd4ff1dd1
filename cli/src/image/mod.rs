//! Images that boxes are made from: the one that is there, those that are built, others that are pulled.

pub mod build;

use agentbox_ctl::failure::Failure;

use crate::boxes::label;
use crate::context::Context;
use crate::docker::{Docker, ImageDetails, ImageSummary};
use crate::interrupt::{Interrupt, Stopped};
use crate::ui::one_line;

/// The image that `create` uses where none is given.
pub const DEFAULT: &str = "agentbox/base:latest";

/// The image that `create --docker` uses where none is given.
pub const DOCKER: &str = "agentbox/docker:latest";

/// An image that agentbox builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Variant {
    /// The base image
    Base,
    /// The base image with Docker and Compose, for boxes with a Docker engine of their own
    Docker,
}

impl Variant {
    /// The one that a reference means.
    pub fn of(reference: &str) -> Option<Self> {
        match reference {
            DEFAULT | "agentbox/base" => Some(Self::Base),
            DOCKER | "agentbox/docker" => Some(Self::Docker),
            _ => None,
        }
    }

    /// Its tag.
    pub fn tag(self) -> &'static str {
        match self {
            Self::Base => DEFAULT,
            Self::Docker => DOCKER,
        }
    }

    /// The value of its label.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Docker => "docker",
        }
    }
}

/// Whether an image is one that agentbox built. What was made on top of it has its label, too: checkpoints, for one.
pub fn is_own(image: &ImageSummary) -> bool {
    image
        .labels
        .get(label::CHECKPOINT)
        .is_none_or(|name| name.is_empty() && !image.labels.contains_key(label::TEMPORARY))
}

/// Gets an image that the engine does not have: builds the base image and its variant, pulls any other.
///
/// # Errors
/// A build that fails, a registry that does not answer or does not have it.
pub async fn obtain(
    context: &Context,
    docker: &Docker,
    reference: &str,
    interrupt: &mut Interrupt,
) -> Result<ImageDetails, Stopped> {
    if let Some(variant) = Variant::of(reference) {
        context
            .ui
            .status(&format!("image `{reference}` is missing: building it once"));
        build::build(context, docker, variant, reference, interrupt).await?;
    } else {
        let step = context.ui.step(&format!("pulling image `{reference}`"));
        let pull = docker.pull_image(reference, |line| step.update(&one_line(line)));
        interrupt.guard(pull).await.map_err(|stopped| match stopped {
            Stopped::Failed(failure) => Stopped::Failed(failure.hint(format!(
                "docker load, or agentbox create --image {DEFAULT} for the base image"
            ))),
            Stopped::Interrupted => Stopped::Interrupted,
        })?;
        step.finish(&format!("pulled image `{reference}`"));
    }
    let details = interrupt.guard(docker.inspect_image(reference)).await?;
    Ok(details.ok_or_else(|| Failure::failed(format!("image `{reference}` is not there")))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_tags_are_built() {
        assert_eq!(Variant::of("agentbox/base"), Some(Variant::Base));
        assert_eq!(Variant::of(DOCKER), Some(Variant::Docker));
        for other in ["agentbox/base:old", "agentbox/docker:old", "debian", "docker"] {
            assert_eq!(Variant::of(other), None, "{other}");
        }
    }
}
