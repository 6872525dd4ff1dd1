//! Connections to services, kept for a moment after an exchange.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::body::Upload;
use super::boxes::{Boxes, Connection};

/// How long an idle connection is kept: shorter than what services grant (Node 5 s, gunicorn 2 s), so that a request
/// seldom meets a connection that is being closed. A new one to this machine costs little.
const IDLE: Duration = Duration::from_millis(1500);
/// How long a connection of HTTP/2 that no request was sent over is kept.
const IDLE_STREAMS: Duration = Duration::from_secs(60);
/// Most idle connections to one service.
const MOST_IDLE: usize = 64;
/// How long connecting may take: a published port answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// As above, over a channel: an engine that is far away or busy.
const PATIENCE_OF_CHANNEL: Duration = Duration::from_secs(30);
/// What is on its way within one stream of HTTP/2, and within all of a connection, at most.
pub(super) const STREAM_WINDOW: u32 = 1 << 20;
/// See [`STREAM_WINDOW`].
pub(super) const CONNECTION_WINDOW: u32 = 4 << 20;

/// Where a service is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    /// The box's name.
    pub(super) name: String,
    /// How.
    pub(super) way: Way,
}

/// The way into a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Way {
    /// Through the published port.
    Published(SocketAddr),
    /// Over the channel, to this port of the box.
    Channel(u16),
}

/// A connection that takes one request at a time.
pub(super) type Sender = http1::SendRequest<Upload>;
/// A connection that takes many at once.
type Streams = http2::SendRequest<Upload>;

/// All connections that are not in use.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<HashMap<Destination, Vec<(Sender, Instant)>>>,
    streams: Mutex<HashMap<Destination, (Streams, Instant)>>,
    filled: Notify,
}

/// A connection in use: it comes back to the pool when the exchange is over, and is closed when that was broken off.
#[derive(Debug)]
pub(super) struct Lease {
    pool: Arc<Pool>,
    destination: Destination,
    sender: Option<Sender>,
    /// Whether the whole answer has been read.
    pub(super) is_over: bool,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let (true, Some(sender)) = (self.is_over, self.sender.take()) {
            self.pool.put_back(&self.destination, sender);
        }
    }
}

impl Pool {
    /// An idle connection, where there is one.
    pub(super) fn take(&self, destination: &Destination) -> Option<Sender> {
        let mut idle = lock(&self.idle);
        let senders = idle.get_mut(destination)?;
        senders.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE);
        // The newest first, so that the others can go. One that is still busy with the end of an exchange waits.
        let index = senders.iter().rposition(|(sender, _)| sender.is_ready())?;
        Some(senders.remove(index).0)
    }

    /// Brings a connection back once `is_over` is set.
    pub(super) fn lease(self: &Arc<Self>, destination: Destination, sender: Sender) -> Lease {
        Lease {
            pool: Arc::clone(self),
            destination,
            sender: Some(sender),
            is_over: false,
        }
    }

    fn put_back(&self, destination: &Destination, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = lock(&self.idle);
        let now = Instant::now();
        match idle.get_mut(destination) {
            Some(senders) if senders.len() >= MOST_IDLE => return,
            Some(senders) => senders.push((sender, now)),
            None => {
                idle.insert(destination.clone(), vec![(sender, now)]);
            }
        }
        self.filled.notify_one();
    }

    /// A connection for requests that need HTTP/2; many share it. The flag says whether it was there before.
    ///
    /// # Errors
    /// Those of connecting.
    pub(super) async fn streams(
        &self,
        boxes: &impl Boxes,
        destination: &Destination,
        fresh: bool,
    ) -> io::Result<(Streams, bool)> {
        if !fresh
            && let Some((streams, used)) = lock(&self.streams).get_mut(destination)
            && !streams.is_closed()
        {
            *used = Instant::now();
            return Ok((streams.clone(), true));
        }
        let connection = connect(boxes, destination).await?;
        let (streams, driver) = http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .handshake(TokioIo::new(connection))
            .await
            .map_err(io::Error::other)?;
        // Its errors are those of the requests.
        tokio::spawn(driver);
        lock(&self.streams).insert(destination.clone(), (streams.clone(), Instant::now()));
        self.filled.notify_one();
        Ok((streams, false))
    }

    /// Closes what nobody has used for a while. Never ends.
    pub(super) async fn sweep(&self) {
        loop {
            self.filled.notified().await;
            while self.drop_idle() {
                tokio::time::sleep(IDLE).await;
            }
        }
    }

    /// Whether any are left.
    fn drop_idle(&self) -> bool {
        let mut idle = lock(&self.idle);
        idle.retain(|_, senders| {
            senders.retain(|(sender, since)| !sender.is_closed() && since.elapsed() < IDLE);
            !senders.is_empty()
        });
        let mut all_streams = lock(&self.streams);
        all_streams.retain(|_, (streams, used)| !streams.is_closed() && used.elapsed() < IDLE_STREAMS);
        !idle.is_empty() || !all_streams.is_empty()
    }
}

/// A new connection for requests one after the other.
///
/// # Errors
/// Those of connecting.
pub(super) async fn open(boxes: &impl Boxes, destination: &Destination) -> io::Result<Sender> {
    let connection = connect(boxes, destination).await?;
    let (sender, driver) = http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(connection))
        .await
        .map_err(io::Error::other)?;
    // Its errors are those of the request.
    tokio::spawn(driver.with_upgrades());
    Ok(sender)
}

async fn connect(boxes: &impl Boxes, destination: &Destination) -> io::Result<Connection> {
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    match destination.way {
        Way::Published(address) => {
            let stream = timeout(PATIENCE, TcpStream::connect(address))
                .await
                .map_err(late)??;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        Way::Channel(port) => {
            let dialled = boxes.dial(&destination.name, port);
            timeout(PATIENCE_OF_CHANNEL, dialled).await.map_err(late)?
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
