//! The relay itself: whom it serves, and when it ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWrite, BufReader};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use super::bridge;
use super::engine::Engine;
use super::link::Link;
use super::log::Log;
use super::owner::{Owned, own};
use super::place::Place;
use super::store::Store;
use super::web::Site;
use super::wire::{self, Answer, Ask, Described, Health, Line, Question, Reply, VERSION};
use crate::api::{Access, Gate, Program};
use crate::boxes::{BoxInfo, BoxState};
use crate::docker::Docker;
use crate::ui::one_line;
use crate::web;

/// Connections served at once; more are closed.
const MOST: usize = 512;
/// How often it looks whether it is still wanted, at least.
const LOOK: Duration = Duration::from_secs(5);
/// How long an engine may take to be settled, and a channel to be opened, until whoever asks had better ask the engine.
const PATIENCE: Duration = Duration::from_millis(400);
/// The same for units of all boxes: a box that does not answer is shown without.
const UNITS_PATIENCE: Duration = Duration::from_millis(150);
/// How long to wait after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(50);

/// What a relay is started with.
#[derive(Debug)]
pub struct Options {
    /// Where it is.
    pub place: Place,
    /// The engine that is watched from the beginning.
    pub docker: Option<Docker>,
    /// Home directory of the user, as boxes are labelled with it.
    pub home: String,
    /// The port that the web proxy had best listen on.
    pub port: u16,
    /// The flag `--engine` that it was given, for the processes that answer the HTTP API.
    pub engine: Option<String>,
    /// How long it goes on without a box of the user's that runs.
    pub idle_timeout: Duration,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    store: Store,
    log: Log,
    home: String,
    started_at: Timestamp,
    engines: Mutex<HashMap<wire::Engine, Arc<Engine>>>,
    /// Port of the web proxy, where it could listen.
    port: Option<u16>,
    connections: AtomicUsize,
    stop: Notify,
}

/// Serves until it is told to end or nobody has wanted it for long enough.
///
/// # Errors
/// Another relay in its place, files that cannot be made.
pub async fn run(options: Options, output: Box<dyn Write + Send>) -> Result<(), Failure> {
    let (owned, listener) = own(&options.place)?;
    more_descriptors();
    let log = Log::new(output);
    // What is wrong with it is no reason to do without everything else.
    let listeners = match web::bind(options.place.state(), options.port).await {
        Ok(listeners) => listeners,
        Err(failure) => {
            log.say(&format!("no web URLs: {}", one_line(&failure.message)));
            Vec::new()
        }
    };
    let port = listeners.first().and_then(|listener| listener.local_addr().ok());
    let shared = Arc::new(Shared {
        store: Store::open(&options.place.events())?,
        log: log.clone(),
        home: options.home,
        started_at: Timestamp::now(),
        engines: Mutex::default(),
        port: port.map(|address| address.port()),
        connections: AtomicUsize::new(0),
        stop: Notify::new(),
    });
    let api = Arc::new(Gate::new(
        Access::new(options.place.state()),
        Program::new(options.engine),
    )?);
    log.say(&format!("relay {VERSION} serves, process {}", std::process::id()));
    if let Some(docker) = options.docker {
        shared.watch(&wire::Engine::at(docker.address()), || Ok(docker))?;
    }
    let why = tokio::select! {
        why = serve(listener, Arc::clone(&shared)) => why,
        never = serve_web(listeners, Arc::clone(&shared), Arc::clone(&api)) => match never {},
        () = shared.stop.notified() => "it was asked to",
        why = unwanted(&shared, &api, &owned, options.idle_timeout) => why,
        why = signalled() => why?,
    };
    log.say(&format!("relay ends: {why}"));
    drop(owned);
    Ok(())
}

/// Takes as many descriptors as the system lets us have: each channel, client and connection through the proxy needs some.
fn more_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // Where it cannot be raised, fewer connections are served.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

async fn serve_web(listeners: Vec<TcpListener>, shared: Arc<Shared>, api: Arc<Gate>) -> Infallible {
    if !listeners.is_empty() {
        web::serve(listeners, Arc::new(Site(shared)), Some(api)).await;
    }
    std::future::pending().await
}

async fn signalled() -> Result<&'static str, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |error: io::Error| Failure::failed("cannot listen for signals").because(&error);
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    tokio::select! {
        _ = terminate.recv() => Ok("terminated"),
        _ = interrupt.recv() => Ok("interrupted"),
    }
}

