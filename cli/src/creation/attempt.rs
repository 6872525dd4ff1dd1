//! One try to make a box of a certain name.

use std::collections::HashSet;
use std::time::Instant;

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::identity::Identity;
use agentbox_ctl::spec::Attachments;

use super::delivery::{self, Parcel};
use super::{Looked, Made, took};
use crate::boxes::identity::host_id;
use crate::boxes::{self, label, name};
use crate::carry;
use crate::checkpoint;
use crate::context::Context;
use crate::docker::{Attached, Docker, DockerError, ImageDetails};
use crate::image::{self, Variant};
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle::{self, ReadyLine};
use crate::locale;
use crate::plan::container::{self, Origin};
use crate::plan::create::Settings;
use crate::project_config::{self, ValidFile};
use crate::seed::{self, Owner, Seed, user};
use crate::ui::one_line;

/// Largest `/etc/passwd` that is read, in bytes.
const PASSWD_LIMIT: usize = 1 << 20;

/// Where programs of the whole system lie.
const PROGRAMS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];

/// The user of our base image, and of what is built on it.
const BASE_USER: &str = "developer";
/// Its numbers.
const BASE_OWNER: Owner = Owner {
    user: 1000,
    group: 1000,
};

/// Why one try did not make a box.
pub(super) enum Miss {
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

/// One try to make a box of a certain name.
pub(super) struct Attempt<'a> {
    pub(super) context: &'a Context,
    pub(super) docker: &'a Docker,
    /// The project's directory; empty without one.
    pub(super) project: &'a str,
    pub(super) config: &'a ValidFile,
    pub(super) attached: &'a Attachments,
    pub(super) source: &'a Looked,
    pub(super) settings: &'a Settings,
    pub(super) carried: &'a carry::Plan,
    pub(super) image: &'a ImageDetails,
    pub(super) name: &'a str,
    pub(super) id: String,
    pub(super) maker: String,
}

