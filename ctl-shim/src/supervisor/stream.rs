//! The two directions of a request, between the connection's reader and whoever answers the request.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

use crate::failure::Failure;
use crate::protocol::dial::{self, MAX_PIECE};
use crate::protocol::frame::{self, FrameKind};
use crate::protocol::message::{Answer, Item, Reply};

/// What the client has said about a request since it asked.
#[derive(Debug)]
pub(super) struct Lane {
    /// Frames that may be sent before the client acknowledges some.
    window: Semaphore,
    limit: Cell<usize>,
    /// Where the client's data goes, while it may send any.
    data: RefCell<Option<mpsc::Sender<Vec<u8>>>>,
}

impl Lane {
    /// A request of whose stream so many frames may be under way.
    pub(super) fn new(window: u32) -> Self {
        let limit = window as usize;
        Self {
            window: Semaphore::new(limit),
            limit: Cell::new(limit),
            data: RefCell::default(),
        }
    }

    /// Takes an acknowledgement. One of more than was sent is one of what was.
    pub(super) fn acknowledge(&self, payload: &[u8]) {
        if let Ok(count) = <[u8; 4]>::try_from(payload) {
            let room = self.limit.get().saturating_sub(self.window.available_permits());
            self.window
                .add_permits(room.min(u32::from_be_bytes(count) as usize));
        }
    }

    /// Takes data.
    ///
    /// # Errors
    /// What nobody asked for, or more than may be: the request has to end.
    pub(super) fn data(&self, payload: Vec<u8>) -> Result<(), Failure> {
        if payload.is_empty() || payload.len() > MAX_PIECE {
            return Err(Failure::failed(format!(
                "a data frame has {} bytes",
                payload.len()
            )));
        }
        match self.data.borrow().as_ref().map(|data| data.try_send(payload)) {
            None => Err(Failure::failed("data came that nobody asked for")),
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                Err(Failure::failed("more data came than may be under way"))
            }
            // Nobody can take it any more, which the client will learn.
            Some(Err(mpsc::error::TrySendError::Closed(_)) | Ok(())) => Ok(()),
        }
    }

    /// Takes the end of the data, which for the handler is an empty piece.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub(super) fn end(&self) -> Result<(), Failure> {
        let data = self.data.borrow_mut().take();
        let data = data.ok_or_else(|| Failure::failed("an end came of data that nobody asked for"))?;
        // There is room for it.
        let _ = data.try_send(Vec::new());
        Ok(())
    }
}

/// The way back to the one who asked.
#[derive(Debug)]
pub(super) struct Stream {
    /// The request's id.
    pub(super) id: u64,
    /// Frames for the connection.
    pub(super) queue: mpsc::Sender<Vec<u8>>,
    /// What the client says.
    pub(super) lane: Rc<Lane>,
    /// Whether root asks, or whoever runs the supervisor.
    pub(super) is_host: bool,
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
        let payload = serde_json::to_vec(&Reply::Item(item)).map_err(|_| Gone)?;
        self.room()
            .await?
            .fill(frame::sealed(FrameKind::Reply, self.id, &payload));
        Ok(())
    }

    /// Sends bytes; waits likewise.
    pub(super) async fn data(&self, bytes: Vec<u8>) -> Result<(), Gone> {
        self.room()
            .await?
            .fill(frame::sealed(FrameKind::Data, self.id, &bytes));
        Ok(())
    }

    /// Waits until one more frame of the stream can be sent.
    pub(super) async fn room(&self) -> Result<Room<'_>, Gone> {
        let window = self.lane.window.acquire().await.map_err(|_| Gone)?;
        let place = self.queue.reserve().await.map_err(|_| Gone)?;
        Ok(Room { window, place })
    }

    /// From now on the client may send data, a window of it ahead of what is [acknowledged](Self::acknowledge). The
    /// window the other way becomes as small; nothing may have been sent before.
    pub(super) fn take_data(&self) -> mpsc::Receiver<Vec<u8>> {
        let limit = dial::WINDOW as usize;
        self.lane
            .window
            .forget_permits(self.lane.limit.get().saturating_sub(limit));
        self.lane.limit.set(limit);
        // Room for the end as well.
        let (sender, receiver) = mpsc::channel(limit + 1);
        *self.lane.data.borrow_mut() = Some(sender);
        receiver
    }

    /// Lets the client send `count` more pieces.
    pub(super) async fn acknowledge(&self, count: u32) -> Result<(), Gone> {
        self.send(FrameKind::Ack, &count.to_be_bytes()).await
    }

    /// Ends what is sent to the client as data.
    pub(super) async fn end(&self) -> Result<(), Gone> {
        self.send(FrameKind::End, &[]).await
    }

    /// Ends the request.
    pub(super) async fn finish(&self, result: Result<Answer, Failure>) {
        if let Ok(payload) = serde_json::to_vec(&Reply::Done(result)) {
            // Nobody is left to be told when this fails.
            let _ = self.send(FrameKind::Reply, &payload).await;
        }
    }

    async fn send(&self, kind: FrameKind, payload: &[u8]) -> Result<(), Gone> {
        let bytes = frame::sealed(kind, self.id, payload);
        self.queue.send(bytes).await.map_err(|_| Gone)
    }
}

/// Room for one frame. Dropped, it is there for the next.
#[derive(Debug)]
pub(super) struct Room<'a> {
    window: SemaphorePermit<'a>,
    place: mpsc::Permit<'a, Vec<u8>>,
}

impl Room<'_> {
    /// Sends a sealed frame.
    pub(super) fn fill(self, bytes: Vec<u8>) {
        self.window.forget();
        self.place.send(bytes);
    }
}
