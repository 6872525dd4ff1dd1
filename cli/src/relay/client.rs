//! The commands' side of the socket: quick to answer, quick to give up, and quick to start a relay.
//!
//! A relay that is not there, is of another release, hangs or cannot say is all the same to a command that can ask the engine
//! itself: it does, at the cost of a fraction of a second at most.

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use agentbox_ctl::client::Client;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, UnitsReport};
use tokio::io::BufReader;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::owner::holder;
use super::place::Place;
use super::wire::{self, Answer, Ask, Engine, Health, Line, Question, Reply, VERSION};
use crate::api::Access;
use crate::boxes::BoxInfo;
use crate::context::Context;
use crate::docker::Docker;
use crate::ui::one_line;

/// How long a relay may take to answer until it counts as one that hangs.
const PATIENCE: Duration = Duration::from_millis(250);
/// The same where it has to look at something first.
const LONG_PATIENCE: Duration = Duration::from_millis(900);
/// The same where it reads what lies in a box, on an engine that may be busy.
const APPS_PATIENCE: Duration = Duration::from_secs(10);
/// How long it may say nothing while its events are followed.
const ALIVE_PATIENCE: Duration = wire::ALIVE.saturating_mul(3);
/// How long a relay may take to start, and to end.
const STARTING: Duration = Duration::from_secs(5);
const ENDING: Duration = Duration::from_secs(5);
/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(10);
/// Size from which a log is put aside at a start, in bytes.
const LARGE_LOG: u64 = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// No relay serves.
    NotThere,
    /// One of this version serves.
    OtherVersion(String),
    /// One is there and does not answer.
    Silent,
    /// It cannot do what was asked.
    Cannot(Failure),
}

impl fmt::Display for Absence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere => formatter.write_str("it is not running"),
            Self::OtherVersion(version) => write!(formatter, "it is of version {}", one_line(version)),
            Self::Silent => formatter.write_str("it does not answer"),
            Self::Cannot(failure) => formatter.write_str(&one_line(&failure.message)),
        }
    }
}

/// A connection after its answer.
#[derive(Debug)]
struct Open(BufReader<UnixStream>);

/// Asks a relay one thing.
async fn ask(place: &Place, ask: Ask, patience: Duration) -> Result<(Answer, Open), Absence> {
    let asking = async {
        let mut stream = BufReader::new(UnixStream::connect(place.socket()).await?);
        let version = VERSION.to_owned();
        wire::write(&mut stream, &Question { version, ask }).await?;
        let reply = wire::read::<Reply>(&mut stream).await?;
        let reply = reply.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok::<_, io::Error>((reply, stream))
    };
    let (reply, stream) = match timeout(patience, asking).await {
        Err(_) => return Err(Absence::Silent),
        // What answers nonsense is none of this release.
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(Absence::OtherVersion("unknown".to_owned()));
        }
        Ok(Err(_)) => return Err(Absence::NotThere),
        Ok(Ok(found)) => found,
    };
    if reply.version != VERSION {
        return Err(Absence::OtherVersion(reply.version));
    }
    match reply.result {
        Ok(answer) => Ok((answer, Open(stream))),
        Err(failure) => Err(Absence::Cannot(failure)),
    }
}

/// The relay of a command: asked until it has failed once.
#[derive(Debug, Clone)]
pub struct Relay {
    place: Place,
    engine: Engine,
}

impl Relay {
    /// The relay that may be there for this engine.
    pub fn of(context: &Context, docker: &Docker) -> Option<Self> {
        Some(Self {
            place: context.relay.clone()?,
            engine: Engine::at(docker.address()),
        })
    }

    /// The boxes on the engine, with their units where that is wanted and a box has said.
    ///
    /// # Errors
    /// No answer in time.
    pub async fn boxes(&self, units: bool) -> Result<Vec<(BoxInfo, Option<UnitsReport>)>, Absence> {
        let engine = self.engine.clone();
        match ask(&self.place, Ask::Boxes { engine, units }, self.patience()).await? {
            (Answer::Boxes(boxes), _) => Ok(boxes
                .into_iter()
                .map(|mut described| {
                    let units = described.units.take();
                    (described.into(), units)
                })
                .collect()),
            _ => Err(Absence::NotThere),
        }
    }

