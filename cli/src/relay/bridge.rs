//! A client of the socket on the channel to a box: frames pass as they are, under ids of the channel's.
//!
//! ```text
//! client ─► read ─┬─ Request ─► a passage and its task ─► queue ─► write ─► client
//!                 └─ other ───► that task
//! ```
//!
//! The windows are kept by client and supervisor themselves, so no more waits here than a window for each request.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use agentbox_ctl::client::Passage;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::WINDOW;
use agentbox_ctl::protocol::frame::{self, Frame, FrameKind};
use agentbox_ctl::protocol::message::Reply;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::target::Channel;

/// Frames that wait to be written to a client.
const QUEUE: usize = 8;
/// Requests of one client under way.
const MOST: usize = 256;

type Control = (FrameKind, Vec<u8>);

/// Passes frames until either side ends.
///
/// # Errors
/// A client that breaks the rules, a connection that breaks.
pub(super) async fn pass(
    channel: Arc<Channel>,
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let (queue, mut queued) = mpsc::channel::<Vec<u8>>(QUEUE);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Some(bytes) = queued.recv().await {
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
        None
    });
    let mut controls: HashMap<u64, mpsc::Sender<Control>> = HashMap::new();
    loop {
        // Reading is not cancel safe, so what has ended is looked at between frames.
        let frame = frame::read(&mut reader).await?;
        while let Some(ended) = tasks.try_join_next() {
            if let Ok(Some(id)) = ended {
                controls.remove(&id);
            }
        }
        let Some(frame) = frame else { return Ok(()) };
        let id = frame.id;
        match frame.kind {
            FrameKind::Request if controls.len() >= MOST || controls.contains_key(&id) => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "too many requests, or an id used twice",
                ));
            }
            FrameKind::Request => {
                let passage = channel.client.pass(frame.payload);
                let (control, receiver) = mpsc::channel(4 * WINDOW as usize);
                controls.insert(id, control);
                tasks.spawn(request(id, passage, receiver, queue.clone()));
            }
            kind => {
                let full = controls
                    .get(&id)
                    .is_some_and(|control| control.try_send((kind, frame.payload)).is_err());
                if full {
                    // It has ended, or its client floods it: either way nothing more of it is wanted.
                    controls.remove(&id);
                }
            }
        }
    }
}

/// One request, to its end. Gives its id.
async fn request(
    id: u64,
    passage: Result<Passage, Failure>,
    mut controls: mpsc::Receiver<Control>,
    queue: mpsc::Sender<Vec<u8>>,
) -> Option<u64> {
    let lost = |failure: Failure| Frame {
        kind: FrameKind::Reply,
        id,
        payload: serde_json::to_vec(&Reply::Done(Err(failure))).unwrap_or_default(),
    };
    let mut passage = match passage {
        Ok(passage) => passage,
        Err(failure) => {
            // A client that has gone needs no answer.
            let _ = queue.send(lost(failure).encode()).await;
            return Some(id);
        }
    };
    loop {
        tokio::select! {
            frame = passage.next() => {
                let Some(mut frame) = frame else {
                    let failure = agentbox_ctl::client::connection_lost();
                    let _ = queue.send(lost(failure).encode()).await;
                    return Some(id);
                };
                frame.id = id;
                let is_last = frame::is_answer(&frame);
                if queue.send(frame.encode()).await.is_err() || is_last {
                    return Some(id);
                }
            }
            control = controls.recv() => match control {
                // A flood is the end of the request.
                None | Some((FrameKind::Cancel, _)) => return Some(id),
                Some((kind, payload)) => {
                    if passage.send(kind, payload).is_err() && kind != FrameKind::Data {
                        return Some(id);
                    }
                }
            },
        }
    }
}
