//! The box that a command is about, and the ways into it.
//!
//! ```text
//! words ─► Target ─┬─ channel ──► docker exec `agentbox-ctl connect` ─► Client        (running)
//!                  ├─ session ──► docker exec `agentbox-ctl session` ─► Wire          (running)
//!                  └─ recorded, download_logs ──► archive API                         (any state)
//! ```
//!
//! One list call finds the box; nothing is inspected on the way to a channel, since each call costs.

mod channel;
mod config;
mod overview;
mod recorded;
mod settled;

use std::ffi::OsString;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::UnitsReport;
use tokio::time::{Instant, timeout};

pub use self::channel::Channel;
pub use self::overview::Overview;
pub use self::settled::settled;
use crate::boxes::{self, BoxInfo, BoxState};
use crate::context::Context;
use crate::docker::{self, Docker, DockerError, ExecOptions, ExecOutput};
use crate::project::Project;
use crate::relay::{Absence, Relay};
use crate::session::{Output, Source, Wire};
use crate::units;

/// How often, and how long apart, the engine is asked for the exit code of a command whose output has ended: it
/// may learn of the end a moment later than we do.
const EXIT_LOOKS: u32 = 50;
const EXIT_PAUSE: Duration = Duration::from_millis(20);

/// How long units may take over the relay's channel until they are asked for over one of our own.
const RELAY_PATIENCE: Duration = Duration::from_millis(900);

/// How long a box whose supervisor has hung up may take until it has ended, and how often it is looked at.
const ENDING: Duration = Duration::from_secs(5);
const ENDING_PAUSE: Duration = Duration::from_millis(100);

/// A box on an engine.
#[derive(Debug)]
pub struct Target {
    /// The engine.
    pub docker: Docker,
    /// The box as it was when it was looked up.
    pub info: BoxInfo,
    /// The relay, where one answered.
    pub relay: Option<Relay>,
}

impl Target {
    /// A box that was looked up.
    pub fn of(docker: Docker, info: BoxInfo, relay: Option<Relay>) -> Self {
        Self { docker, info, relay }
    }

    /// The box called `name`, or the project's only one.
    ///
    /// # Errors
    /// None, or more than one that could be meant (3); an engine that cannot be reached (4).
    pub async fn resolve(context: &Context, name: Option<&str>) -> Result<Self, Failure> {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let (boxes, relay) = found(context, &docker).await?;
        let info = boxes::find(&boxes, &project, name)?.clone();
        Ok(Self { docker, info, relay })
    }

    /// As [`Self::resolve`], for a command that needs the box's processes: one that a checkpoint has frozen is waited for.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn resolve_settled(context: &Context, name: Option<&str>) -> Result<Self, Failure> {
        let Self { docker, info, relay } = Self::resolve(context, name).await?;
        let info = settled(context, &docker, info).await?;
        Ok(Self { docker, info, relay })
    }

    /// The box and units that words mean: a first word that names no box is a unit where the project has one box.
    ///
    /// The box is settled.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn with_units(
        context: &Context,
        name: Option<&str>,
        units: &[String],
    ) -> Result<(Self, Vec<String>), Failure> {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let (boxes, relay) = found(context, &docker).await?;
        let (info, units) = units::split(&boxes, &project, name, units)?;
        let info = settled(context, &docker, info.clone()).await?;
        Ok((Self { docker, info, relay }, units))
    }

    /// As [`Self::with_units`], of other words than units, and without a wait for the box to be settled.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub async fn with_words(
        context: &Context,
        name: Option<&str>,
        words: &[String],
    ) -> Result<(Self, Vec<String>), Failure> {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let (boxes, relay) = found(context, &docker).await?;
        let (info, words) = units::split(&boxes, &project, name, words)?;
        let info = info.clone();
        Ok((Self { docker, info, relay }, words))
    }

    /// Checks that the box runs.
    ///
    /// # Errors
    /// One that does not (1), with the command that helps.
    pub fn require_running(&self) -> Result<(), Failure> {
        let name = &self.info.name;
        let hint = match self.info.state {
            BoxState::Running => return Ok(()),
            BoxState::Paused => format!("agentbox unpause {name}"),
            BoxState::Stopped => format!("agentbox start {name}"),
            BoxState::Dead => format!("agentbox destroy {name}"),
        };
        Err(Failure::failed(format!("box `{name}` is {}", self.info.state)).hint(hint))
    }

    /// Opens a channel to the supervisor: the relay's, where there is one, else one of our own.
    ///
    /// # Errors
    /// A box that stopped meanwhile (1), an engine that cannot be reached (4).
    pub async fn channel(&self) -> Result<Channel, Failure> {
        if let Some(relay) = &self.relay
            && let Ok(client) = relay.channel(&self.info.id).await
        {
            return Ok(Channel::relayed(client, &self.info.name));
        }
        self.own_channel().await
    }

    /// A channel, and the units over it: a relay that has ended or hangs meanwhile is done without.
    ///
    /// # Errors
    /// As [`Self::channel`], and those of the supervisor.
    pub async fn units(&self) -> Result<(Channel, UnitsReport), Failure> {
        let channel = self.channel().await?;
        if !channel.is_relayed() {
            let units = channel.units().await?;
            return Ok((channel, units));
        }
        match timeout(RELAY_PATIENCE, channel.units()).await {
            Ok(Ok(units)) => Ok((channel, units)),
            Ok(Err(failure)) if !channel.has_ended(&failure) => Err(failure),
            Ok(Err(_)) | Err(_) => {
                let channel = self.own_channel().await?;
                let units = channel.units().await?;
                Ok((channel, units))
            }
        }
    }

    /// The same box, as the engine has it: what the relay said may have changed since.
    ///
    /// # Errors
    /// A box that is gone (3), an engine that cannot be reached.
    pub async fn again(self) -> Result<Self, Failure> {
        let observation = boxes::observe(&self.docker).await?;
        let info = observation.boxes.into_iter().find(|info| info.id == self.info.id);
        let info = info.ok_or_else(|| Failure::not_found(format!("box `{}` is gone", self.info.name)))?;
        Ok(Self::of(self.docker, info, None))
    }

    /// Opens a channel of our own.
    ///
    /// # Errors
    /// As [`Self::channel`].
    pub async fn own_channel(&self) -> Result<Channel, Failure> {
        Channel::open(&self.docker, &self.info.container_id, &self.info.name).await
    }

    /// Starts a session with these arguments: its wire, and what knows its exit code.
    ///
    /// # Errors
    /// A box that stopped meanwhile (1), an engine that cannot be reached (4), arguments that are not UTF-8 (2).
    pub async fn session(&self, arguments: &[OsString]) -> Result<(SessionWire, Exec), Failure> {
        let command = arguments
            .iter()
            .map(|argument| argument.to_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .ok_or_else(|| Failure::usage("the Docker API takes only arguments that are UTF-8"))?;
        let options = ExecOptions {
            user: Some("0".to_owned()),
            stdin: true,
            ..ExecOptions::default()
        };
        let stream = self
            .docker
            .exec_stream(&self.info.container_id, &command, &options)
            .await
            .map_err(|error| refused(&self.info.name, error))?;
        let exec = Exec {
            docker: self.docker.clone(),
            id: stream.id,
        };
        let wire = Wire {
            writer: stream.stdin,
            source: ExecSource(stream.output),
        };
        Ok((wire, exec))
    }

    /// What the end of a followed stream means: a box that stopped ends it well.
    ///
    /// # Errors
    /// `failure`, where the box still runs.
    pub async fn ended(&self, context: &Context, failure: Failure) -> Result<(), Failure> {
        if context.ui.is_broken() {
            return Err(failure);
        }
        // The supervisor ends its connections a moment before the engine sees its container end.
        let deadline = Instant::now() + ENDING;
        let state = loop {
            let observation = boxes::observe(&self.docker).await?;
            match observation.boxes.iter().find(|info| info.id == self.info.id) {
                None => break "gone",
                Some(info) if info.state != BoxState::Running => break info.state.as_str(),
                Some(_) if Instant::now() >= deadline => return Err(failure),
                Some(_) => tokio::time::sleep(ENDING_PAUSE).await,
            }
        };
        context.ui.status(&format!("box `{}` is {state}", self.info.name));
        Ok(())
    }
}

