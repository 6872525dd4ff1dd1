//! A connection to the supervisor of a running box.

use std::collections::VecDeque;
use std::time::Duration;

use agentbox_ctl::client::{Call, Client, Part, connection_lost};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::VERSION;
use agentbox_ctl::protocol::message::{Answer, Item, Request};
use agentbox_ctl::report::{Event, UnitsReport};
use tokio::time::timeout;

use super::recorded::KEPT_EVENTS;
use super::refused;
use crate::docker::{Docker, ExecOptions, KeptStderr};
use crate::ui::one_line;
use crate::units;

/// How long a supervisor may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client, over `docker exec agentbox-ctl connect`.
#[derive(Debug)]
pub struct Channel {
    /// Speaks the protocol.
    pub client: Client,
    /// What the box's side says, of a channel of our own.
    stderr: Option<KeptStderr>,
    name: String,
}

impl Channel {
    /// Opens a channel to the supervisor in `container`.
    ///
    /// # Errors
    /// A container that does not run, an engine that cannot be reached.
    pub async fn open(docker: &Docker, container: &str, name: &str) -> Result<Self, Failure> {
        let command = [paths::BINARY.to_owned(), "connect".to_owned()];
        let options = ExecOptions {
            user: Some("0".to_owned()),
            stdin: true,
            ..ExecOptions::default()
        };
        let stream = docker
            .exec_stream(container, &command, &options)
            .await
            .map_err(|error| refused(name, error))?;
        let (reader, writer, stderr) = stream.into_duplex();
        let channel = Self {
            client: Client::new(reader, writer),
            stderr: Some(stderr),
            name: name.to_owned(),
        };
        channel.greet().await?;
        Ok(channel)
    }

    /// A channel that the relay keeps open, and has greeted.
    pub(super) fn relayed(client: Client, name: &str) -> Self {
        Self {
            client,
            stderr: None,
            name: name.to_owned(),
        }
    }

    /// Whether it is the relay's.
    pub fn is_relayed(&self) -> bool {
        self.stderr.is_none()
    }

    /// Whether a failure says that the channel has ended, and not that the supervisor refused.
    pub fn has_ended(&self, failure: &Failure) -> bool {
        failure.message == connection_lost().message
    }

    /// Makes sure that somebody answers who speaks our language.
    async fn greet(&self) -> Result<(), Failure> {
        let hint = format!("agentbox restart {}", self.name);
        match timeout(PATIENCE, self.ask(&Request::Hello)).await {
            Ok(Ok(Answer::Hello { protocol, .. })) if protocol.abs_diff(VERSION) <= 1 => Ok(()),
            Ok(Ok(_)) => Err(Failure::failed(format!(
                "the supervisor of box `{}` is of another release",
                self.name
            ))
            .hint(hint)),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(
                Failure::failed(format!("the supervisor of box `{}` does not answer", self.name)).hint(hint),
            ),
        }
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The supervisor's failure, or a connection that ended, with what the box's side said about it.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        self.client
            .ask(request)
            .await
            .map_err(|failure| self.explain(failure))
    }

    /// Sends a request; its parts come from the returned call.
    ///
    /// # Errors
    /// A connection that has ended.
    pub async fn call(&self, request: &Request) -> Result<Call, Failure> {
        self.client
            .call(request)
            .await
            .map_err(|failure| self.explain(failure))
    }

    /// All units as they are.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn units(&self) -> Result<UnitsReport, Failure> {
        match self.ask(&Request::Status).await? {
            Answer::Status(units) => Ok(units),
            _ => Err(Failure::failed(
                "the supervisor answered something else than its units",
            )),
        }
    }

    /// The newest events of the box's journal, oldest first.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn events(&self) -> Result<Vec<Event>, Failure> {
        self.events_after(0).await
    }

    /// The same, of those with a number higher than `after`.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn events_after(&self, after: u64) -> Result<Vec<Event>, Failure> {
        let request = Request::Events {
            after: Some(after),
            since: None,
            follow: false,
        };
        let mut call = self.call(&request).await?;
        let mut events = VecDeque::new();
        loop {
            match call.next().await.map_err(|failure| self.explain(failure))? {
                Part::Item(Item::Event(event)) => {
                    // A supervisor sends no more than these.
                    if events.len() == KEPT_EVENTS {
                        events.pop_front();
                    }
                    events.push_back(event);
                }
                Part::Done(_) => return Ok(events.into()),
                Part::Item(Item::Log(_) | Item::Opened) | Part::Data(_) => {}
            }
        }
    }

    /// Makes a connection that ended a failure of this box: with what the box's side wrote to its stderr, where it
    /// wrote anything, and with what helps. Other failures are the supervisor's own; their hints
    /// get the box's name.
    pub fn explain(&self, mut failure: Failure) -> Failure {
        if !self.has_ended(&failure) {
            return units::name_box(failure, &self.name);
        }
        failure.hints = vec![format!("agentbox restart {}", self.name)];
        let said = self.stderr.as_ref().map(KeptStderr::text).unwrap_or_default();
        said.lines()
            .map(|line| one_line(line).trim().to_owned())
            .filter(|line| !line.is_empty())
            .fold(failure, |failure, line| {
                let line = line.strip_prefix("error: ").unwrap_or(&line).to_owned();
                failure.cause(line)
            })
    }
}
