//! Images that boxes are made from: the one that is there, the base image that is built, others that are pulled.

pub mod build;

use agentbox_ctl::failure::Failure;

use crate::boxes::label;
use crate::context::Context;
use crate::docker::{Docker, ImageDetails, ImageSummary};
use crate::interrupt::{Interrupt, Stopped};
use crate::ui::one_line;

/// The image that `create` uses where none is given.
pub const DEFAULT: &str = "agentbox/base:latest";

/// Whether a reference means the base image.
pub fn is_base(reference: &str) -> bool {
    reference == DEFAULT || reference == "agentbox/base"
}

/// Whether an image is one that agentbox built. What was made on top of it has its label, too: checkpoints, for one.
pub fn is_own(image: &ImageSummary) -> bool {
    image
        .labels
        .get(label::CHECKPOINT)
        .is_none_or(|name| name.is_empty() && !image.labels.contains_key(label::TEMPORARY))
}

/// Gets an image that the engine does not have: builds the base image, pulls any other.
///
/// # Errors
/// A build that fails, a registry that does not answer or does not have it.
pub async fn obtain(
    context: &Context,
    docker: &Docker,
    reference: &str,
    interrupt: &mut Interrupt,
) -> Result<ImageDetails, Stopped> {
    if is_base(reference) {
        context
            .ui
            .status(&format!("image `{reference}` is missing: building it once"));
        build::build(context, docker, reference, interrupt).await?;
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
    fn only_our_tag_is_built() {
        assert!(is_base("agentbox/base") && is_base("agentbox/base:latest"));
        assert!(!is_base("agentbox/base:old") && !is_base("debian"));
    }
}
