//! The socket: connections, and the frames on them.
//!
//! ```text
//! connection ─► reader ─┬─ Request ─► handler task ─► bounded queue ─► writer ─► connection
//!                       ├─ Ack ─────► its window
//!                       └─ Cancel ──► abort
//! ```
//!
//! Every buffer on the way is bounded: a peer that does not read stops its own handlers and nobody else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, spawn_local};

use super::answer;
use super::shared::Shared;
use crate::failure::Failure;
use crate::protocol::frame::{self, Frame, FrameKind};
use crate::protocol::message::{Answer, Item, Reply, Request};
use crate::protocol::{MAX_REQUESTS, NOT_UNDERSTOOD, WINDOW};

/// Connections served at once; more are closed.
const MAX_CONNECTIONS: usize = 256;
/// How many of them may be those of users other than root: they cannot lock out the host.
const MAX_OTHERS: usize = 64;
/// Status tables that are made or wait to be read, on one connection: a client that asks and does not read costs no
/// more than these.
const MAX_TABLES: usize = 4;
/// Frames queued for one connection.
const QUEUE: usize = 8;

/// Serves connections until dropped.
pub(super) async fn serve(listener: UnixListener, shared: Rc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let those in use come back.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        let root = stream.peer_cred().is_ok_and(|peer| peer.uid() == 0);
        let limit = if root { MAX_CONNECTIONS } else { MAX_OTHERS };
        if shared.connections.get() >= limit {
            continue;
        }
        shared.connections.set(shared.connections.get() + 1);
        let shared = Rc::clone(&shared);
        spawn_local(async move {
            // A connection that breaks is its peer's affair.
            let _ = connection(stream, Rc::clone(&shared)).await;
            shared.connections.set(shared.connections.get() - 1);
        });
    }
}

type Running = Rc<RefCell<HashMap<u64, (AbortHandle, Rc<Semaphore>)>>>;

async fn connection(stream: UnixStream, shared: Rc<Shared>) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let (queue, mut queued) = mpsc::channel::<Vec<u8>>(QUEUE);
    let writing = spawn_local(async move {
        while let Some(bytes) = queued.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
    let running: Running = Rc::default();
    let result = read_requests(&mut reader, &queue, &running, &shared).await;
    for (task, _) in running.borrow().values() {
        task.abort();
    }
    drop(queue);
    writing.abort();
    result
}

async fn read_requests(
    reader: &mut (impl tokio::io::AsyncRead + Unpin),
    queue: &mpsc::Sender<Vec<u8>>,
    running: &Running,
    shared: &Rc<Shared>,
) -> io::Result<()> {
    let tables = Rc::new(Semaphore::new(MAX_TABLES));
    while let Some(frame) = frame::read(reader).await? {
        let id = frame.id;
        match frame.kind {
            FrameKind::Request => {
                let window = Rc::new(Semaphore::new(WINDOW as usize));
                let stream = Stream {
                    id,
                    queue: queue.clone(),
                    window: Rc::clone(&window),
                };
                if running.borrow().len() >= MAX_REQUESTS || running.borrow().contains_key(&id) {
                    let refusal = Failure::failed("too many requests on one connection, or an id used twice");
                    stream.finish(Err(refusal)).await;
                    continue;
                }
                let (shared, ended, tables) = (Rc::clone(shared), Rc::clone(running), Rc::clone(&tables));
                let task = spawn_local(async move {
                    let request = serde_json::from_slice::<Request>(&frame.payload);
                    drop(frame);
                    // Held until the answer is on its way.
                    let _table = match &request {
                        Ok(Request::Status | Request::Ports) => tables.acquire().await.ok(),
                        _ => None,
                    };
                    let result = match request {
                        Ok(request) => answer::answer(request, &stream, &shared).await,
                        Err(error) => Err(Failure::failed(NOT_UNDERSTOOD)
                            .because(&error)
                            .hint("host and box may differ by one release: agentbox restart BOX brings them together")),
                    };
                    stream.finish(result).await;
                    ended.borrow_mut().remove(&id);
                });
                running.borrow_mut().insert(id, (task.abort_handle(), window));
            }
            FrameKind::Ack => {
                if let (Some((_, window)), Ok(count)) = (
                    running.borrow().get(&id),
                    <[u8; 4]>::try_from(frame.payload.as_slice()),
                ) {
                    let room = (WINDOW as usize).saturating_sub(window.available_permits());
                    window.add_permits(room.min(u32::from_be_bytes(count) as usize));
                }
            }
            FrameKind::Cancel => {
                if let Some((task, _)) = running.borrow_mut().remove(&id) {
                    task.abort();
                }
            }
            FrameKind::Reply | FrameKind::Data | FrameKind::End => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a client sent a supervisor's frame",
                ));
            }
        }
    }
    Ok(())
}

/// The way back to the one who asked.
#[derive(Debug)]
pub(super) struct Stream {
    id: u64,
    queue: mpsc::Sender<Vec<u8>>,
    window: Rc<Semaphore>,
}

/// The asker is gone.
#[derive(Debug)]
pub(super) struct Gone;

impl From<Gone> for Failure {
    fn from(_: Gone) -> Self {
        Self::failed("the client went away")
    }
}

impl Stream {
    /// Sends an element; waits while the asker has a whole window unread.
    pub(super) async fn item(&self, item: Item) -> Result<(), Gone> {
        self.room().await?;
        let payload = serde_json::to_vec(&Reply::Item(item)).map_err(|_| Gone)?;
        self.send(FrameKind::Reply, payload).await
    }

    /// Sends bytes; waits likewise.
    pub(super) async fn data(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.room().await?;
        self.send(FrameKind::Data, bytes).await
    }

    async fn finish(&self, result: Result<Answer, Failure>) {
        if let Ok(payload) = serde_json::to_vec(&Reply::Done(result)) {
            // Nobody is left to be told when this fails.
            let _ = self.send(FrameKind::Reply, payload).await;
        }
    }

    async fn room(&self) -> Result<(), Gone> {
        self.window.acquire().await.map_err(|_| Gone)?.forget();
        Ok(())
    }

    async fn send(&self, kind: FrameKind, payload: Vec<u8>) -> Result<(), Gone> {
        let bytes = Frame {
            kind,
            id: self.id,
            payload,
        }
        .encode();
        self.queue.send(bytes).await.map_err(|_| Gone)
    }
}
