//! One box, watched through everything that happens to it.
//!
//! ```text
//! running ── channel ─┬─ units, at once and after events            (every box)
//!                     └─ events, details, output                    (the selected one)
//! else ──── archive ──── units, events, details, output as recorded (each time it comes to rest)
//! ```

use std::time::Duration;

use agentbox_ctl::client::Part;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::UnitsReport;
use agentbox_ctl::time::Timestamp;
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::super::model::{Input, News};
use super::{details, output};
use crate::boxes::{BoxInfo, BoxState};
use crate::docker::Docker;
use crate::relay::Relay;
use crate::target::{Channel, Target};

/// How long to wait between tries to get to a box; doubles up to the longer one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Time from one look at the units to the next, however many events come, and the same for details.
const LOOK: Duration = Duration::from_millis(150);
const DETAILS: Duration = Duration::from_secs(3);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is wanted of a box that is selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// Output of this unit; else of all.
    pub(super) unit: Option<String>,
    /// Number of the subscription.
    pub(super) subscription: u64,
    /// Another number than before asks for everything again.
    pub(super) refreshes: u64,
}

pub(super) struct Watch {
    docker: Docker,
    relay: Option<Relay>,
    info: watch::Receiver<BoxInfo>,
    wish: watch::Receiver<Option<Wish>>,
    sender: mpsc::Sender<Input>,
}

impl Watch {
    pub(super) fn new(
        docker: Docker,
        relay: Option<Relay>,
        info: watch::Receiver<BoxInfo>,
        wish: watch::Receiver<Option<Wish>>,
        sender: mpsc::Sender<Input>,
    ) -> Self {
        Self {
            docker,
            relay,
            info,
            wish,
            sender,
        }
    }

    /// Watches until nobody wants that any more. Whatever the engine says anew about the box begins it afresh.
    pub(super) async fn run(mut self) {
        loop {
            let info = self.info.borrow_and_update().clone();
            let mut session = Session {
                id: info.id.clone(),
                target: Target::of(self.docker.clone(), info, self.relay.clone()),
                wish: self.wish.clone(),
                sender: self.sender.clone(),
                pause: FIRST_PAUSE,
            };
            tokio::select! {
                changed = self.info.changed() => if changed.is_err() {
                    return;
                },
                () = session.watch() => return,
            }
        }
    }
}

/// A box in one state.
struct Session {
    id: String,
    target: Target,
    wish: watch::Receiver<Option<Wish>>,
    sender: mpsc::Sender<Input>,
    pause: Duration,
}

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct Deaf;

