//! The client side of the [protocol](crate::protocol): many requests at once over one connection.
//!
//! A [`Client`] owns a connection of any kind (a unix socket in the box, an exec channel on the host). One task
//! reads frames and hands each to the request it belongs to; requests send through a shared writer.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use crate::failure::Failure;
use crate::protocol::WINDOW;
use crate::protocol::frame::{self, Frame, FrameKind};
use crate::protocol::message::{Answer, Item, Reply, Request};

type Routes = Arc<Mutex<Option<HashMap<u64, mpsc::Sender<Frame>>>>>;

/// A connection to a supervisor. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Client {
    outgoing: mpsc::Sender<Outgoing>,
    routes: Routes,
    next_id: Arc<std::sync::atomic::AtomicU64>,
}

#[derive(Debug)]
struct Outgoing {
    frame: Frame,
    written: Option<oneshot::Sender<io::Result<()>>>,
}

/// One element of a running request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An element of the stream.
    Item(Item),
    /// Raw bytes of the stream.
    Data(Vec<u8>),
    /// The end: the answer. Nothing follows.
    Done(Answer),
}

/// A request under way. Dropping it cancels the request.
#[derive(Debug)]
pub struct Call {
    id: u64,
    frames: mpsc::Receiver<Frame>,
    client: Client,
    consumed: u32,
    finished: bool,
}

impl Client {
    /// Takes over a connection. Must be called inside a tokio runtime; ends by itself with the connection.
    pub fn new<R, W>(mut reader: R, mut writer: W) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let routes: Routes = Arc::new(Mutex::new(Some(HashMap::new())));
        let (outgoing, mut queue) = mpsc::channel::<Outgoing>(16);
        let reading = Arc::clone(&routes);
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frame::read(&mut reader).await {
                let route = lock(&reading)
                    .as_ref()
                    .and_then(|routes| routes.get(&frame.id).cloned());
                if let Some(route) = route {
                    // The window bounds what can be under way, so the channel has room; a full one is a peer
                    // that ignores the window, and its request ends.
                    if route.try_send(frame).is_err() {
                        break;
                    }
                }
            }
            *lock(&reading) = None;
        });
        let writing = Arc::clone(&routes);
        tokio::spawn(async move {
            while let Some(Outgoing { frame, written }) = queue.recv().await {
                let result = frame::write(&mut writer, &frame).await;
                let failed = result.is_err();
                if let Some(written) = written {
                    // A caller that went away needs no answer.
                    let _ = written.send(result);
                }
                if failed {
                    *lock(&writing) = None;
                    break;
                }
            }
        });
        Self {
            outgoing,
            routes,
            next_id: Arc::default(),
        }
    }

    /// Connects to a supervisor's socket.
    ///
    /// # Errors
    /// Those of `connect(2)`.
    #[cfg(unix)]
    pub async fn connect(socket: &std::path::Path) -> io::Result<Self> {
        let (reader, writer) = tokio::net::UnixStream::connect(socket).await?.into_split();
        Ok(Self::new(reader, writer))
    }

    /// Sends a request; its parts come from the returned call.
    ///
    /// # Errors
    /// A connection that has ended.
    pub async fn call(&self, request: &Request) -> Result<Call, Failure> {
        let id = self.next_id.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let payload = serde_json::to_vec(request)
            .map_err(|error| Failure::failed("cannot encode a request").because(&error))?;
        // Room for a whole window, the answer, and one to spare.
        let (sender, frames) = mpsc::channel(WINDOW as usize + 2);
        lock(&self.routes)
            .as_mut()
            .ok_or_else(connection_lost)?
            .insert(id, sender);
        let call = Call {
            id,
            frames,
            client: self.clone(),
            consumed: 0,
            finished: false,
        };
        let (written, confirmation) = oneshot::channel();
        let frame = Frame {
            kind: FrameKind::Request,
            id,
            payload,
        };
        self.outgoing
            .send(Outgoing {
                frame,
                written: Some(written),
            })
            .await
            .map_err(|_| connection_lost())?;
        match confirmation.await {
            Ok(Ok(())) => Ok(call),
            Ok(Err(error)) => Err(connection_lost().because(&error)),
            Err(_) => Err(connection_lost()),
        }
    }

    /// Sends a request and waits for its answer; items and data are dropped.
    ///
    /// # Errors
    /// The supervisor's failure, or a connection that ended.
    pub async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let mut call = self.call(request).await?;
        loop {
            if let Part::Done(answer) = call.next().await? {
                return Ok(answer);
            }
        }
    }
}

impl Call {
    /// The next part. Cancel safe.
    ///
    /// # Errors
    /// The supervisor's failure, a connection that ended, a reply that cannot be read.
    pub async fn next(&mut self) -> Result<Part, Failure> {
        let frame = self.frames.recv().await.ok_or_else(connection_lost)?;
        match frame.kind {
            FrameKind::Data => {
                self.consume();
                Ok(Part::Data(frame.payload))
            }
            FrameKind::Reply => match serde_json::from_slice(&frame.payload) {
                Ok(Reply::Item(item)) => {
                    self.consume();
                    Ok(Part::Item(item))
                }
                Ok(Reply::Done(result)) => {
                    self.finished = true;
                    result.map(Part::Done)
                }
                Err(error) => {
                    Err(Failure::failed("the supervisor sent a reply that cannot be read").because(&error))
                }
            },
            kind => Err(Failure::failed(format!("the supervisor sent a {kind:?} frame"))),
        }
    }

    /// Counts a consumed frame and acknowledges half a window at a time.
    fn consume(&mut self) {
        self.consumed += 1;
        if self.consumed >= WINDOW / 2 {
            let payload = self.consumed.to_be_bytes().to_vec();
            let frame = Frame {
                kind: FrameKind::Ack,
                id: self.id,
                payload,
            };
            // Where the queue is full this acknowledgement goes with the next frame.
            if self
                .client
                .outgoing
                .try_send(Outgoing { frame, written: None })
                .is_ok()
            {
                self.consumed = 0;
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(routes) = lock(&self.client.routes).as_mut() {
            routes.remove(&self.id);
        }
        if !self.finished {
            let frame = Frame {
                kind: FrameKind::Cancel,
                id: self.id,
                payload: Vec::new(),
            };
            let _ = self.client.outgoing.try_send(Outgoing { frame, written: None });
        }
    }
}

fn lock(routes: &Routes) -> std::sync::MutexGuard<'_, Option<HashMap<u64, mpsc::Sender<Frame>>>> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The failure of every request on a connection that has ended.
pub fn connection_lost() -> Failure {
    Failure::failed("the connection to the supervisor ended").hint("agentbox status")
}