    /// A client of the supervisor of a box, over the relay's channel.
    ///
    /// # Errors
    /// No answer in time, a box to which there is no channel.
    pub async fn channel(&self, id: &str) -> Result<Client, Absence> {
        let channel = Ask::Channel {
            engine: self.engine.clone(),
            id: id.to_owned(),
        };
        let (_, Open(stream)) = ask(&self.place, channel, LONG_PATIENCE).await?;
        // The supervisor sends nothing before it is asked, so nothing is lost with the buffer's reader.
        let (reader, writer) = tokio::io::split(stream);
        Ok(Client::new(reader, writer))
    }

    /// The stored events of a box: those in later rows than `row`, and with higher numbers than `after` where they have one.
    ///
    /// # Errors
    /// No answer in time, a box of which the relay knows nothing.
    pub async fn events(
        &self,
        id: &str,
        after: Option<u64>,
        row: i64,
        follow: bool,
    ) -> Result<Events, Absence> {
        let events = Ask::Events {
            engine: self.engine.clone(),
            id: id.to_owned(),
            after,
            row,
            follow,
        };
        let (_, Open(stream)) = ask(&self.place, events, LONG_PATIENCE).await?;
        Ok(Events {
            stream,
            partial: Vec::new(),
        })
    }

    /// Ends when the relay no longer answers: for who waits for something over its channel. Cancel safe.
    pub async fn silence(&self) {
        while matches!(health(&self.place).await, Ok(_) | Err(Absence::Cannot(_))) {
            sleep(wire::ALIVE).await;
        }
    }

    /// Makes sure that a relay of this release watches the engine, and gives the port of its proxy.
    ///
    /// # Errors
    /// A relay that hangs, or that cannot be started.
    pub async fn ensure(&self) -> Result<Option<u16>, Failure> {
        ensure(&self.place).await?;
        let engine = self.engine.clone();
        match ask(&self.place, Ask::Web { engine }, STARTING).await {
            Ok((Answer::Web(port), _)) => Ok(port),
            Err(Absence::Cannot(failure)) => Err(failure),
            _ => Err(silent(&self.place)),
        }
    }

    /// As [`Self::ensure`], for a command that does without it, and does not wait: the port of the proxy where one is there already.
    pub async fn wake(&self) -> Option<u16> {
        let engine = self.engine.clone();
        match ask(&self.place, Ask::Web { engine }, PATIENCE).await {
            Ok((Answer::Web(port), _)) => port,
            Err(Absence::NotThere) => {
                // Whoever needs it says what is wrong.
                let _ = spawn(&self.place, Some(&self.engine));
                None
            }
            Err(Absence::OtherVersion(_)) => self.ensure().await.ok().flatten(),
            _ => None,
        }
    }

    /// For a command that has not found it: while the HTTP API is on, the relay stays, whatever has ended it.
    pub async fn stay(&self) {
        if Access::new(self.place.state()).read().is_some() {
            let _ = self.wake().await;
        }
    }

    /// An engine elsewhere takes longer.
    fn patience(&self) -> Duration {
        if self.engine.url.starts_with("unix:") {
            PATIENCE
        } else {
            LONG_PATIENCE
        }
    }
}

/// Stored events, and later new ones.
#[derive(Debug)]
pub struct Events {
    stream: BufReader<UnixStream>,
    /// The beginning of a line.
    partial: Vec<u8>,
}

impl Events {
    /// The next event with its row; `None` after the last. Cancel safe.
    ///
    /// # Errors
    /// A relay that ended, hangs, or can read no more.
    pub async fn next(&mut self) -> Result<Option<(i64, Event)>, Failure> {
        let lost = || Failure::failed("the connection to the relay ended");
        loop {
            let read = timeout(
                ALIVE_PATIENCE,
                wire::read_into(&mut self.stream, &mut self.partial),
            )
            .await;
            match read.map_err(|_| Failure::failed("the relay does not answer"))? {
                Ok(Some(Line::Event(row, event))) => return Ok(Some((row, event))),
                Ok(Some(Line::Alive)) => {}
                Ok(Some(Line::End)) => return Ok(None),
                Ok(Some(Line::Failed(failure))) => return Err(failure),
                Ok(None) => return Err(lost()),
                Err(error) => return Err(lost().because(&error)),
            }
        }
    }
}

/// Has a relay start nothing in a box that is about to be frozen, and read nothing from one that is about to be removed. Where
/// there is no relay, nothing need be done.
pub async fn hold(context: &Context, docker: &Docker, id: &str) {
    if let Some(Relay { place, engine }) = Relay::of(context, docker) {
        let id = id.to_owned();
        // A relay that does not answer does neither.
        let _ = ask(&place, Ask::Hold { engine, id }, LONG_PATIENCE).await;
    }
}

