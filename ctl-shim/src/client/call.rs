//! A request whose parts are of interest.

use tokio::sync::mpsc;

use super::Client;
use crate::failure::Failure;
use crate::protocol::WINDOW;
use crate::protocol::frame::{Frame, FrameKind};
use crate::protocol::message::{Answer, Item, Reply};

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
}

impl Call {
    pub(super) fn new(id: u64, frames: mpsc::Receiver<Frame>, client: Client) -> Self {
        Self {
            id,
            frames,
            client,
            consumed: 0,
        }
    }

    /// The next part. Cancel safe.
    ///
    /// # Errors
    /// The supervisor's failure, a connection that ended, a reply that cannot be read.
    pub async fn next(&mut self) -> Result<Part, Failure> {
        let Some(frame) = self.frames.recv().await else {
            return Err(self.client.requests().why(self.id));
        };
        match frame.kind {
            FrameKind::Data => {
                self.consume();
                Ok(Part::Data(frame.payload))
            }
            FrameKind::Reply => match super::reply(&frame.payload)? {
                Reply::Item(item) => {
                    self.consume();
                    Ok(Part::Item(item))
                }
                Reply::Done(result) => result.map(Part::Done),
            },
            kind => Err(Failure::failed(format!("the supervisor sent a {kind:?} frame"))),
        }
    }

    /// Counts a consumed frame and acknowledges half a window at a time.
    fn consume(&mut self) {
        self.consumed += 1;
        if self.consumed >= WINDOW / 2 {
            self.client.requests().acknowledge(self.id, self.consumed);
            self.consumed = 0;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.client.requests().cancel(self.id);
    }
}
