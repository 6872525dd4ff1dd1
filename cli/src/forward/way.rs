//! The way into the box that all connections share: a channel, opened when the first needs it and again after it ended.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::client::{Dialled, is_lost, is_not_understood};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::one_line;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::bridge;
use super::exec::{self, Exec};
use crate::boxes;
use crate::target::{Channel, Target};

/// How long the box's side may take to say whether a connection stands: both addresses, and a busy engine.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long it may take before the box is looked at: one that is paused says nothing.
const LOOK: Duration = Duration::from_secs(1);

/// The way into a box.
#[derive(Debug)]
pub(super) struct Way<'a> {
    target: &'a Target,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    /// Not used yet, or ended.
    #[default]
    Closed,
    /// Open, as far as is known.
    Open(Arc<Channel>),
    /// The supervisor takes no connections over a channel.
    Exec,
}

/// A connection that stands.
pub(super) enum Connected {
    /// Over the channel.
    Dialled(Dialled),
    /// Over an exec of its own.
    Exec(Exec),
}

impl Connected {
    /// Passes bytes and ends both ways until both directions have ended.
    ///
    /// # Errors
    /// A connection that broke.
    pub(super) async fn pass(self, local: &mut TcpStream) -> io::Result<()> {
        match self {
            Self::Dialled(dialled) => bridge::pass(local, dialled).await,
            Self::Exec(Exec { from_box, to_box }) => {
                let (reader, writer) = local.split();
                exec::pass(reader, writer, from_box, to_box).await
            }
        }
    }
}

/// Why there is no connection.
enum Problem {
    /// Nobody answers on the port; why.
    Refused(Failure),
    /// The box cannot be reached.
    Unreachable(Failure),
}

impl<'a> Way<'a> {
    /// The way into the box of `target`.
    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            target,
            state: Mutex::default(),
        }
    }

    /// Connects to a port of the box.
    ///
    /// # Errors
    /// For the user: a port where nobody answers, with its owner; a box that cannot be reached.
    pub(super) async fn connect(&self, port: u16) -> Result<Connected, Failure> {
        let name = &self.target.info.name;
        let cannot = || Failure::failed(format!("cannot forward port {port} of box `{name}`"));
        match timeout(PATIENCE, self.attempt(port)).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(Problem::Refused(reason))) => {
                let failure = Failure::failed(format!("nothing answers on port {port} of box `{name}`"));
                // Of a connection that was tried, the message tells no more than this one.
                let mut failure = match reason.causes.as_slice() {
                    [] => causes(failure, &[reason.message]),
                    reasons => causes(failure, reasons),
                };
                if let Some(owner) = self.owner(port).await {
                    failure = failure.cause(owner);
                }
                Err(failure.hint(format!("agentbox ports {name}")))
            }
            Ok(Err(Problem::Unreachable(reason))) => {
                let mut failure = causes(causes(cannot(), &[reason.message]), &reason.causes);
                failure.hints = reason.hints;
                if failure.hints.is_empty() {
                    failure = failure.hint(format!("agentbox status {name}"));
                }
                Err(failure)
            }
            Err(_) => Err(cannot()
                .cause("the box does not answer")
                .hint(format!("agentbox status {name}"))),
        }
    }

    /// A channel that turns out to have ended is opened again, once.
    async fn attempt(&self, port: u16) -> Result<Connected, Problem> {
        loop {
            let Some((channel, is_new)) = self.channel().await? else {
                return match exec::connect(self.target, port).await {
                    Ok(Ok(exec)) => Ok(Connected::Exec(exec)),
                    Ok(Err(reason)) => Err(Problem::Refused(reason)),
                    Err(failure) => Err(Problem::Unreachable(failure)),
                };
            };
            match self.dial(&channel, port).await? {
                Ok(dialled) => return Ok(Connected::Dialled(dialled)),
                Err(failure) if is_not_understood(&failure) => *self.state.lock().await = State::Exec,
                Err(failure) if is_lost(&failure) => {
                    self.close(&channel).await;
                    if is_new {
                        return Err(Problem::Unreachable(channel.explain(failure)));
                    }
                }
                Err(failure) => return Err(Problem::Refused(failure)),
            }
        }
    }

    /// The channel, and whether it has just been opened; `None` where there is to be none.
    async fn channel(&self) -> Result<Option<(Arc<Channel>, bool)>, Problem> {
        // Whoever comes meanwhile needs the same one.
        let mut state = self.state.lock().await;
        Ok(match &*state {
            State::Exec => None,
            State::Open(channel) => Some((Arc::clone(channel), false)),
            State::Closed => {
                let channel = Arc::new(self.target.own_channel().await.map_err(Problem::Unreachable)?);
                *state = State::Open(Arc::clone(&channel));
                Some((channel, true))
            }
        })
    }

    /// Somebody else may have opened another already.
    async fn close(&self, ended: &Arc<Channel>) {
        let mut state = self.state.lock().await;
        if matches!(&*state, State::Open(channel) if Arc::ptr_eq(channel, ended)) {
            *state = State::Closed;
        }
    }

    /// Dials; the inner failure is the supervisor's, or that of a channel that has ended.
    async fn dial(&self, channel: &Channel, port: u16) -> Result<Result<Dialled, Failure>, Problem> {
        let dialling = channel.client.dial(port);
        tokio::pin!(dialling);
        loop {
            if let Ok(result) = timeout(LOOK, &mut dialling).await {
                return Ok(result);
            }
            if let Ok(observation) = boxes::observe(&self.target.docker).await
                && let Some(info) = observation
                    .boxes
                    .into_iter()
                    .find(|info| info.id == self.target.info.id)
            {
                let docker = self.target.docker.clone();
                let now = Target::of(docker, info, None);
                now.require_running().map_err(Problem::Unreachable)?;
            }
        }
    }

    /// Which unit is to listen on a port, where one says so.
    async fn owner(&self, port: u16) -> Option<String> {
        let units = match self.channel().await.ok()? {
            Some((channel, _)) => channel.units().await,
            None => self.target.own_channel().await.ok()?.units().await,
        };
        let services = units.ok()?.services;
        let service = services
            .iter()
            .find(|service| service.expose.as_ref().is_some_and(|expose| expose.port == port))?;
        Some(format!(
            "it belongs to service `{}`, which is {}",
            one_line(&service.name),
            service.state
        ))
    }
}

/// Adds what the box said, in lines of its own.
fn causes(failure: Failure, said: &[String]) -> Failure {
    let causes = said.iter().map(|cause| one_line(cause).into_owned());
    causes.fold(failure, Failure::cause)
}
