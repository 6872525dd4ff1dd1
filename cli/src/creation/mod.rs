//! Making a box, atomically: whatever ends it early leaves nothing that a user sees.
//!
//! ```text
//! project ──────────────────────────────────────────────────────────────────────────────┐
//! list, image ─► container under a temporary name ─► upload ∥ attach ─► carry ─► start ─┴► project ─► ready line ∥ restart policy
//!                └─────────────── undone on a failure or a signal ────────────────────────────────┘     │
//!                                                                               rename ◄────────────────┘
//! ```
//!
//! A kill leaves a container that carries its maker; `prune` and the next `create` remove it once the maker is gone.

mod attempt;
mod delivery;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::Attachments;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use self::attempt::{Attempt, Miss, placed};
use crate::boxes::identity::new_id;
use crate::boxes::maker::{self, Maker};
use crate::boxes::{self, BoxInfo, HalfMade};
use crate::carry;
use crate::context::Context;
use crate::docker::Docker;
use crate::image;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle;
use crate::plan::create::{self, Settings};
use crate::plan::prune;
use crate::project::Project;
use crate::project_config::ValidFile;
use crate::seed::Source;

/// How often a default name that was taken meanwhile is chosen again.
const NAME_TRIES: usize = 20;

/// What a box gets of its project.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Its `agentbox.yaml`.
    pub config: ValidFile,
    /// The commit to fork from; `None` is the work tree as it is.
    pub reference: Option<String>,
    /// Service specs and setup scripts of its owner's.
    pub attached: Attachments,
}

/// A project that is looked at.
type Looked = Shared<BoxFuture<'static, Result<Arc<Source>, Failure>>>;

/// A box that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The box.
    pub info: BoxInfo,
    /// Whether its configuration has a web service.
    pub exposes: bool,
}

/// Makes a box and starts it. Without a project its workspace is empty, or as its checkpoint has it.
///
/// # Errors
/// A name that is taken, an image that cannot be had or used, values that the engine refuses (2), a project that
/// cannot be read, a supervisor that does not come up, a signal. Nothing of the box is left then.
pub async fn create(
    context: &Context,
    docker: &Docker,
    project: Option<&Project>,
    order: Order,
    settings: &Settings,
    carried: &carry::Plan,
    interrupt: &mut Interrupt,
) -> Result<Made, Stopped> {
    create::check_units(settings, &order.config)?;
    if settings.docker {
        context.ui.warning(
            "the box gets a Docker engine of its own, and with it rights that a hostile box can probably break out with",
        );
    }
    let begun = Instant::now();
    let source = look(project.cloned(), order.reference);
    let label = project.map(Project::label).unwrap_or_default();
    let (mut observed, known) = interrupt
        .guard(async {
            tokio::try_join!(boxes::observe(docker), async {
                Ok(docker.inspect_image(&settings.image).await?)
            })
        })
        .await?;
    took(context, "looking at the engine", begun);
    let here = Maker::current();
    let abandoned = prune::abandoned(&observed, &here, now(), maker::start_time);
    // The name first: an image may take minutes.
    create::choose_name(settings.name.as_deref(), &label, &observed, &[])?;
    let image = match known {
        Some(image) => image,
        None => {
            // That may take minutes: a project that cannot be read is told before.
            interrupt.guard(source.clone()).await?;
            image::obtain(context, docker, &settings.image, interrupt)
                .await
                .map_err(|stopped| placed(stopped, settings, &["box.image"]))?
        }
    };
    create::check_image(&settings.image, &image)
        .map_err(|failure| placed(failure.into(), settings, &["box.image"]))?;
    let sweeping = tokio::spawn(sweep(docker.clone(), abandoned));

    let mut lost: Vec<String> = Vec::new();
    let result = loop {
        let name = match create::choose_name(settings.name.as_deref(), &label, &observed, &lost) {
            Ok(name) => name,
            Err(failure) => break Err(failure.into()),
        };
        let attempt = Attempt {
            context,
            docker,
            project: &label,
            config: &order.config,
            attached: &order.attached,
            source: &source,
            settings,
            carried,
            image: &image,
            name: &name,
            id: new_id()?,
            maker: here.encode(),
        };
        match attempt.make(interrupt).await {
            Ok(made) => break Ok(made),
            Err(Miss::Stopped(stopped)) => break Err(stopped),
            Err(Miss::NameTaken) if settings.name.is_none() && lost.len() < NAME_TRIES => {
                lost.push(name);
                observed = interrupt.guard(boxes::observe(docker)).await?;
            }
            Err(Miss::NameTaken) => {
                // Seldom somebody else's container, which no command of ours knows as a box.
                let now = interrupt.guard(boxes::observe(docker)).await?;
                let known = now.boxes.iter().any(|other| other.name == name);
                break Err(if known {
                    create::taken(&name)
                } else {
                    create::taken_by_a_stranger(&name)
                }
                .into());
            }
        }
    };
    // What could not be swept now is swept later.
    let _ = sweeping.await;
    took(context, "all of it", begun);
    result
}

/// Looks at the project while the engine works.
fn look(project: Option<Project>, reference: Option<String>) -> Looked {
    let looking = tokio::task::spawn_blocking(move || match project {
        Some(project) => Source::look(&project, reference.as_deref()),
        None => Ok(Source::nothing()),
    });
    let looked = async {
        let source = looking
            .await
            .map_err(|error| Failure::failed("cannot look at the project").because(&error))??;
        Ok(Arc::new(source))
    };
    looked.boxed().shared()
}

/// Removes half-made boxes of makers that are gone.
async fn sweep(docker: Docker, abandoned: Vec<HalfMade>) {
    for half in abandoned {
        // Whatever fails here is there for `prune` to tell about.
        let _ = lifecycle::remove_half_made(&docker, &half.id).await;
    }
}

/// Seconds since the Unix epoch.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

fn took(context: &Context, what: &str, begun: Instant) {
    if context.ui.look().verbose {
        context
            .ui
            .detail(&format!("{what}: {} ms", begun.elapsed().as_millis()));
    }
}
