//! A request that passes through: its frames as they are, for somebody else who decodes and acknowledges them.

use tokio::sync::mpsc;

use super::Client;
use super::requests::acknowledged;
use crate::failure::Failure;
use crate::protocol::frame::{self, Frame, FrameKind};
use crate::protocol::message::Reply;

/// A request under way whose windows are kept by whoever it is passed on for. Dropping it cancels the request.
///
/// The ids of its frames are this connection's.
#[derive(Debug)]
pub struct Passage {
    id: u64,
    frames: mpsc::Receiver<Frame>,
    client: Client,
    is_answered: bool,
}

impl Passage {
    pub(super) fn new(id: u64, frames: mpsc::Receiver<Frame>, client: Client) -> Self {
        Self {
            id,
            frames,
            client,
            is_answered: false,
        }
    }

    /// The next frame: replies, data, acknowledgements and an end, none of them acknowledged here. The last one is the
    /// answer, [`Reply::Done`]; where the supervisor broke the rules for this request it is one that says so. `None`
    /// after it, after a cancel, and where the connection has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Frame> {
        if self.is_answered {
            return None;
        }
        let frame = match self.frames.recv().await {
            Some(frame) => frame,
            None => Frame {
                kind: FrameKind::Reply,
                id: self.id,
                payload: self.flooded()?,
            },
        };
        self.is_answered = frame::is_answer(&frame);
        Some(frame)
    }

    fn flooded(&self) -> Option<Vec<u8>> {
        let failure = self.client.requests().flood(self.id)?;
        serde_json::to_vec(&Reply::Done(Err(failure))).ok()
    }

    /// Sends a frame towards the supervisor: an acknowledgement, data, the end of the data, or a cancel. It does not
    /// wait: acknowledgements are added up, and data waits here, at most a window of it.
    ///
    /// # Errors
    /// A frame that the one it is passed on for may not send, such as data beyond the window: that cancels the
    /// request. Data or an end where the request has ended.
    pub fn send(&self, kind: FrameKind, payload: Vec<u8>) -> Result<(), Failure> {
        let requests = self.client.requests();
        match kind {
            FrameKind::Ack => match acknowledged(&payload) {
                Some(count) => {
                    requests.acknowledge(self.id, count);
                    Ok(())
                }
                None => self.refuse("an acknowledgement that cannot be read"),
            },
            FrameKind::Data => requests.send(self.id, &payload),
            FrameKind::End => requests.end(self.id),
            FrameKind::Cancel => {
                requests.cancel(self.id);
                Ok(())
            }
            FrameKind::Request | FrameKind::Reply => self.refuse(&format!("a {kind:?} frame out of place")),
        }
    }

    fn refuse(&self, what: &str) -> Result<(), Failure> {
        self.client.requests().cancel(self.id);
        Err(Failure::failed(format!("a client sent {what}")))
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        self.client.requests().cancel(self.id);
    }
}
