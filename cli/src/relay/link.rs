//! The one channel to a running box, and what comes over it by itself.
//!
//! ```text
//! box runs ─► exec `connect` ─► events after the last stored ─► store ─► told
//!                │                                      └─► units are asked for again
//!                └─► everybody who asks for the channel
//! box is there ─► apps, and again when somebody has changed them
//! ```
//!
//! A channel that breaks is opened again, ever more slowly, for as long as the box runs. What a box recorded until it stopped and
//! did not send any more is read from its journal then.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::Request;
use agentbox_ctl::report::UnitsReport;
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};

use super::apps::Apps;
use super::batch::Batch;
use super::engine::lock;
use super::log::Log;
use super::store::Store;
use crate::app::App;
use crate::boxes::{BoxInfo, BoxState};
use crate::docker::Docker;
use crate::target::{Channel, Target};
use crate::ui::one_line;

/// How long to wait between tries to get to a box; doubles up to the longest, and begins anew after a channel that held.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A channel that held this long is no failed try.
const HELD: Duration = Duration::from_secs(5);
/// How long a box may take to say what its units do.
const UNITS_PATIENCE: Duration = Duration::from_secs(2);
/// How old they may be while somebody wants them.
const UNITS_AGE: Duration = Duration::from_secs(1);
/// Least time between two questions for the units of a box in which much happens.
const UNITS_PAUSE: Duration = Duration::from_millis(20);
/// How long a box has been stopped until its journal and its apps are read: one that comes back says what is missing, and one that is
/// being removed must not be touched.
const SETTLING: Duration = Duration::from_millis(500);
/// How long nothing is started in a box that is about to be frozen.
const HOLD: Duration = Duration::from_secs(3);
/// How long the events of a box wait after they could not be stored.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How long a box may take to tell all that it has recorded.
const CATCH_UP_PATIENCE: Duration = Duration::from_secs(10);
/// How long an engine may take to start the other end of a channel, and that to say who it is.
const OPENING_PATIENCE: Duration = Duration::from_secs(20);
/// How often the other end of a channel is asked whether it is there, and how long it may take: a busy machine is no broken network.
const ALIVE: Duration = Duration::from_secs(15);
const ALIVE_PATIENCE: Duration = Duration::from_secs(15);

/// A box that the relay watches.
#[derive(Debug)]
pub(super) struct Link {
    docker: Docker,
    store: Store,
    log: Log,
    /// The box as last seen.
    info: watch::Sender<BoxInfo>,
    channel: watch::Sender<Option<Arc<Channel>>>,
    units: watch::Sender<Option<Arc<UnitsReport>>>,
    apps: Apps,
    /// Held while something is being started in the box.
    starting: Mutex<()>,
    /// Until when nothing is to be started.
    held: watch::Sender<Option<Instant>>,
    /// The units are to be asked for.
    stale: Notify,
    /// When somebody last wanted to know.
    asked: std::sync::Mutex<Instant>,
    task: std::sync::Mutex<Option<AbortHandle>>,
}

impl Link {
    /// Begins to watch a box.
    pub(super) fn begin(docker: Docker, store: Store, log: Log, info: BoxInfo) -> Arc<Self> {
        let link = Arc::new(Self {
            docker,
            store,
            log,
            info: watch::Sender::new(info),
            channel: watch::Sender::new(None),
            units: watch::Sender::new(None),
            apps: Apps::default(),
            starting: Mutex::default(),
            held: watch::Sender::new(None),
            stale: Notify::new(),
            asked: std::sync::Mutex::new(Instant::now()),
            task: std::sync::Mutex::default(),
        });
        let task = tokio::spawn(Arc::clone(&link).run()).abort_handle();
        *link
            .task
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Some(task);
        link
    }

    /// The box is now so.
    pub(super) fn see(&self, info: &BoxInfo) {
        self.info.send_if_modified(|known| {
            let differs = known != info;
            if differs {
                known.clone_from(info);
            }
            differs
        });
        if info.state == BoxState::Paused {
            self.held.send_replace(None);
        }
    }

    /// Ends everything about the box.
    pub(super) fn end(&self) {
        let task = lock(&self.task).take();
        if let Some(task) = task {
            task.abort();
        }
        self.channel.send_replace(None);
    }

    /// The channel, where it stands.
    pub(super) fn channel(&self) -> Option<Arc<Channel>> {
        self.channel.borrow().clone()
    }

    /// The channel, which may still have to be opened.
    pub(super) async fn opened(&self, patience: Duration) -> Option<Arc<Channel>> {
        let mut channel = self.channel.subscribe();
        timeout(patience, channel.wait_for(Option::is_some))
            .await
            .ok()?
            .ok()?
            .clone()
    }

    /// The units as last told; `None` before the first time, and for a box that does not run. Asks again in passing, since a
    /// reload can change what is exposed without a change of any state.
    pub(super) fn units(&self) -> Option<Arc<UnitsReport>> {
        let mut asked = lock(&self.asked);
        if asked.elapsed() >= UNITS_AGE {
            *asked = Instant::now();
            self.stale.notify_one();
        }
        self.units.borrow().clone()
    }

