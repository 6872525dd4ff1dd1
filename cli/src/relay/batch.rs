//! Events of a box that are stored together.

use agentbox_ctl::client::{Call, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::Item;
use agentbox_ctl::report::Event;
use futures_util::FutureExt;

/// Events that are stored at once: as many as there are after a time without the box, but for such as no box of ours sends.
const MOST_AT_ONCE: usize = 256;
const MOST_BYTES_AT_ONCE: usize = 1 << 20;

/// Events that came together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) events: Vec<Event>,
    bytes: usize,
    /// There are no more.
    pub(super) is_last: bool,
}

impl Batch {
    /// Waits for an event, and takes with it what else is there.
    ///
    /// # Errors
    /// A connection that has ended.
    pub(super) async fn next(call: &mut Call) -> Result<Self, Failure> {
        let mut batch = Self::default();
        batch.take(call.next().await?);
        while !batch.is_last && batch.events.len() < MOST_AT_ONCE && batch.bytes < MOST_BYTES_AT_ONCE {
            match call.next().now_or_never() {
                Some(part) => batch.take(part?),
                None => break,
            }
        }
        Ok(batch)
    }

    fn take(&mut self, part: Part) {
        match part {
            Part::Item(Item::Event(event)) => {
                let texts = [&event.box_name, &event.unit, &event.from, &event.to];
                self.bytes += texts.into_iter().flatten().map(String::len).sum::<usize>();
                self.events.push(event);
            }
            Part::Item(_) | Part::Data(_) => {}
            Part::Done(_) => self.is_last = true,
        }
    }
}
