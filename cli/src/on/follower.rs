//! The events of a box from now on, through everything that happens to it.

use std::collections::VecDeque;
use std::time::Duration;

use agentbox_ctl::client::{Call, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Item, Request};
use agentbox_ctl::report::Event;

use crate::boxes::{self, BoxState};
use crate::context::Context;
use crate::target::{Channel, Target};
use crate::ui::one_line;

/// How long to wait between tries to get back to a box; doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Gives one event after the other.
pub struct Follower<'a> {
    context: &'a Context,
    target: Target,
    /// Number of the last event that was given.
    last: u64,
    link: Option<Link>,
    /// From the journal of a box that does not run.
    recorded: VecDeque<Event>,
    /// The state that keeps us out, once it was told.
    away: Option<BoxState>,
    /// Whether it was told that the engine cannot be asked.
    cut_off: bool,
    pause: Duration,
}

/// A request for events under way.
struct Link {
    channel: Channel,
    call: Call,
}

impl<'a> Follower<'a> {
    /// Follows what comes after the event number `last`.
    pub fn new(context: &'a Context, target: Target, last: u64) -> Self {
        Self {
            context,
            target,
            last,
            link: None,
            recorded: VecDeque::new(),
            away: None,
            cut_off: false,
            pause: FIRST_PAUSE,
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
            match link.call.next().await {
                Ok(Part::Item(Item::Event(event))) => {
                    self.pause = FIRST_PAUSE;
                    if self.is_new(&event) {
                        return Ok(event);
                    }
                }
                Ok(Part::Item(Item::Log(_) | Item::Opened) | Part::Data(_)) => {}
                Ok(Part::Done(_)) => self.lost().await,
                Err(failure) => {
                    let why = link.channel.explain(failure);
                    self.context.ui.detail(&one_line(&why.message));
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

    /// Counts an event; one that has been given before is none.
    fn is_new(&mut self, event: &Event) -> bool {
        let Some(number) = event.seq.filter(|number| *number > self.last) else {
            return false;
        };
        self.last = number;
        true
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
        let id = &self.target.info.id;
        let Some(info) = observation.boxes.into_iter().find(|info| info.id == *id) else {
            let name = &self.target.info.name;
            return Err(Failure::not_found(format!("box `{name}` is gone")).hint("agentbox list"));
        };
        self.target.info = info;
        let (name, state) = (&self.target.info.name, self.target.info.state);
        if state == BoxState::Running {
            match self.open().await {
                Ok(link) => {
                    self.link = Some(link);
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
        let channel = self.target.channel().await?;
        let request = Request::Events {
            after: Some(self.last),
            since: None,
            follow: true,
        };
        let call = channel.call(&request).await?;
        Ok(Link { channel, call })
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
