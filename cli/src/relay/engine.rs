//! One engine: which boxes are on it, and the links to those of this user that run.
//!
//! ```text
//! Docker's events ─► not settled ─► observe ─► boxes ─► settled
//!        │                                       └─► a link each
//!        └─► box-state events ─► store
//! ```

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, EventKind};
use agentbox_ctl::time::Timestamp;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::link::Link;
use super::log::Log;
use super::store::Store;
use super::wire::EngineHealth;
use crate::boxes::{self, BoxInfo, BoxState, label};
use crate::docker::{ContainerEvent, ContainerEvents, ContainerPhase, Docker, DockerError, Transport};
use crate::ui::one_line;

/// How long to wait between tries to reach an engine; doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// When an engine is looked at of itself: soon after the first time, then ever more seldom, in case that it forgot to tell.
const SECOND_LOOK: Duration = Duration::from_millis(500);
const LATER_LOOKS: Duration = Duration::from_secs(60);
/// How long an engine's list may lag behind its events.
const LAG: Duration = Duration::from_secs(2);
/// Turns of all other tasks in which an event that has come is taken note of.
const TURNS: usize = 16;
/// How long an engine may take to list its boxes.
const PATIENCE: Duration = Duration::from_secs(30);

/// An event, a failure, or the end of both.
type Happened = Option<Result<ContainerEvent, DockerError>>;

/// What is known of an engine's boxes.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// The boxes, the oldest first.
    boxes: Arc<Vec<BoxInfo>>,
    /// The engine answers.
    is_up: bool,
    /// Nothing has happened since they were listed.
    is_settled: bool,
}

/// An engine that is watched.
#[derive(Debug)]
pub(super) struct Engine {
    url: String,
    docker: Docker,
    store: Store,
    log: Log,
    /// Home directory of the user whose boxes have links.
    home: String,
    seen: watch::Sender<Seen>,
    links: Mutex<HashMap<String, Arc<Link>>>,
    /// States that events told, by container, which a list may not have yet: an engine tells before it takes note itself.
    told: Mutex<HashMap<String, (BoxState, Instant)>>,
    /// Somebody knows more than was seen.
    wanted: Notify,
    /// Why nothing can be stored.
    unstored: Mutex<Option<String>>,
}

impl Engine {
    /// Begins to watch an engine, for as long as the process lives.
    pub(super) fn watch(docker: Docker, store: Store, log: Log, home: String) -> Arc<Self> {
        let engine = Arc::new(Self {
            url: docker.address().to_string(),
            docker,
            store,
            log,
            home,
            seen: watch::Sender::default(),
            links: Mutex::default(),
            told: Mutex::default(),
            wanted: Notify::new(),
            unstored: Mutex::default(),
        });
        tokio::spawn(Arc::clone(&engine).run());
        engine
    }

    /// The boxes after all that has happened so far; `None` where the engine does not say within `patience`.
    pub(super) async fn boxes(&self, patience: Duration) -> Option<Arc<Vec<BoxInfo>>> {
        let boxes = async {
            if self.is_local() {
                self.settled().await
            } else {
                self.listed().await
            }
        };
        timeout(patience, boxes).await.ok()?
    }

    /// Those of an engine here: what it told before it answers a question is on its way to us, or here; let it be taken note of.
    async fn settled(&self) -> Option<Arc<Vec<BoxInfo>>> {
        self.docker.ping().await.ok()?;
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
        let mut seen = self.seen.subscribe();
        let seen = seen.wait_for(|seen| seen.is_settled).await.ok()?;
        Some(Arc::clone(&seen.boxes))
    }

    /// Those of an engine elsewhere: its events may come later than its answers, or no more at all.
    async fn listed(&self) -> Option<Arc<Vec<BoxInfo>>> {
        let mut boxes = boxes::observe(&self.docker).await.ok()?.boxes;
        self.correct(&mut boxes);
        let mut seen = self.seen.subscribe();
        if !same(&boxes, &self.known()) {
            self.wanted.notify_one();
            seen.wait_for(|seen| same(&boxes, &seen.boxes)).await.ok()?;
        }
        Some(self.known())
    }

