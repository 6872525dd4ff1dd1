//! One at a time may name checkpoints of a project. The engine moves a tag from one image to another without a word, so
//! who finds a name free has to be alone until it is taken.
//!
//! What engines do refuse is a second container of one name. A claim is such a container, never started; who is killed
//! with one leaves a half-made box, as a killed `create` does, and whoever comes next removes it.

use std::time::{Duration, Instant};

use agentbox_ctl::failure::Failure;

use super::reference::Key;
use super::still::Still;
use crate::boxes::maker::{Maker, start_time};
use crate::boxes::observe;
use crate::context::Context;
use crate::creation::now;
use crate::docker::Docker;
use crate::plan::prune::abandoned;

/// How long to wait for others. Each takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(20);
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(40);

/// The right to name checkpoints of a project.
#[derive(Debug)]
pub(super) struct Claim(Still);

impl Claim {
    /// Waits for it. `image` is one that stays until the claim is given up.
    ///
    /// # Errors
    /// Somebody who does not give it up, those of the engine.
    pub(super) async fn of(docker: &Docker, key: &Key, image: &str, called: &str) -> Result<Self, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let id = key.claim();
        loop {
            match Still::known_as(docker, &id, image, called).await {
                Ok(still) => return Ok(Self(still)),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
            remove_abandoned(docker, &id).await?;
            if Instant::now() > deadline {
                return Err(Failure::failed(
                    "another checkpoint of this project is being named and does not end",
                )
                .hint("agentbox prune -f, where the machine that makes it is gone"));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives it up.
    pub(super) async fn release(self, context: &Context, docker: &Docker) {
        self.0.remove(context, docker).await;
    }
}

/// Removes a claim whose maker is gone: that container and no other, which may have its name by now.
async fn remove_abandoned(docker: &Docker, id: &str) -> Result<(), Failure> {
    let observed = observe(docker).await?;
    let left = abandoned(&observed, &Maker::current(), now(), start_time);
    for half in left.iter().filter(|half| half.id == id) {
        docker.remove_container(&half.container_id).await?;
    }
    Ok(())
}