    /// The units as they are now: asked for over the channel, since the last events may still be on their way.
    pub(super) async fn units_now(&self, patience: Duration) -> Option<UnitsReport> {
        let channel = self.channel()?;
        timeout(patience, channel.units()).await.ok()?.ok()
    }

    /// Has what [`Self::units`] gives be as it is now, where the box says so in time.
    pub(super) async fn renew(&self, patience: Duration) {
        if let Some(units) = self.units_now(patience).await {
            self.units.send_replace(Some(Arc::new(units)));
        }
    }

    /// The apps as last read; `None` before the first time.
    pub(super) fn apps(&self) -> Option<Arc<Vec<App>>> {
        self.apps.known()
    }

    /// Reads the apps, which somebody has changed: until that is done they are not known.
    ///
    /// # Errors
    /// A box that cannot be read.
    pub(super) async fn renew_apps(&self) -> Result<(), Failure> {
        self.apps.forget();
        self.apps.read(&self.target()).await
    }

    /// Reads the apps, where that is not what was done just now, and the box can be read in time.
    pub(super) async fn look_at_apps(&self, patience: Duration) {
        // One that takes too long is as it was.
        let _ = timeout(patience, self.apps.read_again(&self.target())).await;
    }

    /// Starts nothing in the box for a while; returns when nothing is being started.
    pub(super) async fn hold(&self) {
        self.held.send_replace(Some(Instant::now() + HOLD));
        drop(self.starting.lock().await);
    }

    fn target(&self) -> Target {
        Target::of(self.docker.clone(), self.info.borrow().clone(), None)
    }

    /// Stores what the box has recorded and we have not.
    ///
    /// # Errors
    /// A box that cannot be read or takes too long, a store that cannot be written.
    pub(super) async fn catch_up(&self) -> Result<(), Failure> {
        let (id, state) = {
            let info = self.info.borrow();
            (info.id.clone(), info.state)
        };
        let catching_up = async {
            let mut last = self.store.last(&id).await?;
            let channel = self.channel().filter(|_| state == BoxState::Running);
            let Some(channel) = channel else {
                let mut events = self.target().recorded_events().await?;
                events.retain(|event| event.seq.is_some_and(|seq| seq > last));
                self.store.add(&id, last, events).await?;
                return Ok(());
            };
            let mut call = channel.call(&after(last, false)).await?;
            loop {
                let batch = Batch::next(&mut call).await;
                let batch = batch.map_err(|failure| channel.explain(failure))?;
                last = self.store.add(&id, last, batch.events).await?;
                if batch.is_last {
                    return Ok(());
                }
            }
        };
        let late = |_| Failure::failed("the box does not say what has happened");
        timeout(CATCH_UP_PATIENCE, catching_up).await.map_err(late)?
    }

    async fn run(self: Arc<Self>) {
        let mut info = self.info.subscribe();
        let mut pause = FIRST_PAUSE;
        let mut was_running = false;
        let mut looked = false;
        let mut said = String::new();
        loop {
            let state = info.borrow_and_update().state;
            if state != BoxState::Running {
                self.units.send_replace(None);
                pause = FIRST_PAUSE;
                let unread = state == BoxState::Stopped && std::mem::take(&mut was_running);
                let is_new =
                    state != BoxState::Dead && self.apps().is_none() && !std::mem::replace(&mut looked, true);
                let limit = if unread || is_new { SETTLING } else { Duration::MAX };
                match timeout(limit, info.changed()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return,
                    Err(_) => {
                        let _starting = self.unheld().await;
                        if unread && let Err(failure) = Box::pin(self.catch_up()).await {
                            self.say(&format!("its journal cannot be read: {}", failure.message));
                        }
                        self.read_apps().await;
                    }
                }
                continue;
            }
            was_running = true;
            let begun = Instant::now();
            let lost = self.serve(&mut info).await;
            self.channel.send_replace(None);
            if begun.elapsed() > HELD {
                pause = FIRST_PAUSE;
            }
            if let Err(failure) = lost
                && info.borrow().state == BoxState::Running
            {
                // One that is tried again and again says so once.
                let text = format!("no channel: {}", causes(&failure));
                if begun.elapsed() > HELD || said != text {
                    self.say(&text);
                }
                said = text;
            }
            tokio::select! {
                () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                // A box that came back is asked at once.
                changed = info.changed() => match changed {
                    Ok(()) => pause = FIRST_PAUSE,
                    Err(_) => return,
                },
            }
        }
    }

