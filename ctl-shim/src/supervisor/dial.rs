//! A connection of the host's to a port of the box, as one request among others on its channel.
//!
//! ```text
//! client ═ data ═► lane (a window) ─► up ───► service     acknowledged when the service has taken it
//!        ◄═ data ═ queue ◄──────────── down ◄─ service     read when the client has room for it
//! ```

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::forward::connect_loopback;
use super::shared::Shared;
use super::stream::Stream;
use crate::failure::Failure;
use crate::protocol::dial::{MAX_PIECE, WINDOW};
use crate::protocol::frame::{self, FrameKind};
use crate::protocol::message::{Answer, Item};

/// How long the service may take to accept.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections at once, of all clients: units need descriptors too.
pub(super) const MOST: usize = 512;

/// Connects, and passes bytes and ends both ways until both directions have ended. Dropped before that, it resets the
/// connection.
///
/// # Errors
/// A port where nobody answers, a connection that breaks, a client that may not.
pub(super) async fn dial(port: u16, stream: &Stream, shared: &Shared) -> Result<Answer, Failure> {
    if !stream.is_host {
        return Err(Failure::failed("only the host may connect to ports this way"));
    }
    let _one_of_them = shared
        .dials
        .try_acquire()
        .map_err(|_| Failure::failed("too many connections to ports at once"))?;
    let connected = timeout(PATIENCE, connect_loopback(port)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let mut connection = Connection {
        stream: connected
            .map_err(|error| Failure::failed(format!("cannot connect to port {port}")).because(&error))?,
        is_over: false,
    };
    // Only a matter of speed.
    let _ = connection.stream.set_nodelay(true);
    let pieces = stream.take_data();
    stream.item(Item::Opened).await?;
    let broken = |error| Failure::failed(format!("the connection to port {port} broke")).because(&error);
    let (reader, writer) = connection.stream.split();
    // What the service has still sent reaches the client even where nothing reaches the service any more.
    let up = async { Ok(up(pieces, writer, stream).await) };
    let ((), up) = tokio::try_join!(down(reader, stream), up).map_err(broken)?;
    up.map_err(broken)?;
    connection.is_over = true;
    Ok(Answer::Nothing)
}

/// A connection that is reset unless it has come to its end: nobody is to take what came for all there was.
struct Connection {
    stream: TcpStream,
    is_over: bool,
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.stream.set_zero_linger();
        }
    }
}

async fn up(
    mut pieces: mpsc::Receiver<Vec<u8>>,
    mut writer: WriteHalf<'_>,
    stream: &Stream,
) -> io::Result<()> {
    let mut consumed = 0;
    while let Some(piece) = pieces.recv().await {
        if piece.is_empty() {
            return writer.shutdown().await;
        }
        writer.write_all(&piece).await?;
        consumed += 1;
        if consumed >= WINDOW / 2 {
            stream.acknowledge(consumed).await.map_err(|_| gone())?;
            consumed = 0;
        }
    }
    Err(gone())
}

async fn down(reader: ReadHalf<'_>, stream: &Stream) -> io::Result<()> {
    loop {
        // No buffer is held by a connection that has nothing to say, or whose client has no room.
        reader.readable().await?;
        let room = stream.room().await.map_err(|_| gone())?;
        let mut piece = frame::begin(FrameKind::Data, stream.id, MAX_PIECE);
        match reader.try_read_buf(&mut piece) {
            Ok(0) => break,
            Ok(_) => {
                frame::seal(&mut piece);
                room.fill(piece);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    stream.end().await.map_err(|_| gone())
}

/// Nobody is left who would be told of it.
fn gone() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}