/// Has a relay go by the apps that a box has now. Where there is none, the next one reads them.
pub async fn apps_changed(context: &Context, docker: &Docker, id: &str) {
    // Also one that this command does without: it would go on leading to an app that is gone.
    if let Some(place) = context.relay.clone().or_else(Place::find) {
        let (engine, id) = (Engine::at(docker.address()), id.to_owned());
        // One that does not answer leads nowhere either.
        let _ = ask(&place, Ask::Apps { engine, id }, APPS_PATIENCE).await;
    }
}

/// How the relay is.
///
/// # Errors
/// No relay that answers.
pub async fn health(place: &Place) -> Result<Health, Absence> {
    match ask(place, Ask::Health, STARTING.min(LONG_PATIENCE)).await? {
        (Answer::Health(health), _) => Ok(health),
        _ => Err(Absence::NotThere),
    }
}

/// Makes sure that a relay of this release serves: one that is of another is replaced.
///
/// # Errors
/// A relay that hangs, or that cannot be started.
pub async fn ensure(place: &Place) -> Result<(), Failure> {
    match health(place).await {
        Ok(_) | Err(Absence::Cannot(_)) => return Ok(()),
        Err(Absence::Silent) => return Err(silent(place)),
        Err(Absence::OtherVersion(_)) => drop(stop(place).await?),
        Err(Absence::NotThere) => {}
    }
    spawn(place, None)?;
    let deadline = Instant::now() + STARTING;
    loop {
        sleep(LOOK).await;
        match health(place).await {
            Ok(_) | Err(Absence::Cannot(_)) => return Ok(()),
            Err(_) if Instant::now() >= deadline => {
                return Err(Failure::failed("the relay does not start").hint("agentbox relay log"));
            }
            Err(_) => {}
        }
    }
}

fn silent(place: &Place) -> Failure {
    let pid = holder(place).map_or_else(String::new, |pid| format!(" (process {pid})"));
    Failure::failed(format!("the relay{pid} does not answer")).hint("agentbox relay stop")
}

/// Starts a relay that outlives this command.
fn spawn(place: &Place, engine: Option<&Engine>) -> Result<(), Failure> {
    place.prepare()?;
    let cannot = |error: io::Error| Failure::failed("cannot start the relay").because(&error);
    let path = place.log();
    if std::fs::metadata(&path).is_ok_and(|found| found.len() > LARGE_LOG) {
        // The log goes on in the large one otherwise.
        let _ = std::fs::rename(&path, path.with_extension("log.1"));
    }
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(cannot)?;
    let program = std::env::current_exe().map_err(cannot)?;
    let mut command = Command::new(program);
    command.args(["relay", "run", "--detached"]);
    if let Some(engine) = engine.filter(|engine| engine.certificates.is_none()) {
        command.args(["--engine", &engine.url]);
    }
    command
        .env_remove("AGENTBOX_NO_RELAY")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(cannot)?)
        .stderr(log)
        .spawn()
        .map(drop)
        .map_err(cannot)
}

/// Ends the relay; whether there was one. One that does not answer is ended by signals.
///
/// # Errors
/// A process that cannot be ended.
pub async fn stop(place: &Place) -> Result<bool, Failure> {
    let asked = ask(place, Ask::Stop, LONG_PATIENCE).await;
    let Some(pid) = holder(place) else {
        // One that is so quick has done what it was asked to.
        return Ok(asked.is_ok());
    };
    let mut signals = match asked {
        Ok(_) | Err(Absence::OtherVersion(_) | Absence::Cannot(_)) => {
            vec![None, Some(rustix::process::Signal::TERM)]
        }
        Err(Absence::Silent | Absence::NotThere) => vec![Some(rustix::process::Signal::TERM)],
    };
    signals.push(Some(rustix::process::Signal::KILL));
    for signal in signals {
        if let (Some(signal), Some(process)) = (
            signal,
            i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw),
        ) {
            // One that has ended meanwhile is what is wanted.
            let _ = rustix::process::kill_process(process, signal);
            // A stopped process takes its end only when it goes on.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::CONT);
        }
        let deadline = Instant::now() + ENDING;
        while Instant::now() < deadline {
            if holder(place) != Some(pid) {
                return Ok(true);
            }
            sleep(LOOK).await;
        }
    }
    Err(Failure::failed(format!("the relay (process {pid}) does not end")))
}