impl Attempt<'_> {
    pub(super) async fn make(&self, interrupt: &mut Interrupt) -> Result<Made, Miss> {
        let origin = Origin {
            id: self.id.clone(),
            project: self.project.to_owned(),
            host: host_id(),
            home: self.context.home_label(),
            maker: self.maker.clone(),
            longest_stop: project_config::stop_time(&self.config.config).as_secs(),
        };
        let mut spec = container::specify(self.settings, &origin, self.name);
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
            let ground = self.ground();
            let sending = carry::send(self.docker, container, &self.image.user, &ground, self.carried);
            placed = interrupt.guard(sending).await?.in_workspace;
            took(self.context, "carrying files", begun);
        }

        if self.settings.docker {
            interrupt.guard(self.check_engine(container)).await?;
        }
        let begun = Instant::now();
        step.update("starting");
        let mut line = ReadyLine::default();
        if self.start_kind() == seed::Start::Frozen {
            interrupt.guard(self.start(container)).await?;
            took(self.context, "starting", begun);
        } else {
            let parcel = Parcel {
                source: interrupt.guard(self.source.clone()).await?,
                config: self.config.bytes.clone(),
                placed,
                warm: self.settings.warm.clone(),
                name: self.name.to_owned(),
                meter: step.meter(),
            };
            // What is sent before the box runs waits for it in the engine.
            let starting = async {
                let started = self.start(container).await;
                took(self.context, "starting", begun);
                step.update("copying the project");
                started
            };
            let sending = delivery::send(self.docker, container, parcel, &mut attached, &mut line);
            let both = async {
                let (mut starting, mut sending) = (std::pin::pin!(starting), std::pin::pin!(sending));
                // A box that does not start takes nothing, and why it does not is what counts.
                tokio::select! {
                    started = &mut starting => {
                        started?;
                        sending.await
                    }
                    sent = &mut sending => {
                        starting.await?;
                        sent
                    }
                }
            };
            let report = interrupt.guard(both).await?;
            delivery::tell(&self.context.ui, &report, line.is_without_history());
            took(self.context, "starting, copying the project", begun);
        }
        let begun = Instant::now();
        let ready = lifecycle::wait_ready(self.docker, container, self.name, &mut attached.output, &mut line);
        // With its project in place, PID 1 ends only when it is told to: from here on the engine may start it again.
        let both = async {
            let (ready, policy) = tokio::join!(ready, self.docker.restart_unless_stopped(container));
            ready.map(|()| policy)
        };
        let policy = interrupt.guard(both).await?;
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
        let observed = boxes::observe(self.docker).await;
        if let Err(error) = policy {
            self.context.ui.warning(&format!(
                "{error}: {}; it will not come back by itself",
                error.cause()
            ));
        }
        took(self.context, "renaming", begun);
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

    /// Checks that the box has the engine that it is to run.
    async fn check_engine(&self, container: &str) -> Result<(), Failure> {
        for directory in PROGRAMS {
            let program = format!("{directory}/dockerd");
            if self.docker.look_at(container, &program).await?.is_some() {
                return Ok(());
            }
        }
        let mut failure = Failure::failed(format!(
            "image `{}` has no Docker engine: there is no dockerd in it",
            one_line(&self.settings.image)
        ));
        failure.causes.extend(self.settings.place("box.image"));
        failure.causes.extend(self.settings.place("box.docker"));
        Err(failure.hint(format!(
            "agentbox create --docker --image {} has one; or install docker.io in an image of yours",
            image::DOCKER
        )))
    }

    /// Numeric owner of the workspace: from the user's own text, as a promise of our image, or from its files.
    async fn owner(&self, container: &str) -> Result<Owner, Failure> {
        let user = &self.image.user;
        if let Some(owner) = user::without_files(user) {
            return Ok(owner);
        }
        // The promise spares a look into the container, which costs as much as a tenth of the whole. An image made from
        // ours has its label too, and may have changed the user.
        let ours =
            Variant::of(&self.settings.image).is_some() && self.image.labels.contains_key(label::IMAGE);
        if user == BASE_USER && ours {
            return Ok(BASE_OWNER);
        }
        // So does what was found when the checkpoint was taken.
        if self.settings.warm.is_some()
            && let Some(owner) = checkpoint::Record::from_labels(&self.image.labels).owner
        {
            return Ok(owner);
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

    /// What is carried lands on it.
    fn ground(&self) -> carry::Ground {
        let volumes = self.settings.volumes.iter().map(|(_, path)| path.clone());
        carry::Ground {
            start: self.start_kind(),
            volumes: volumes
                .chain(self.settings.docker.then(|| container::ENGINE_DATA.to_owned()))
                .collect(),
        }
    }

    /// What lies in the workspace before anything is sent there.
    fn start_kind(&self) -> seed::Start {
        match &self.settings.warm {
            None => seed::Start::Cold,
            Some(warm) if warm.resync => seed::Start::Warm,
            Some(_) => seed::Start::Frozen,
        }
    }

    /// Uploads what is needed at the start, and attaches.
    async fn fill(&self, container: &str, owner: Owner) -> Result<Attached, Failure> {
        let seed = Seed {
            owner,
            start: self.start_kind(),
            identity: self.identity()?,
            config: self.config.bytes.clone(),
            attached: self.attached()?,
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

    fn attached(&self) -> Result<Option<Vec<u8>>, Failure> {
        if self.attached.is_empty() {
            return Ok(None);
        }
        boxes::private::encode(self.attached)
            .map(Some)
            .map_err(|failure| {
                Failure::failed("service specs and setup scripts are too much for one box")
                    .because(&failure)
                    .hint("attach fewer, or smaller ones")
            })
    }

    fn identity(&self) -> Result<Vec<u8>, Failure> {
        let identity = Identity {
            id: self.id.clone(),
            name: self.name.to_owned(),
            user: self.image.user.clone(),
            env: self.settings.env.clone(),
            docker: self.settings.docker,
            volumes: container::user_data(self.settings),
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
pub(super) fn placed(stopped: Stopped, settings: &Settings, keys: &[&str]) -> Stopped {
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
