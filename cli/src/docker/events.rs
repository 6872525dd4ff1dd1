//! What happens to containers, as it happens.

use std::collections::HashMap;
use std::pin::Pin;

use agentbox_ctl::time::Timestamp;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt};

use super::{ContainerPhase, Docker, DockerError};

/// The actions that change what a container is: starting a command in one is none of them.
const ACTIONS: [&str; 8] = [
    "create", "start", "pause", "unpause", "die", "stop", "rename", "destroy",
];

/// Something that happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerEvent {
    /// Full id.
    pub id: String,
    /// What it is doing since; `None` where that did not change, as by a new name.
    pub phase: Option<ContainerPhase>,
    /// Whether it has been removed.
    pub is_gone: bool,
    /// When.
    pub time: Timestamp,
}

/// One after the other; ends, or fails, with the connection.
pub type ContainerEvents = Pin<Box<dyn Stream<Item = Result<ContainerEvent, DockerError>> + Send>>;

impl Docker {
    /// What happens from now on to containers that carry the label `label`. Failures come as items, the first one
    /// instead of everything else where the engine cannot be reached.
    pub fn container_events(&self, label: &str) -> ContainerEvents {
        let filters = HashMap::from([
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), vec![label.to_owned()]),
            ("event".to_owned(), ACTIONS.map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        let docker = self.clone();
        let events = self.client.events(Some(options)).map(move |event| {
            let event = event.map_err(|error| docker.error(&error, DockerError::Events))?;
            let action = event.action.unwrap_or_default();
            let nanoseconds = event.time_nano.and_then(|time| u64::try_from(time).ok());
            Ok(ContainerEvent {
                id: event.actor.and_then(|actor| actor.id).unwrap_or_default(),
                phase: match action.as_str() {
                    "create" => Some(ContainerPhase::Created),
                    "start" | "unpause" => Some(ContainerPhase::Running),
                    "pause" => Some(ContainerPhase::Paused),
                    "die" | "stop" => Some(ContainerPhase::Exited),
                    _ => None,
                },
                is_gone: action == "destroy",
                time: nanoseconds
                    .map_or_else(Timestamp::now, |time| Timestamp::from_millis(time / 1_000_000)),
            })
        });
        Box::pin(events)
    }
}