    /// Whether what it publishes on its loopback is on ours.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.docker.address().transport, Transport::Unix(_))
    }

    /// The boxes as last seen.
    pub(super) fn known(&self) -> Arc<Vec<BoxInfo>> {
        Arc::clone(&self.seen.borrow().boxes)
    }

    /// Changes with every look at the engine.
    pub(super) fn looks(&self) -> watch::Receiver<impl Sized + use<>> {
        self.seen.subscribe()
    }

    /// The link to a box of this user.
    pub(super) fn link(&self, id: &str) -> Option<Arc<Link>> {
        self.links().get(id).cloned()
    }

    /// Whether a box of this user runs or is paused.
    pub(super) fn is_busy(&self) -> bool {
        let seen = self.seen.borrow();
        let lives = |info: &&BoxInfo| matches!(info.state, BoxState::Running | BoxState::Paused);
        seen.boxes.iter().filter(lives).any(|info| self.is_own(info))
    }

    /// How it does.
    pub(super) fn health(&self) -> EngineHealth {
        let seen = self.seen.borrow();
        EngineHealth {
            engine: self.url.clone(),
            connected: seen.is_up,
            boxes: seen.boxes.len(),
            channels: self
                .links()
                .values()
                .filter(|link| link.channel().is_some())
                .count(),
        }
    }

    fn links(&self) -> MutexGuard<'_, HashMap<String, Arc<Link>>> {
        lock(&self.links)
    }

    /// Whether it is one of this user's: those of others, on an engine that many use, are no affair of ours.
    fn is_own(&self, info: &BoxInfo) -> bool {
        info.is_of(&self.home)
    }

    async fn run(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        let mut told = false;
        loop {
            let Err(failure) = self.follow(&mut pause, &mut told).await;
            self.seen.send_modify(|seen| {
                seen.is_up = false;
                seen.is_settled = false;
            });
            if !std::mem::replace(&mut told, true) {
                self.log
                    .say(&format!("{}: {}", self.url, one_line(&failure.message)));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Follows the engine until it no longer answers.
    async fn follow(&self, pause: &mut Duration, told: &mut bool) -> Result<Infallible, Failure> {
        let mut events = self.docker.container_events(label::ID);
        // The request goes out with the first poll, after the first look; later ones see what fell between.
        let mut next_look = SECOND_LOOK;
        let mut untold = false;
        loop {
            let before = self.known();
            let happened = self.look(&mut events).await?;
            if !happened.last().is_some_and(is_end) {
                *pause = FIRST_PAUSE;
                if std::mem::take(told) {
                    self.log.say(&format!("{}: answers again", self.url));
                }
            }
            let event = if happened.is_empty() {
                let lags = !lock(&self.told).is_empty();
                // What is seen to have happened is told at once by an engine that still tells.
                untold = next_look > LAG && (untold || !same(&before, &self.known()));
                let limit = match (untold, lags) {
                    (true, _) => LAG,
                    (false, true) => LAG / 10,
                    (false, false) => next_look,
                };
                let event = tokio::select! {
                    event = timeout(limit, events.next()) => event,
                    () = self.wanted.notified() => continue,
                };
                match event {
                    Ok(event) => Some(event),
                    Err(_) if untold => return Err(Failure::failed("the engine tells of nothing any more")),
                    Err(_) => {
                        if !lags {
                            next_look = (next_look * 2).min(LATER_LOOKS);
                        }
                        continue;
                    }
                }
            } else {
                None
            };
            untold = false;
            self.unsettle();
            for event in happened.into_iter().chain(event) {
                self.happened(event).await?;
            }
            // What came meanwhile is seen with the same look.
            while let Some(event) = events.next().now_or_never() {
                self.happened(event).await?;
            }
        }
    }

    fn unsettle(&self) {
        self.seen.send_modify(|seen| seen.is_settled = false);
    }

    /// Records what happened to a box.
    async fn happened(&self, event: Happened) -> Result<(), Failure> {
        let event = event.ok_or_else(|| Failure::failed("the engine ended its stream of events"))??;
        if let Some(state) = event.phase.and_then(state_of) {
            lock(&self.told).insert(event.id.clone(), (state, Instant::now()));
        }
        let known = self.known();
        let Some(info) = known.iter().find(|info| info.container_id == event.id) else {
            return Ok(());
        };
        if !self.is_own(info) {
            return Ok(());
        }
        let state = event.phase.and_then(state_of);
        if state.is_some() || event.is_gone {
            self.record(info, state, event.time).await;
        }
        Ok(())
    }

    /// Gives boxes the states that events told, as long as the engine's list may lag behind them.
    fn correct(&self, boxes: &mut [BoxInfo]) {
        let mut told = lock(&self.told);
        told.retain(|container, (state, at)| {
            let Some(info) = boxes.iter_mut().find(|info| info.container_id == *container) else {
                return at.elapsed() < LAG;
            };
            let lags = info.state != *state && at.elapsed() < LAG;
            if lags {
                info.state = *state;
            }
            lags
        });
    }

    /// Stores that a box is now in a state, where it was in another. Where that fails, the next look at the engine makes up for it.
    async fn record(&self, info: &BoxInfo, state: Option<BoxState>, time: Timestamp) {
        let event = Event {
            seq: None,
            time,
            box_name: Some(info.name.clone()),
            kind: EventKind::BoxState,
            unit: None,
            from: None,
            to: state.map(|state| state.as_str().to_owned()),
            pid: None,
            exit_code: None,
        };
        self.stored(self.store.record(&info.id, event).await);
    }

    /// Says when the store begins to fail, and when it no longer does.
    fn stored(&self, result: Result<(), Failure>) {
        let text = result.err().map(|failure| {
            let words = std::iter::once(&failure.message).chain(&failure.causes);
            words.map(|word| one_line(word)).collect::<Vec<_>>().join(": ")
        });
        let mut unstored = lock(&self.unstored);
        if *unstored != text {
            let text = text.as_deref().unwrap_or("events are stored again");
            self.log.say(&format!("{}: {text}", self.url));
        }
        *unstored = text;
    }

    /// Lists the boxes and sees to their links. Gives the events that came meanwhile: what was listed may be older.
    /// Where their stream ended there is no list: it, or why it ended, is the last of what is given.
    async fn look(&self, events: &mut ContainerEvents) -> Result<Vec<Happened>, Failure> {
        let mut happened = Vec::new();
        let listing = timeout(PATIENCE, boxes::observe(&self.docker));
        tokio::pin!(listing);
        let listed = loop {
            tokio::select! {
                biased;
                event = events.next() => {
                    self.unsettle();
                    let ends = is_end(&event);
                    happened.push(event);
                    if ends {
                        return Ok(happened);
                    }
                }
                listed = &mut listing => break listed,
            }
        };
        let mut boxes = listed
            .map_err(|_| Failure::failed("the engine does not list its containers"))??
            .boxes;
        self.correct(&mut boxes);
        for info in boxes.iter().filter(|info| self.is_own(info)) {
            self.record(info, Some(info.state), Timestamp::now()).await;
            let mut links = self.links();
            match links.get(&info.id) {
                Some(link) => link.see(info),
                None => {
                    let link = Link::begin(
                        self.docker.clone(),
                        self.store.clone(),
                        self.log.clone(),
                        info.clone(),
                    );
                    links.insert(info.id.clone(), link);
                }
            }
        }
        let gone: Vec<BoxInfo> = {
            let known = self.known();
            let is_gone = |info: &&BoxInfo| !boxes.iter().any(|now| now.id == info.id);
            known.iter().filter(is_gone).cloned().collect()
        };
        for info in gone.iter().filter(|info| self.is_own(info)) {
            self.record(info, None, Timestamp::now()).await;
        }
        self.links().retain(|id, link| {
            let stays = boxes.iter().any(|info| info.id == *id);
            if !stays {
                link.end();
            }
            stays
        });
        let ids = boxes.iter().map(|info| info.id.clone()).collect();
        self.stored(self.store.keep(&self.url, ids).await);
        self.seen.send_replace(Seen {
            boxes: Arc::new(boxes),
            is_up: true,
            is_settled: happened.is_empty(),
        });
        Ok(happened)
    }
}

/// Whether no event comes after this.
fn is_end(happened: &Happened) -> bool {
    !matches!(happened, Some(Ok(_)))
}

/// Whether the same boxes are in the same states.
fn same(some: &[BoxInfo], others: &[BoxInfo]) -> bool {
    let is_same = |(one, other): (&BoxInfo, &BoxInfo)| {
        (&one.id, one.state, &one.port) == (&other.id, other.state, &other.port)
    };
    some.len() == others.len() && some.iter().zip(others).all(is_same)
}

/// The state of a box whose container is doing this; `None` where that does not change it.
fn state_of(phase: ContainerPhase) -> Option<BoxState> {
    match phase {
        ContainerPhase::Running => Some(BoxState::Running),
        ContainerPhase::Paused => Some(BoxState::Paused),
        ContainerPhase::Exited => Some(BoxState::Stopped),
        _ => None,
    }
}

/// What a mutex guards, whatever became of those who held it.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