    /// Opens the channel and lives on it until it breaks or the box stops.
    async fn serve(&self, info: &mut watch::Receiver<BoxInfo>) -> Result<(), Failure> {
        let (container, name) = {
            let info = info.borrow();
            (info.container_id.clone(), info.name.clone())
        };
        let channel = {
            let _starting = self.unheld().await;
            // On the heap, as what is large and soon over: all that lasts is small then.
            let opening = Box::pin(Channel::open(&self.docker, &container, &name));
            // The request may have gone out over a connection that leads nowhere any more; the next one does not.
            let late = |_| Failure::failed("the engine does not start its other end");
            Arc::new(timeout(OPENING_PATIENCE, opening).await.map_err(late)??)
        };
        self.channel.send_replace(Some(Arc::clone(&channel)));
        self.say("channel open");
        let stopped = info.wait_for(|info| matches!(info.state, BoxState::Stopped | BoxState::Dead));
        let ended = tokio::select! {
            Err(failure) = self.keep_events(&channel) => failure,
            Err(failure) = self.keep_units(&channel) => failure,
            Err(failure) = self.keep_alive(&channel) => failure,
            never = self.keep_apps() => match never {},
            _ = stopped => return Ok(()),
        };
        Err(channel.explain(ended))
    }

    /// Stores events as they come. A store that fails costs events their way there for a while, and nothing else.
    async fn keep_events(&self, channel: &Channel) -> Result<Infallible, Failure> {
        let id = self.info.borrow().id.clone();
        let mut failed = None;
        loop {
            let failure = match self.store.last(&id).await {
                Ok(last) => self.keep_events_after(channel, &id, last, &mut failed).await?,
                Err(failure) => failure,
            };
            let text = causes(&failure);
            if failed.as_ref() != Some(&text) {
                self.say(&text);
                failed = Some(text);
            }
            sleep(STORE_PAUSE).await;
        }
    }

    /// Stores events as they come until that fails; gives why it did.
    ///
    /// # Errors
    /// A channel that has ended.
    async fn keep_events_after(
        &self,
        channel: &Channel,
        id: &str,
        mut last: u64,
        failed: &mut Option<String>,
    ) -> Result<Failure, Failure> {
        let mut call = channel.client.call(&after(last, true)).await?;
        self.stale.notify_one();
        loop {
            let batch = Batch::next(&mut call).await?;
            if batch.is_last {
                return Err(Failure::failed("the supervisor has no more events"));
            }
            // Before anybody is told: who waits for a service and then asks for it finds it.
            self.units.send_if_modified(|units| batch.tell(units));
            last = match self.store.add(id, last, batch.events).await {
                Ok(last) => last,
                Err(failure) => return Ok(failure),
            };
            if failed.take().is_some() {
                self.say("its events are stored again");
            }
            self.stale.notify_one();
        }
    }

    /// Asks for the units whenever something has happened.
    async fn keep_units(&self, channel: &Channel) -> Result<Infallible, Failure> {
        loop {
            self.stale.notified().await;
            // A busy box: what was known is no longer.
            let units = timeout(UNITS_PATIENCE, channel.units()).await.ok().transpose()?;
            self.units.send_replace(units.map(Arc::new));
            sleep(UNITS_PAUSE).await;
        }
    }

    /// Reads the apps of a box that has begun to run: a host elsewhere may have changed them before. Never ends.
    async fn keep_apps(&self) -> Infallible {
        self.read_apps().await;
        std::future::pending().await
    }

    async fn read_apps(&self) {
        // On the heap, as the channel's opening is.
        if let Err(failure) = Box::pin(self.apps.read(&self.target())).await {
            self.say(&format!("its apps cannot be read: {}", causes(&failure)));
        }
    }

    /// Makes sure that somebody is at the other end: a network may break without a word.
    async fn keep_alive(&self, channel: &Channel) -> Result<Infallible, Failure> {
        loop {
            sleep(ALIVE).await;
            match timeout(ALIVE_PATIENCE, channel.ask(&Request::Hello)).await {
                Ok(answer) => drop(answer?),
                // One that is frozen has nothing to say.
                Err(_) if self.info.borrow().state != BoxState::Running => {}
                Err(_) => return Err(Failure::failed("nobody answers")),
            }
        }
    }

    /// Waits until something may be started in the box.
    async fn unheld(&self) -> tokio::sync::MutexGuard<'_, ()> {
        loop {
            let until = *self.held.borrow();
            let Some(until) = until.filter(|until| *until > Instant::now()) else {
                let guard = self.starting.lock().await;
                // Somebody may have asked while we waited.
                if self.held.borrow().is_none_or(|until| until <= Instant::now()) {
                    return guard;
                }
                continue;
            };
            let mut held = self.held.subscribe();
            let _ = tokio::time::timeout_at(until, held.changed()).await;
        }
    }

    fn say(&self, text: &str) {
        let name = self.info.borrow().name.clone();
        self.log
            .say(&format!("box `{}`: {}", one_line(&name), one_line(text)));
    }
}

/// The request for the events of a box.
fn after(last: u64, follow: bool) -> Request {
    Request::Events {
        after: Some(last),
        since: None,
        follow,
    }
}

fn causes(failure: &Failure) -> String {
    let words = std::iter::once(&failure.message).chain(&failure.causes);
    words.map(String::as_str).collect::<Vec<_>>().join(": ")
}
