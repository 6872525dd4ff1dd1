//! Events of a box that are stored together.

use std::sync::Arc;

use agentbox_ctl::client::{Call, Part};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::Item;
use agentbox_ctl::report::{Event, ServiceState, UnitsReport};
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

    /// Puts the states that these events tell into a report; whether that changed anything.
    pub(super) fn tell(&self, units: &mut Option<Arc<UnitsReport>>) -> bool {
        let Some(units) = units else { return false };
        let services = &mut Arc::make_mut(units).services;
        let mut changed = false;
        for event in &self.events {
            let service = services
                .iter_mut()
                .find(|service| Some(&service.name) == event.unit.as_ref());
            let state = ServiceState::ALL
                .into_iter()
                .find(|state| event.to.as_deref() == Some(state.as_str()));
            if let (Some(service), Some(state)) = (service, state) {
                service.state = state;
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{event, report, service};

    #[test]
    fn states_are_those_of_the_last_events() {
        let services = vec![
            service("web", ServiceState::Starting),
            service("worker", ServiceState::Running),
        ];
        let mut units = Some(Arc::new(report(services, Vec::new())));
        let batch = Batch {
            events: vec![
                event(1, "web", "starting", "unhealthy"),
                event(2, "web", "unhealthy", "ready"),
                event(3, "worker", "running", "no state of ours"),
                event(4, "gone", "running", "stopped"),
            ],
            ..Batch::default()
        };
        assert!(batch.tell(&mut units));
        let states: Vec<_> = units
            .iter()
            .flat_map(|units| &units.services)
            .map(|service| service.state)
            .collect();
        assert_eq!(states, [ServiceState::Ready, ServiceState::Running]);
        assert!(!batch.tell(&mut None));
        assert!(!Batch::default().tell(&mut units));
    }
}
