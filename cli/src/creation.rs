//! Making a box, atomically: whatever ends it early leaves nothing that a user sees.
//!
//! ```text
//! list, image, project ─► container under a temporary name ─► upload ∥ attach ─► carry ─► start ─► project ─► ready line
//!                         └─────────────── undone on a failure or a signal ───────────────────────────────┘     │
//!                                                                      restart policy ◄─ rename ◄───────────────┘
//! ```
//!
//! A kill leaves a container that carries its maker; `prune` and the next `create` remove it once the maker is gone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::identity::Identity;

use crate::boxes::identity::{host_id, new_id};
use crate::boxes::maker::{self, Maker};
use crate::boxes::{self, BoxInfo, HalfMade, label, name};
use crate::carry;
use crate::context::Context;
use crate::docker::{Attached, Docker, DockerError, ImageDetails};
use crate::image;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle::{self, ReadyLine};
use crate::locale;
use crate::plan::create::{self, Origin, Settings};
use crate::plan::prune;
use crate::project::Project;
use crate::project_config::{self, ValidFile};
use crate::seed::{Owner, Seed, Source, user};
use crate::seeding::{self, Parcel};

/// How often a default name that was taken meanwhile is chosen again.
const NAME_TRIES: usize = 20;
/// Largest `/etc/passwd` that is read, in bytes.
const PASSWD_LIMIT: usize = 1 << 20;

/// The user of our base image, and of what is built on it.
const BASE_USER: &str = "developer";
/// Its numbers.
const BASE_OWNER: Owner = Owner {
    user: 1000,
    group: 1000,
};

/// What a box gets of its project.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Its `agentbox.yaml`.
    pub config: ValidFile,
    /// The commit to fork from; `None` is the work tree as it is.
    pub reference: Option<String>,
}

/// A box that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The box.
    pub info: BoxInfo,
    /// Whether its configuration has a web service.
    pub exposes: bool,
}

/// Why one try did not make a box.
enum Miss {
    /// Somebody else took the name.
    NameTaken,
    /// Anything else.
    Stopped(Stopped),
}

impl<E: Into<Stopped>> From<E> for Miss {
    fn from(error: E) -> Self {
        Self::Stopped(error.into())
    }
}