/// A box, and its units where the relay was asked for them and knows them.
type Seen = (BoxInfo, Option<UnitsReport>);

/// The boxes on an engine, as the relay knows them where one answers, else as the engine says.
///
/// # Errors
/// Those of the engine.
async fn seen(
    context: &Context,
    docker: &Docker,
    units: bool,
) -> Result<(Vec<Seen>, Option<Relay>), Failure> {
    if let Some(relay) = Relay::of(context, docker) {
        match relay.boxes(units).await {
            Ok(boxes) => {
                context.ui.detail("asked the relay");
                return Ok((boxes, Some(relay)));
            }
            Err(Absence::NotThere) => relay.stay().await,
            Err(absence) => context.ui.detail(&format!("without the relay: {absence}")),
        }
    }
    let boxes = boxes::observe(docker).await?.boxes;
    Ok((boxes.into_iter().map(|info| (info, None)).collect(), None))
}

/// As [`seen`], without units.
async fn found(context: &Context, docker: &Docker) -> Result<(Vec<BoxInfo>, Option<Relay>), Failure> {
    let (boxes, relay) = seen(context, docker, false).await?;
    Ok((boxes.into_iter().map(|(info, _)| info).collect(), relay))
}

/// The wire of a session over an exec.
pub type SessionWire = Wire<std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>, ExecSource>;

/// Output of an exec.
pub struct ExecSource(ExecOutput);

impl Source for ExecSource {
    type Bytes = bytes::Bytes;

    async fn next(&mut self) -> Option<Result<Output<bytes::Bytes>, Failure>> {
        let piece = futures_util::StreamExt::next(&mut self.0).await?;
        Some(match piece {
            Ok((docker::Channel::Stdout, bytes)) => Ok(Output::Stdout(bytes)),
            Ok((docker::Channel::Stderr, bytes)) => Ok(Output::Stderr(bytes)),
            Err(error) => Err(error.into()),
        })
    }
}

/// A command that was started, for its exit code.
#[derive(Debug)]
pub struct Exec {
    docker: Docker,
    id: String,
}

impl Exec {
    /// The exit code of the command, whose output has ended.
    ///
    /// # Errors
    /// A box that went away with the command, an engine that cannot tell.
    pub async fn code(&self) -> Result<u8, Failure> {
        for _ in 0..EXIT_LOOKS {
            if let Some(code) = self.docker.exec_exit_code(&self.id).await? {
                return u8::try_from(code)
                    .map_err(|_| Failure::failed(format!("the engine reports the exit code {code}")));
            }
            tokio::time::sleep(EXIT_PAUSE).await;
        }
        Err(Failure::failed(
            "the command's output ended, but the engine says that it still runs",
        ))
    }
}

/// A refused exec is a box that is no longer in the state we saw.
fn refused(name: &str, error: DockerError) -> Failure {
    let changed = error.is_not_found() || error.is_conflict();
    let failure = Failure::from(error);
    if changed {
        failure.hint(format!("agentbox status {name}"))
    } else {
        failure
    }
}