/// Why something was not gone on with.
pub(super) enum Stop {
    Deaf,
    Failed(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Deaf> for Stop {
    fn from(_: Deaf) -> Self {
        Self::Deaf
    }
}

impl Session {
    /// Watches; returns when nobody listens.
    async fn watch(&mut self) {
        loop {
            let result = match self.target.info.state {
                BoxState::Running => self.live().await,
                BoxState::Paused | BoxState::Stopped | BoxState::Dead => self.at_rest().await,
            };
            match result {
                Err(Stop::Deaf) => return,
                Err(Stop::Failed(failure)) => {
                    if self.tell(News::Trouble(failure)).await.is_err() {
                        return;
                    }
                }
                Ok(()) => {}
            }
            sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// As long as the supervisor talks to us.
    async fn live(&mut self) -> Result<(), Stop> {
        let channel = within(self.target.channel()).await?;
        let mut wish = self.wish.borrow_and_update().clone();
        let mut output = Output::default();
        loop {
            let mut units = within(channel.units()).await?;
            self.tell(News::Units(units.clone())).await?;
            self.pause = FIRST_PAUSE;
            let after = match &wish {
                Some(_) => Some(self.history(&channel).await?),
                None => None,
            };
            let request = Request::Events {
                after,
                since: after.is_none().then(Timestamp::now),
                follow: true,
            };
            let mut events = within(channel.call(&request)).await?;
            output.follow(&channel, wish.as_ref(), &self.sender);
            // What happened before the events were asked for.
            let mut stale = true;
            let mut look_at = Instant::now();
            let mut details_at = look_at + DETAILS;
            loop {
                tokio::select! {
                    part = events.next() => match part {
                        Ok(Part::Item(Item::Event(event))) => {
                            stale = true;
                            if wish.is_some() {
                                self.tell(News::Event(event)).await?;
                            }
                        }
                        Ok(Part::Item(_) | Part::Data(_)) => {}
                        Ok(Part::Done(_)) => return Ok(()),
                        Err(failure) => return Err(channel.explain(failure).into()),
                    },
                    () = sleep_until(look_at), if stale => {
                        let now = within(channel.units()).await?;
                        if wish.as_ref().is_some_and(|wish| wish.unit.is_none()) && !same_names(&now, &units) {
                            // Output of all units is that of those that were there as it was asked for.
                            output = Output::default();
                            output.follow(&channel, wish.as_ref(), &self.sender);
                        }
                        units = now;
                        self.tell(News::Units(units.clone())).await?;
                        if wish.is_some() && Instant::now() >= details_at {
                            self.details().await?;
                            details_at = Instant::now() + DETAILS;
                        }
                        stale = false;
                        look_at = Instant::now() + LOOK;
                    }
                    changed = self.wish.changed() => {
                        changed.map_err(|_| Deaf)?;
                        let now = self.wish.borrow_and_update().clone();
                        let begins_anew = refreshes(&now) != refreshes(&wish);
                        output.follow(&channel, now.as_ref(), &self.sender);
                        wish = now;
                        if begins_anew {
                            break;
                        }
                    }
                }
            }
        }
    }

    /// All that is known of the present start; gives the number of the newest event.
    async fn history(&self, channel: &Channel) -> Result<u64, Stop> {
        self.details().await?;
        let events = within(channel.events()).await?;
        let newest = events.iter().filter_map(|event| event.seq).max();
        self.tell(News::Events(events)).await?;
        Ok(newest.unwrap_or(0))
    }

    async fn details(&self) -> Result<(), Stop> {
        let details = within(details::read(&self.target)).await?;
        Ok(self.tell(News::Details(details)).await?)
    }

    /// What lies on the disk of a box that does not run; again whenever something else of it is wanted.
    async fn at_rest(&mut self) -> Result<(), Stop> {
        let units = within(self.target.recorded()).await?;
        self.tell(News::Units(units.clone())).await?;
        self.pause = FIRST_PAUSE;
        let mut known = None;
        let mut logs = None;
        let mut wishes = self.wish.clone();
        loop {
            let wish = wishes.borrow_and_update().clone();
            let shown = match &wish {
                Some(wish) => tokio::select! {
                    shown = self.recorded(wish, &known, &units, &mut logs) => shown.map(|()| true)?,
                    // Whoever wants something else does not wait for the rest.
                    changed = wishes.changed() => changed.map(|()| false).map_err(|_| Deaf)?,
                },
                None => true,
            };
            if shown {
                known = wish;
                wishes.changed().await.map_err(|_| Deaf)?;
            } else {
                known = None;
            }
        }
    }

    /// What a box that does not run has recorded, as far as it is not known.
    async fn recorded(
        &self,
        wish: &Wish,
        known: &Option<Wish>,
        units: &UnitsReport,
        logs: &mut Option<TempDir>,
    ) -> Result<(), Stop> {
        if refreshes(known) != Some(wish.refreshes) {
            self.details().await?;
            let events = within(self.target.recorded_events()).await?;
            self.tell(News::Events(events)).await?;
        }
        if subscription(known) != Some(wish.subscription) {
            let of = match &wish.unit {
                Some(unit) => vec![unit.clone()],
                None => units.names(),
            };
            output::recorded(&self.target, logs, of, wish.subscription, &self.sender).await?;
        }
        Ok(())
    }

    async fn tell(&self, news: News) -> Result<(), Deaf> {
        let input = Input::Box(self.id.clone(), news);
        self.sender.send(input).await.map_err(|_| Deaf)
    }
}

/// The output that is followed, if any is.
#[derive(Default)]
struct Output {
    subscription: Option<u64>,
    task: Option<output::Task>,
}

impl Output {
    /// Follows what is wanted, unless that is what is followed.
    fn follow(&mut self, channel: &Channel, wish: Option<&Wish>, sender: &mpsc::Sender<Input>) {
        let wanted = wish.map(|wish| wish.subscription);
        if self.subscription == wanted {
            return;
        }
        self.subscription = wanted;
        self.task = wish.map(|wish| {
            let units = wish.unit.iter().cloned().collect();
            output::follow(channel.client.clone(), units, wish.subscription, sender.clone())
        });
    }
}

fn refreshes(wish: &Option<Wish>) -> Option<u64> {
    wish.as_ref().map(|wish| wish.refreshes)
}

fn subscription(wish: &Option<Wish>) -> Option<u64> {
    wish.as_ref().map(|wish| wish.subscription)
}

fn same_names(one: &UnitsReport, other: &UnitsReport) -> bool {
    one.names() == other.names()
}

/// The outcome of something that must not take for ever: a box can be frozen at any time.
async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(Failure::failed("the box does not answer")),
    }
}