/// Makes a box and starts it.
///
/// # Errors
/// A name that is taken, an image that cannot be had or used, values that the engine refuses (2), a project that
/// cannot be read, a supervisor that does not come up, a signal. Nothing of the box is left then.
pub async fn create(
    context: &Context,
    docker: &Docker,
    project: &Project,
    order: Order,
    settings: &Settings,
    carried: &carry::Plan,
    interrupt: &mut Interrupt,
) -> Result<Made, Stopped> {
    let begun = Instant::now();
    let looking = look(project.clone(), order.reference);
    let (mut observed, known, source) = interrupt
        .guard(async {
            tokio::try_join!(
                boxes::observe(docker),
                async { Ok(docker.inspect_image(&settings.image).await?) },
                looking,
            )
        })
        .await?;
    let source = Arc::new(source);
    took(context, "looking at the engine", begun);
    let here = Maker::current();
    let abandoned = prune::abandoned(&observed, &here, now(), maker::start_time);
    // The name first: an image may take minutes.
    create::choose_name(settings.name.as_deref(), &project.label(), &observed, &[])?;
    let image = match known {
        Some(image) => image,
        None => image::obtain(context, docker, &settings.image, interrupt)
            .await
            .map_err(|stopped| placed(stopped, settings, &["box.image"]))?,
    };
    create::check_image(&settings.image, &image)
        .map_err(|failure| placed(failure.into(), settings, &["box.image"]))?;
    let sweeping = tokio::spawn(sweep(docker.clone(), abandoned));

    let mut lost: Vec<String> = Vec::new();
    let result = loop {
        let name = match create::choose_name(settings.name.as_deref(), &project.label(), &observed, &lost) {
            Ok(name) => name,
            Err(failure) => break Err(failure.into()),
        };
        let attempt = Attempt {
            context,
            docker,
            project,
            config: &order.config,
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

/// One try to make a box of a certain name.
struct Attempt<'a> {
    context: &'a Context,
    docker: &'a Docker,
    project: &'a Project,
    config: &'a ValidFile,
    source: &'a Arc<Source>,
    settings: &'a Settings,
    carried: &'a carry::Plan,
    image: &'a ImageDetails,
    name: &'a str,
    id: String,
    maker: String,
}

impl Attempt<'_> {
    async fn make(&self, interrupt: &mut Interrupt) -> Result<Made, Miss> {
        let origin = Origin {
            id: self.id.clone(),
            project: self.project.label(),
            host: host_id(),
            maker: self.maker.clone(),
            longest_stop: project_config::stop_time(&self.config.config).as_secs(),
        };
        let mut spec = create::container(self.settings, &origin, self.name);
        spec.temporary.extend(self.carried.secrets_mount());
        let step = self.context.ui.step(&format!("making box `{}`", self.name));
        let begun = Instant::now();
        // Not to be cut off: the engine would go on, and nobody would know what it made.
        let created = self.docker.create_container(&spec).await;
        took(self.context, "creating the container", begun);
        let container = match created {
            Ok(container) => container,
            Err(error) => {
                // The answer may have been lost, or volumes made before the refusal.
                self.undo(&name::temporary(&self.id)).await;
                return Err(refused(error, self.settings).into());
            }
        };
        let result = self.fill_and_start(&container, interrupt, &step).await;
        if result.is_err() {
            drop(step);
            self.undo(&container).await;
        } else {
            step.finish("");
        }
        result
    }

    async fn fill_and_start(
        &self,
        container: &str,
        interrupt: &mut Interrupt,
        step: &crate::ui::Step<'_>,
    ) -> Result<Made, Miss> {
        let begun = Instant::now();
        let owner = interrupt.guard(self.owner(container)).await?;
        let mut attached = interrupt.guard(self.fill(container, owner)).await?;
        took(self.context, "sending files, attaching", begun);
        let mut placed = HashSet::new();
        if !self.carried.is_empty() {
            let begun = Instant::now();
            step.update("carrying files");
            let sending = carry::send(self.docker, container, &self.image.user, self.carried);
            placed = interrupt.guard(sending).await?.in_workspace;
            took(self.context, "carrying files", begun);
        }

        let begun = Instant::now();
        step.update("starting");
        interrupt.guard(self.start(container)).await?;
        took(self.context, "starting", begun);
        let begun = Instant::now();
        step.update("copying the project");
        let mut line = ReadyLine::default();
        let parcel = Parcel {
            source: Arc::clone(self.source),
            config: self.config.bytes.clone(),
            placed,
            name: self.name.to_owned(),
            meter: step.meter(),
        };
        let report = interrupt
            .guard(seeding::send(
                self.docker,
                container,
                parcel,
                &mut attached,
                &mut line,
            ))
            .await?;
        seeding::tell(&self.context.ui, &report, line.is_without_history());
        took(self.context, "copying the project", begun);
        let begun = Instant::now();
        interrupt
            .guard(lifecycle::wait_ready(
                self.docker,
                container,
                self.name,
                &mut attached.output,
                &mut line,
            ))
            .await?;
        took(self.context, "waiting for the supervisor", begun);

        // From here on it is a box: no signal stops it half-way.
        let begun = Instant::now();
        let named = self
            .docker
            .rename_container(container, &name::container(self.name))
            .await;
        match named {
            Ok(()) => {}
            Err(error) if error.is_conflict() => return Err(Miss::NameTaken),
            Err(error) => return Err(error.into()),
        }
        // Both are about a box that exists: a failure of either must not undo it.
        let (policy, observed) = tokio::join!(
            self.docker.restart_unless_stopped(container),
            boxes::observe(self.docker)
        );
        if let Err(error) = policy {
            self.context.ui.warning(&format!(
                "{error}: {}; it will not come back by itself",
                error.cause()
            ));
        }
        took(self.context, "renaming, restart policy", begun);
        let info = observed?
            .boxes
            .into_iter()
            .find(|info| info.id == self.id)
            .ok_or_else(|| Failure::failed(format!("box `{}` is gone already", self.name)))?;
        Ok(Made {
            info,
            exposes: self.config.config.exposed().is_some(),
        })
    }

    async fn start(&self, container: &str) -> Result<(), Failure> {
        let error = match self.docker.start_container(container).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        // Older engines look for the network only now.
        match &self.settings.network {
            Some(network) if error.is_not_found() && error.cause().message.contains("network") => {
                let mut failure = Failure::usage(format!("the engine has no network `{network}`"));
                failure.causes.extend(self.settings.place("box.network"));
                Err(failure.hint("docker network ls, or agentbox create --network none"))
            }
            _ => Err(error.into()),
        }
    }

    /// Numeric owner of the workspace: from the user's own text, as a promise of our image, or from its files.
    async fn owner(&self, container: &str) -> Result<Owner, Failure> {
        let user = &self.image.user;
        if let Some(owner) = user::without_files(user) {
            return Ok(owner);
        }
        // The promise spares a look into the container, which costs as much as a tenth of the whole. An image made from
        // ours has its label too, and may have changed the user.
        let ours = self.settings.image == image::DEFAULT && self.image.labels.contains_key(label::IMAGE);
        if user == BASE_USER && ours {
            return Ok(BASE_OWNER);
        }
        let passwd = self
            .docker
            .read_file(container, "/etc/passwd", PASSWD_LIMIT)
            .await?;
        let group = if user.contains(':') {
            self.docker
                .read_file(container, "/etc/group", PASSWD_LIMIT)
                .await?
        } else {
            None
        };
        user::look_up(user, passwd.as_deref(), group.as_deref())
    }

    /// Uploads what is needed at the start, and attaches.
    async fn fill(&self, container: &str, owner: Owner) -> Result<Attached, Failure> {
        let seed = Seed {
            owner,
            identity: self.identity()?,
            config: self.config.bytes.clone(),
            directories: self
                .settings
                .volumes
                .iter()
                .map(|(_, path)| path.clone())
                .filter(|path| path.starts_with("/workspace/"))
                .collect(),
        };
        let archive = seed
            .archive()
            .map_err(|error| Failure::failed("cannot pack the supervisor").because(&error))?;
        let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
        let (uploaded, attached) = tokio::join!(
            self.docker.upload(container, stream),
            self.docker.attach(container, true)
        );
        uploaded?;
        Ok(attached?)
    }

    fn identity(&self) -> Result<Vec<u8>, Failure> {
        let identity = Identity {
            id: self.id.clone(),
            name: self.name.to_owned(),
            user: self.image.user.clone(),
            env: self.settings.env.clone(),
            timezone: locale::timezone(),
            lang: locale::lang(),
            url: Some(format!("http://{}.localhost", self.name)),
        };
        serde_json::to_vec(&identity)
            .map_err(|error| Failure::failed("cannot encode the box's identity").because(&error))
    }

    /// Removes what was made. What cannot be removed is left to `prune`, and said.
    async fn undo(&self, container: &str) {
        if let Err(failure) = lifecycle::remove(self.docker, container, &self.id).await {
            self.context.ui.warning(&format!(
                "what was made of box `{}` could not be removed ({}); agentbox prune does it later",
                self.name, failure.message
            ));
        }
    }
}

/// Looks at the project while the engine answers.
async fn look(project: Project, reference: Option<String>) -> Result<Source, Failure> {
    tokio::task::spawn_blocking(move || Source::look(&project, reference.as_deref()))
        .await
        .map_err(|error| Failure::failed("cannot look at the project").because(&error))?
}

/// Values that only the engine can judge (CPUs it does not have, a network it does not know) are the user's too.
fn refused(error: DockerError, settings: &Settings) -> Stopped {
    let usage = error.status() == Some(400);
    let mut failure = Failure::from(error);
    if usage {
        failure.kind = Kind::Usage;
        let judged = ["box.memory", "box.cpus", "box.pids", "box.network", "box.cap_add"];
        return placed(Stopped::Failed(failure), settings, &judged);
    }
    Stopped::Failed(failure)
}

/// Adds where these settings come from, for those that no flag gave.
fn placed(stopped: Stopped, settings: &Settings, keys: &[&str]) -> Stopped {
    match stopped {
        Stopped::Failed(mut failure) => {
            failure
                .causes
                .extend(keys.iter().filter_map(|key| settings.place(key)));
            Stopped::Failed(failure)
        }
        Stopped::Interrupted => Stopped::Interrupted,
    }
}

/// Removes half-made boxes of makers that are gone.
async fn sweep(docker: Docker, abandoned: Vec<HalfMade>) {
    for half in abandoned {
        // Whatever fails here is there for `prune` to tell about.
        let _ = lifecycle::remove(&docker, &half.container_id, &half.id).await;
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
