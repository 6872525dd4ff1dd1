//! Whether anybody is there to answer for an app.

use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, ListeningPort, Request};
use serde::Serialize;
use tokio::time::timeout;

use crate::boxes::BoxState;
use crate::target::Target;

/// How long the box may take to say what listens over the relay's channel, and over one of our own.
const RELAY_PATIENCE: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether an app can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// A process listens on its port.
    Listening,
    /// None does.
    NobodyListens,
    /// One does, but not where the proxy comes from.
    NotOnLoopback,
    /// The box is stopped.
    BoxStopped,
    /// The box is frozen.
    BoxPaused,
    /// The box is beyond help.
    BoxDead,
    /// The box does not say.
    Unknown,
}

impl Health {
    /// The words for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Listening => "listening",
            Self::NobodyListens => "nobody listens",
            Self::NotOnLoopback => "not on loopback",
            Self::BoxStopped => "box stopped",
            Self::BoxPaused => "box paused",
            Self::BoxDead => "box dead",
            Self::Unknown => "unknown",
        }
    }
}

/// What listens in a box, as far as it says.
#[derive(Debug)]
pub struct Listening {
    state: BoxState,
    ports: Option<Vec<ListeningPort>>,
}

impl Listening {
    /// Asks a box; one that does not run is not asked.
    pub async fn ask(target: &Target) -> Self {
        let state = target.info.state;
        let ports = match state {
            BoxState::Running => ports(target).await.ok(),
            BoxState::Paused | BoxState::Stopped | BoxState::Dead => None,
        };
        Self { state, ports }
    }

    /// How an app of this port does.
    pub fn health(&self, port: u16) -> Health {
        match (self.state, &self.ports) {
            (BoxState::Stopped, _) => Health::BoxStopped,
            (BoxState::Paused, _) => Health::BoxPaused,
            (BoxState::Dead, _) => Health::BoxDead,
            (BoxState::Running, None) => Health::Unknown,
            (BoxState::Running, Some(ports)) => {
                let mut listens = ports.iter().filter(|listens| listens.port == port).peekable();
                if listens.peek().is_none() {
                    Health::NobodyListens
                } else if listens.any(is_on_loopback) {
                    Health::Listening
                } else {
                    Health::NotOnLoopback
                }
            }
        }
    }

    /// Who listens on a port: of several, one that the proxy reaches, and of a unit.
    pub fn on(&self, port: u16) -> Option<&ListeningPort> {
        listener(self.ports.as_deref()?, port)
    }
}

/// Who of those that listen does so on a port: of several, one that the proxy reaches, and of a unit.
pub fn listener(ports: &[ListeningPort], port: u16) -> Option<&ListeningPort> {
    let listens = ports.iter().filter(|listens| listens.port == port);
    listens.max_by_key(|listens| (is_on_loopback(listens), listens.unit.is_some()))
}

/// What listens on TCP in a running box.
///
/// # Errors
/// A supervisor that does not answer in time, or does not know.
pub async fn ports(target: &Target) -> Result<Vec<ListeningPort>, Failure> {
    let channel = target.channel().await?;
    if channel.is_relayed() {
        // A relay that has ended or hangs meanwhile is done without.
        if let Ok(Ok(Answer::Ports(ports))) = timeout(RELAY_PATIENCE, channel.ask(&Request::Ports)).await {
            return Ok(ports);
        }
    }
    let channel = target.own_channel().await?;
    let late = |_| Failure::failed("the box does not say what listens");
    match timeout(PATIENCE, channel.ask(&Request::Ports))
        .await
        .map_err(late)??
    {
        Answer::Ports(ports) => Ok(ports),
        _ => Err(Failure::failed(
            "the supervisor answered something else than its ports",
        )),
    }
}

/// Whether a connection to 127.0.0.1 or ::1 gets there.
fn is_on_loopback(listens: &ListeningPort) -> bool {
    let reached = [
        "127.0.0.1",
        "0.0.0.0",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
    ];
    listens
        .addresses
        .iter()
        .any(|address| reached.contains(&address.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listens(port: u16, addresses: &[&str], unit: Option<&str>) -> ListeningPort {
        ListeningPort {
            port,
            addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
            unit: unit.map(str::to_owned),
            process: None,
            pid: None,
        }
    }

    #[test]
    fn an_app_is_as_its_port_is() {
        let running = Listening {
            state: BoxState::Running,
            ports: Some(vec![
                listens(1, &["127.0.0.1"], None),
                listens(2, &["::1"], None),
                listens(3, &["172.17.0.2"], Some("far")),
                listens(4, &["172.17.0.2"], Some("far")),
                listens(4, &["::"], None),
            ]),
        };
        let all: Vec<_> = (1..=5).map(|port| running.health(port).as_str()).collect();
        assert_eq!(
            all,
            [
                "listening",
                "listening",
                "not on loopback",
                "listening",
                "nobody listens"
            ]
        );
        assert_eq!(running.on(4).unwrap().unit, None);
        let state = |state| Listening { state, ports: None }.health(1);
        assert_eq!(state(BoxState::Running), Health::Unknown);
        assert_eq!(state(BoxState::Stopped), Health::BoxStopped);
        assert_eq!(state(BoxState::Paused), Health::BoxPaused);
    }
}
