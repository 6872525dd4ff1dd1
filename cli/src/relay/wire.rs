//! What goes over the relay's socket: lines of JSON, a question and its answer at a time.
//!
//! ```text
//! CLI ── {"version","ask":{…}} ──► relay
//!     ◄── {"version","answer":{…}} ── or {"version","failure":{…}}
//! ```
//!
//! After [`Ask::Channel`] the connection speaks the supervisor's own protocol; after [`Ask::Events`] come lines of
//! [`Line`] until the last.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, UnitsReport};
use agentbox_ctl::time::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::boxes::{BoxInfo, BoxState};
use crate::docker::{EngineAddress, Transport};
use crate::supervisor_binary;

/// Longest line in bytes.
const LONGEST_LINE: u64 = 16 << 20;

/// How often a relay says that it is still there, while its events are followed.
pub const ALIVE: Duration = Duration::from_secs(1);

/// The version that both sides must have.
pub const VERSION: &str = supervisor_binary::VERSION;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Of who asks.
    pub version: String,
    /// What is asked.
    pub ask: Ask,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// Whether it serves, and what: [`Answer::Health`]. The only one, with [`Ask::Stop`], that every version understands.
    Health,
    /// To end: [`Answer::Done`], then the connection ends with the relay.
    Stop,
    /// The boxes on an engine: [`Answer::Boxes`].
    Boxes {
        /// The engine.
        engine: Engine,
        /// With what their units do.
        units: bool,
    },
    /// The channel to a box: [`Answer::Done`], then frames.
    Channel {
        /// The engine.
        engine: Engine,
        /// The box's id.
        id: String,
    },
    /// The stored events of a box: [`Answer::Done`], then lines.
    Events {
        /// The engine.
        engine: Engine,
        /// The box's id.
        id: String,
        /// Only events whose number is higher, and those without one.
        after: Option<u64>,
        /// Only events in later rows.
        row: i64,
        /// Go on until the box is gone.
        follow: bool,
    },
    /// To start nothing in a box that is about to be frozen, and to read nothing from one that is about to be removed, for a few seconds:
    /// [`Answer::Done`] once nothing is under way.
    Hold {
        /// The engine.
        engine: Engine,
        /// The box's id.
        id: String,
    },
    /// To read the apps of a box again, which have changed: [`Answer::Done`] once it goes by them.
    Apps {
        /// The engine.
        engine: Engine,
        /// The box's id.
        id: String,
    },
    /// Where the proxy listens: [`Answer::Web`].
    Web {
        /// The engine, to be watched from now on.
        engine: Engine,
    },
}

/// An engine, as it was found on the command line.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Engine {
    /// URL of its address.
    pub url: String,
    /// Directory with certificates, where TLS is used.
    pub certificates: Option<PathBuf>,
}

impl Engine {
    /// The engine at an address.
    pub fn at(address: &EngineAddress) -> Self {
        let certificates = match &address.transport {
            Transport::Tls { certificates, .. } => Some(certificates.clone()),
            Transport::Unix(_) | Transport::Tcp(_) | Transport::Ssh { .. } => None,
        };
        Self {
            url: address.to_string(),
            certificates,
        }
    }

    /// The address.
    ///
    /// # Errors
    /// A URL of no known form.
    pub fn address(&self) -> Result<EngineAddress, Failure> {
        EngineAddress::parse(&self.url, "the relay", self.certificates.clone())
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Of the relay.
    pub version: String,
    /// The answer, or why there is none.
    pub result: Result<Answer, Failure>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is so, or the rest follows.
    Done,
    /// Of [`Ask::Health`].
    Health(Health),
    /// Of [`Ask::Boxes`].
    Boxes(Vec<Described>),
    /// Of [`Ask::Web`]: the port on the loopback, where the proxy could listen.
    Web(Option<u16>),
}

/// How a relay is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Process id.
    pub pid: u32,
    /// Since when it serves.
    pub started_at: Timestamp,
    /// The web proxy's port, where it could listen.
    pub port: Option<u16>,
    /// The engines that it watches.
    pub engines: Vec<EngineHealth>,
    /// Events that are stored.
    pub events: u64,
}

