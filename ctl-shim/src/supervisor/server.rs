//! The socket: connections, and the frames on them.
//!
//! ```text
//! connection ─► reader ─┬─ Request ─► handler task ─► bounded queue ─► writer ─► connection
//!                       ├─ Ack ─────► its window
//!                       ├─ Data, End ► its lane (a window)
//!                       └─ Cancel ──► abort
//! ```
//!
//! Every buffer on the way is bounded: a peer that does not read stops its own handlers and nobody else.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, spawn_local};

use super::answer;
use super::shared::Shared;
use super::stream::{Lane, Stream};
use crate::failure::Failure;
use crate::protocol::frame::{self, FrameKind};
use crate::protocol::message::Request;
use crate::protocol::{MAX_REQUESTS, NOT_UNDERSTOOD, WINDOW};

/// Connections served at once; more are closed.
const MAX_CONNECTIONS: usize = 256;
/// How many of them may be those of users other than root: they cannot lock out the host.
const MAX_OTHERS: usize = 64;
/// Status tables that are made or wait to be read, on one connection: a client that asks and does not read costs no
/// more than these.
const MAX_TABLES: usize = 4;
/// Buffer for the heads of frames and for small ones, in bytes: longer payloads are read past it.
const READ_BUFFER: usize = 4 * 1024;
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
        let is_host = stream
            .peer_cred()
            .is_ok_and(|peer| peer.uid() == 0 || peer.uid() == nix::unistd::geteuid().as_raw());
        spawn_local(async move {
            // A connection that breaks is its peer's affair.
            let _ = connection(stream, is_host, Rc::clone(&shared)).await;
            shared.connections.set(shared.connections.get() - 1);
        });
    }
}

type Running = Rc<RefCell<HashMap<u64, (AbortHandle, Rc<Lane>)>>>;

async fn connection(stream: UnixStream, is_host: bool, shared: Rc<Shared>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
    let (queue, mut queued) = mpsc::channel::<Vec<u8>>(QUEUE);
    let writing = spawn_local(async move {
        while let Some(bytes) = queued.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
    let running: Running = Rc::default();
    let result = read_requests(&mut reader, &queue, &running, is_host, &shared).await;
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
    is_host: bool,
    shared: &Rc<Shared>,
) -> io::Result<()> {
    let tables = Rc::new(Semaphore::new(MAX_TABLES));
    let stream = |id, lane: &Rc<Lane>| Stream {
        id,
        queue: queue.clone(),
        lane: Rc::clone(lane),
        is_host,
    };
    while let Some(frame) = frame::read(reader).await? {
        let id = frame.id;
        match frame.kind {
            FrameKind::Request => {
                let lane = Rc::new(Lane::new(WINDOW));
                let stream = stream(id, &lane);
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
                        Ok(Request::Status | Request::Ports | Request::Describe { .. }) => {
                            tables.acquire().await.ok()
                        }
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
                running.borrow_mut().insert(id, (task.abort_handle(), lane));
            }
            FrameKind::Ack => {
                if let Some((_, lane)) = running.borrow().get(&id) {
                    lane.acknowledge(&frame.payload);
                }
            }
            FrameKind::Data | FrameKind::End => {
                let Some((task, lane)) = running.borrow().get(&id).cloned() else {
                    continue;
                };
                let taken = match frame.kind {
                    FrameKind::Data => lane.data(frame.payload),
                    _ => lane.end(),
                };
                if let Err(failure) = taken {
                    // That request ends, and no other.
                    task.abort();
                    running.borrow_mut().remove(&id);
                    stream(id, &lane).finish(Err(failure)).await;
                }
            }
            FrameKind::Cancel => {
                if let Some((task, _)) = running.borrow_mut().remove(&id) {
                    task.abort();
                }
            }
            FrameKind::Reply => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a client sent a supervisor's frame",
                ));
            }
        }
    }
    Ok(())
}
