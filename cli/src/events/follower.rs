//! The events of a box from a number on, through everything that happens to it.
//!
//! ```text
//! relay (stored, then live) ────┐
//! supervisor ── channel ────────┼─► next ─► each number once, in order
//! journal (box does not run) ───┘
//! ```
//!
//! Numbers decide what is new, so whatever ends a way to the events, nothing is lost and nothing comes twice. What has no number
//! comes from the relay alone, which numbers its rows.

use std::collections::VecDeque;
use std::time::Duration;

use agentbox_ctl::client::{Call, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::{Event, EventKind};
use tokio::time::{Instant, timeout_at};

use crate::boxes::{self, BoxState};
use crate::context::Context;
use crate::relay;
use crate::target::{Channel, Target};
use crate::ui::one_line;

/// How long to wait between tries to get back to a box; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Gives one event after the other.
pub struct Follower<'a> {
    context: &'a Context,
    target: Target,
    /// Number of the last event that was given; `None` before the first, where all are wanted.
    last: Option<u64>,
    /// Row of the last event that came from the relay.
    row: i64,
    link: Option<Link>,
    /// From the journal of a box that does not run.
    recorded: VecDeque<Event>,
    /// The state that keeps us out, once it was told.
    away: Option<BoxState>,
    /// Whether it was told that the engine cannot be asked.
    cut_off: bool,
    pause: Duration,
    /// When a relay that was lost is asked again.
    look_at: Instant,
}

/// How often a relay is asked that does not answer.
const RELAY_PAUSE: Duration = Duration::from_secs(2);

/// Events under way.
enum Link {
    /// From the relay.
    Relay(relay::Events),
    /// From the supervisor.
    Box(Channel, Call),
}

/// What came over a link.
enum Came {
    /// An event; with its row where it came from the relay.
    Event(Event, Option<i64>),
    /// Nothing of interest.
    Nothing,
    /// Its end, and why.
    End(String),
}

impl Link {
    /// What comes next. Cancel safe.
    async fn next(&mut self) -> Came {
        match self {
            Self::Relay(events) => match events.next().await {
                Ok(Some((row, event))) => Came::Event(event, Some(row)),
                Ok(None) => Came::End("the relay has no more events".to_owned()),
                Err(failure) => Came::End(failure.message),
            },
            Self::Box(channel, call) => match call.next().await {
                Ok(Part::Item(Item::Event(event))) => Came::Event(event, None),
                Ok(Part::Item(_) | Part::Data(_)) => Came::Nothing,
                Ok(Part::Done(_)) => Came::End("the supervisor has no more events".to_owned()),
                Err(failure) => Came::End(channel.explain(failure).message),
            },
        }
    }
}

impl<'a> Follower<'a> {
    /// Follows what comes after the event number `last`, or all that is kept and what comes after.
    pub fn new(context: &'a Context, target: Target, last: Option<u64>) -> Self {
        Self {
            context,
            target,
            last,
            row: 0,
            link: None,
            recorded: VecDeque::new(),
            away: None,
            cut_off: false,
            pause: FIRST_PAUSE,
            look_at: Instant::now(),
        }
    }

    /// The next event, each exactly once and in order; waits through stops, pauses and restarts.
    ///
    /// # Errors
    /// A box that is gone (3).
    pub async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            while let Some(event) = self.recorded.pop_front() {
                if self.is_new(&event) {
                    return Ok(event);
                }
            }
            let Some(link) = &mut self.link else {
                self.connect().await?;
                continue;
            };
            let came = match (&*link, &self.target.relay) {
                // It tells of the box itself, too: once it is there again it is asked.
                (Link::Box(..), Some(relay)) => match timeout_at(self.look_at, link.next()).await {
                    Ok(came) => came,
                    Err(_) => {
                        self.look_at = Instant::now() + RELAY_PAUSE;
                        let id = &self.target.info.id;
                        if let Ok(events) = relay.events(id, self.last, self.row, true).await {
                            self.link = Some(Link::Relay(events));
                        }
                        continue;
                    }
                },
                _ => link.next().await,
            };
            match came {
                Came::Event(event, row) => {
                    self.pause = FIRST_PAUSE;
                    self.row = row.map_or(self.row, |row| self.row.max(row));
                    if self.is_new(&event) {
                        return Ok(event);
                    }
                }
                Came::Nothing => {}
                Came::End(why) => {
                    self.context.ui.detail(&one_line(&why));
                    self.lost().await;
                }
            }
        }
    }

    /// A box whose supervisor hangs up is most likely about to stop: it is not asked again at once.
    async fn lost(&mut self) {
        self.link = None;
        self.rest().await;
    }

    /// Counts an event; one that has been given before is none. Those without a number come from the relay, each once.
    fn is_new(&mut self, event: &Event) -> bool {
        let Some(number) = event.seq else {
            return event.kind == EventKind::BoxState;
        };
        let is_new = self.last.is_none_or(|last| number > last);
        if is_new {
            self.last = Some(number);
        }
        is_new
    }

    /// One try to get to the box, or to what it has recorded, and a pause where that does not help.
    async fn connect(&mut self) -> Result<(), Failure> {
        let ui = &self.context.ui;
        let observation = match boxes::observe(&self.target.docker).await {
            Ok(observation) => observation,
            Err(failure) => {
                if !std::mem::replace(&mut self.cut_off, true) {
                    ui.warning(&format!("{}: trying again", one_line(&failure.message)));
                }
                self.rest().await;
                return Ok(());
            }
        };
        self.cut_off = false;
        let id = self.target.info.id.clone();
        let Some(info) = observation.boxes.into_iter().find(|info| info.id == id) else {
            let name = &self.target.info.name;
            return Err(Failure::not_found(format!("box `{name}` is gone")).hint("agentbox list"));
        };
        self.target.info = info;
        let (name, state) = (&self.target.info.name, self.target.info.state);
        if let Some(relay) = &self.target.relay {
            // It goes on through whatever happens to the box.
            match relay.events(&id, self.last, self.row, true).await {
                Ok(events) => {
                    self.link = Some(Link::Relay(events));
                    self.away = None;
                    return Ok(());
                }
                Err(absence) => ui.detail(&format!("without the relay: {absence}")),
            }
        }
        if state == BoxState::Running {
            match self.open().await {
                Ok(link) => {
                    self.link = Some(link);
                    self.look_at = Instant::now() + RELAY_PAUSE;
                    if self.away.take().is_some() {
                        ui.status(&format!("box `{name}` is running"));
                    }
                    return Ok(());
                }
                Err(failure) => ui.detail(&one_line(&failure.message)),
            }
        } else if self.away != Some(state) {
            // What happened until it stopped may not have come through.
            match self.target.recorded_events().await {
                Ok(events) => {
                    self.recorded = events.into();
                    self.away = Some(state);
                    ui.status(&format!("box `{name}` is {state}: waiting for it"));
                    return Ok(());
                }
                Err(failure) => ui.detail(&one_line(&failure.message)),
            }
        }
        self.rest().await;
        Ok(())
    }

    async fn open(&self) -> Result<Link, Failure> {
        let channel = self.target.own_channel().await?;
        let request = Request::Events {
            after: self.last,
            since: None,
            follow: true,
        };
        let call = channel.call(&request).await?;
        Ok(Link::Box(channel, call))
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