/// How a relay does with an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineHealth {
    /// URL.
    pub engine: String,
    /// Whether the engine answers.
    pub connected: bool,
    /// Boxes on it.
    pub boxes: usize,
    /// Channels that are open.
    pub channels: usize,
}

/// A line of a stream of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// An event, and its row in the store.
    Event(i64, Event),
    /// Nothing has happened for [`ALIVE`].
    Alive,
    /// There are no more.
    End,
    /// There can be no more.
    Failed(Failure),
}

/// A box with everything that the host knows of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Described {
    name: String,
    id: String,
    state: BoxState,
    image: String,
    project: String,
    created_at: Timestamp,
    url: Option<String>,
    container_id: String,
    image_id: String,
    port: Option<(String, u16)>,
    host: String,
    home: String,
    version: String,
    /// Its units, where they were wanted and are known.
    pub units: Option<UnitsReport>,
}

impl From<BoxInfo> for Described {
    fn from(info: BoxInfo) -> Self {
        Self {
            name: info.name,
            id: info.id,
            state: info.state,
            image: info.image,
            project: info.project,
            created_at: info.created_at,
            url: info.url,
            container_id: info.container_id,
            image_id: info.image_id,
            port: info.port,
            host: info.host,
            home: info.home,
            version: info.version,
            units: None,
        }
    }
}

impl From<Described> for BoxInfo {
    fn from(described: Described) -> Self {
        Self {
            name: described.name,
            id: described.id,
            state: described.state,
            image: described.image,
            project: described.project,
            created_at: described.created_at,
            url: described.url,
            container_id: described.container_id,
            image_id: described.image_id,
            port: described.port,
            host: described.host,
            home: described.home,
            version: described.version,
        }
    }
}

/// Reads a line; `None` at the end.
///
/// # Errors
/// A connection that breaks, a line that is too long or says nothing we know.
pub async fn read<T: DeserializeOwned>(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<T>> {
    read_into(reader, &mut Vec::new()).await
}

/// As [`read`], but cancel safe: `partial` has the beginning of a line that has not come to its end yet.
///
/// # Errors
/// As [`read`].
pub async fn read_into<T: DeserializeOwned>(
    reader: &mut (impl AsyncBufRead + Unpin),
    partial: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    let room = LONGEST_LINE.saturating_sub(partial.len() as u64);
    reader.take(room).read_until(b'\n', partial).await?;
    let line = std::mem::take(partial);
    if line.is_empty() {
        return Ok(None);
    }
    if !line.ends_with(b"\n") {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// Writes a line.
///
/// # Errors
/// A connection that breaks.
pub async fn write(writer: &mut (impl AsyncWrite + Unpin), value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::sample;

    #[test]
    fn an_engine_and_a_box_are_the_same_on_the_other_side() {
        let address = EngineAddress::parse("ssh://me@far:22/run/d.sock", "--engine", None).unwrap();
        let engine = Engine::at(&address);
        assert_eq!(engine.address().unwrap().transport, address.transport);
        let secured = Some(PathBuf::from("/certificates"));
        let address = EngineAddress::parse("tcp://far:2376", "--engine", secured).unwrap();
        assert_eq!(
            Engine::at(&address).address().unwrap().transport,
            address.transport
        );
        let info = BoxInfo {
            port: Some(("127.0.0.1".to_owned(), 4000)),
            home: "/home/me".to_owned(),
            ..sample("web", "/p", "h", "aaaa")
        };
        let line = serde_json::to_vec(&Described::from(info.clone())).unwrap();
        let back: Described = serde_json::from_slice(&line).unwrap();
        assert_eq!(BoxInfo::from(back), info);
    }

    #[tokio::test]
    async fn lines_are_whole_or_errors() {
        let mut wire = Vec::new();
        write(&mut wire, &Ask::Health).await.unwrap();
        let mut reader = wire.as_slice();
        assert_eq!(read::<Ask>(&mut reader).await.unwrap(), Some(Ask::Health));
        assert_eq!(read::<Ask>(&mut reader).await.unwrap(), None);
        assert!(read::<Ask>(&mut &wire[..4]).await.is_err());
        assert!(read::<Ask>(&mut b"\"unknown\"\n".as_slice()).await.is_err());
    }
}
