//! What only one process may do at a time: read a box, and name the checkpoints of a project.
//!
//! The engine thaws a box at the end of the first commit that froze it, whoever else is still reading; and it moves a
//! tag from one image to another without a word, so who finds a name free has to be alone until it is taken. What
//! engines do refuse is a second container of one name. A claim is such a container, never started; who is killed with
//! one leaves a half-made box, as a killed `create` does, and whoever comes next removes it.

use std::time::Duration;

use agentbox_ctl::failure::Failure;

use super::reference::{Key, digits};
use super::still::{Still, abandoned, abandoned_in};
use crate::boxes::{BoxInfo, Observation};
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(40);

/// A right that one process has at a time.
#[derive(Debug)]
pub(super) struct Claim(Option<Still>);

impl Claim {
    /// Waits for the right to read a box.
    ///
    /// # Errors
    /// Those of the engine, a signal.
    pub(super) async fn to_read(
        context: &Context,
        docker: &Docker,
        info: &BoxInfo,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Stopped> {
        let id = reading(info);
        let waiting = format!(
            "another checkpoint of box `{}` is being taken: waiting",
            info.name
        );
        let claim = Wanted {
            id,
            image: &info.image_id,
            called: &info.name,
            waiting,
        };
        claim.get(context, docker, interrupt).await
    }

    /// Waits for the right to name checkpoints of a project. `image` is one that stays until it is given up.
    ///
    /// # Errors
    /// Those of the engine, a signal.
    pub(super) async fn to_name(
        context: &Context,
        docker: &Docker,
        key: &Key,
        image: &str,
        interrupt: &mut Interrupt,
    ) -> Result<Self, Stopped> {
        let repository = key.repository();
        let claim = Wanted {
            id: digits(&format!("name {repository}")),
            image,
            called: "checkpoint",
            waiting: "another checkpoint of the project is being named: waiting".to_owned(),
        };
        claim.get(context, docker, interrupt).await
    }

    /// Gives it up.
    pub(super) async fn release(self, context: &Context, docker: &Docker) {
        if let Some(still) = self.0 {
            still.remove(context, docker).await;
        }
    }
}

/// Whether somebody reads a box for a checkpoint.
pub fn is_being_taken(observed: &Observation, info: &BoxInfo) -> bool {
    let id = reading(info);
    let left = abandoned_in(observed);
    observed.half_made.iter().any(|half| half.id == id) && left.iter().all(|half| half.id != id)
}

/// Id of the claim to read a box.
fn reading(info: &BoxInfo) -> String {
    digits(&format!("read {}", info.id))
}

/// A claim that somebody else may have.
struct Wanted<'a> {
    id: String,
    image: &'a str,
    called: &'a str,
    /// What to say while that is so.
    waiting: String,
}

impl Wanted<'_> {
    async fn get(
        self,
        context: &Context,
        docker: &Docker,
        interrupt: &mut Interrupt,
    ) -> Result<Claim, Stopped> {
        let mut waits = false;
        loop {
            // Not cut off by a signal: the engine would go on, and the container be nobody's.
            match Still::known_as(docker, &self.id, self.image, self.called).await {
                Ok(still) => return Ok(Claim(Some(still))),
                // Who looks at the image next says what it means that it is gone.
                Err(error) if error.is_not_found() => return Ok(Claim(None)),
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
            if remove_abandoned(docker, &self.id).await? {
                continue;
            }
            if !waits {
                context.ui.status(&self.waiting);
                waits = true;
            }
            let pause = async {
                tokio::time::sleep(PAUSE).await;
                Ok::<_, Failure>(())
            };
            interrupt.guard(pause).await?;
        }
    }
}

/// Removes a claim whose maker is gone: that container and no other, which may have its name by now. Tells whether there
/// was one.
async fn remove_abandoned(docker: &Docker, id: &str) -> Result<bool, Failure> {
    let left = abandoned(docker).await?;
    let Some(half) = left.iter().find(|half| half.id == id) else {
        return Ok(false);
    };
    Ok(docker.remove_container(&half.container_id).await?)
}