/// Ends once nobody has wanted it for long enough, or its socket is gone.
async fn unwanted(shared: &Shared, api: &Gate, owned: &Owned, limit: Duration) -> &'static str {
    let mut wanted = Instant::now();
    loop {
        sleep(LOOK.min(limit / 4).max(PAUSE)).await;
        if !owned.holds() {
            return "its socket was removed";
        }
        let engines = shared.watched();
        let is_asked = shared.connections.load(Ordering::Relaxed) > 0 || api.is_open();
        if is_asked || engines.iter().any(|engine| engine.is_busy()) {
            wanted = Instant::now();
        } else if wanted.elapsed() >= limit {
            return "no box has run for long enough";
        }
    }
}

async fn serve(listener: UnixListener, shared: Arc<Shared>) -> &'static str {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let those in use come back.
            sleep(PAUSE).await;
            continue;
        };
        let us = rustix::process::geteuid().as_raw();
        let is_ours = stream.peer_cred().is_ok_and(|peer| peer.uid() == us);
        if !is_ours || shared.connections.load(Ordering::Relaxed) >= MOST {
            continue;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            let _ = connection(stream, &shared).await;
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn connection(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    while let Some(question) = wire::read::<Question>(&mut reader).await? {
        let known = question.version == VERSION || matches!(question.ask, Ask::Health | Ask::Stop);
        if !known {
            let failure = Failure::failed("the relay is of another release");
            answer(&mut writer, Err(failure)).await?;
            continue;
        }
        match question.ask {
            Ask::Health => {
                let health = shared.health().await.map(Answer::Health);
                answer(&mut writer, health).await?;
            }
            Ask::Stop => {
                answer(&mut writer, Ok(Answer::Done)).await?;
                shared.stop.notify_one();
            }
            Ask::Web { engine } => {
                let result = shared.engine(&engine).map(|_| Answer::Web(shared.port));
                answer(&mut writer, result).await?;
            }
            Ask::Boxes { engine, units } => {
                let boxes = shared.boxes(&engine, units).await.map(Answer::Boxes);
                answer(&mut writer, boxes).await?;
            }
            Ask::Hold { engine, id } => {
                if let Ok(link) = shared.link(&engine, &id).await {
                    link.hold().await;
                }
                answer(&mut writer, Ok(Answer::Done)).await?;
            }
            Ask::Apps { engine, id } => {
                let apps = shared.apps(&engine, &id).await;
                answer(&mut writer, apps.map(|()| Answer::Done)).await?;
            }
            Ask::Channel { engine, id } => match shared.channel(&engine, &id).await {
                Ok(channel) => {
                    answer(&mut writer, Ok(Answer::Done)).await?;
                    return bridge::pass(channel, reader, writer).await;
                }
                Err(failure) => answer(&mut writer, Err(failure)).await?,
            },
            Ask::Events {
                engine,
                id,
                after,
                row,
                follow,
            } => match shared.caught_up(&engine, &id).await {
                Ok(engine) => {
                    answer(&mut writer, Ok(Answer::Done)).await?;
                    let left = async {
                        // It says no more, so whatever comes is its end.
                        let _ = reader.read_u8().await;
                        Ok(())
                    };
                    tokio::select! {
                        biased;
                        result = shared.events(&mut writer, &engine, &id, (after, row), follow) => return result,
                        result = left => return result,
                    }
                }
                Err(failure) => answer(&mut writer, Err(failure)).await?,
            },
        }
    }
    Ok(())
}

async fn answer(writer: &mut (impl AsyncWrite + Unpin), result: Result<Answer, Failure>) -> io::Result<()> {
    let version = VERSION.to_owned();
    wire::write(writer, &Reply { version, result }).await
}

fn elsewhere(why: &str) -> Failure {
    Failure::failed(format!("the relay cannot say: {why}"))
}

impl Shared {
    fn engines(&self) -> std::sync::MutexGuard<'_, HashMap<wire::Engine, Arc<Engine>>> {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engines that are watched.
    pub(super) fn watched(&self) -> Vec<Arc<Engine>> {
        self.engines().values().cloned().collect()
    }

    /// The engine, which is watched from now on.
    fn engine(&self, wanted: &wire::Engine) -> Result<Arc<Engine>, Failure> {
        self.watch(wanted, || Ok(Docker::connect(&wanted.address()?)?))
    }

    fn watch(
        &self,
        wanted: &wire::Engine,
        connect: impl FnOnce() -> Result<Docker, Failure>,
    ) -> Result<Arc<Engine>, Failure> {
        let mut engines = self.engines();
        if let Some(engine) = engines.get(wanted) {
            return Ok(Arc::clone(engine));
        }
        let engine = Engine::watch(
            connect()?,
            self.store.clone(),
            self.log.clone(),
            self.home.clone(),
        );
        engines.insert(wanted.clone(), Arc::clone(&engine));
        Ok(engine)
    }

    async fn health(&self) -> Result<Health, Failure> {
        let mut engines: Vec<_> = self.engines().values().map(|engine| engine.health()).collect();
        engines.sort_by(|a, b| a.engine.cmp(&b.engine));
        Ok(Health {
            pid: std::process::id(),
            started_at: self.started_at,
            port: self.port,
            engines,
            events: self.store.count().await?,
        })
    }

    async fn settled(&self, wanted: &wire::Engine) -> Result<(Arc<Engine>, Arc<Vec<BoxInfo>>), Failure> {
        let engine = self.engine(wanted)?;
        let boxes = engine.boxes(PATIENCE).await;
        let boxes = boxes.ok_or_else(|| elsewhere("the engine does not answer"))?;
        Ok((engine, boxes))
    }

    async fn boxes(&self, wanted: &wire::Engine, units: bool) -> Result<Vec<Described>, Failure> {
        let (engine, boxes) = self.settled(wanted).await?;
        let describe = |info: &BoxInfo| {
            let link = engine.link(&info.id).filter(|_| units);
            let mut described = Described::from(info.clone());
            async move {
                if let Some(link) = link {
                    described.units = link.units_now(UNITS_PATIENCE).await;
                }
                described
            }
        };
        Ok(futures_util::future::join_all(boxes.iter().map(describe)).await)
    }

    async fn link(&self, wanted: &wire::Engine, id: &str) -> Result<Arc<Link>, Failure> {
        let (engine, _) = self.settled(wanted).await?;
        engine
            .link(id)
            .ok_or_else(|| elsewhere("the box is not this user's"))
    }

    async fn channel(&self, wanted: &wire::Engine, id: &str) -> Result<Arc<crate::target::Channel>, Failure> {
        let link = self.link(wanted, id).await?;
        let channel = link.opened(PATIENCE).await;
        channel.ok_or_else(|| elsewhere("there is no channel to the box"))
    }

    /// Goes by the apps that a box has now.
    async fn apps(&self, wanted: &wire::Engine, id: &str) -> Result<(), Failure> {
        // Without a look at the engine: a box that is not known yet has its apps read once it is.
        let engine = self.engine(wanted)?;
        match engine.link(id) {
            Some(link) => link.renew_apps().await,
            None => Ok(()),
        }
    }

    /// Stores what a box has recorded so far.
    async fn caught_up(&self, wanted: &wire::Engine, id: &str) -> Result<Arc<Engine>, Failure> {
        let (engine, boxes) = self.settled(wanted).await?;
        let link = engine
            .link(id)
            .ok_or_else(|| elsewhere("the box is not this user's"))?;
        let runs = boxes
            .iter()
            .any(|info| info.id == id && info.state == BoxState::Running);
        if runs && link.opened(PATIENCE).await.is_none() {
            return Err(elsewhere("there is no channel to the box"));
        }
        link.catch_up().await?;
        Ok(engine)
    }

    /// Writes the stored events of a box, and goes on with new ones until it is gone.
    async fn events(
        &self,
        writer: &mut (impl AsyncWrite + Unpin),
        engine: &Engine,
        id: &str,
        (mut after, mut row): (Option<u64>, i64),
        follow: bool,
    ) -> io::Result<()> {
        let mut looks = engine.looks();
        loop {
            // Taken before reading, so that what comes in between wakes us.
            let mut told = self.store.told();
            looks.mark_unchanged();
            let is_gone = engine.link(id).is_none();
            let batch = match self.store.after(id, after, row).await {
                Ok(batch) => batch,
                Err(failure) => return wire::write(writer, &Line::Failed(failure)).await,
            };
            if batch.is_empty() {
                if !follow || is_gone {
                    return wire::write(writer, &Line::End).await;
                }
                tokio::select! {
                    told = told.changed() => if told.is_err() {
                        return Ok(());
                    },
                    // With it the box may have gone.
                    _ = looks.changed() => {}
                    () = sleep(wire::ALIVE) => wire::write(writer, &Line::Alive).await?,
                }
            }
            for (at, event) in batch {
                row = row.max(at);
                after = event.seq.or(after);
                wire::write(writer, &Line::Event(at, event)).await?;
            }
        }
    }
}
