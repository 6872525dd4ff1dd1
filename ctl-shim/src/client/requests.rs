//! All requests of a connection: where their frames go, and what they have to send.
//!
//! ```text
//! requests, cancels ─► urgent ──┐
//! acknowledgements ─► told ─────┼─► writer ─► connection ─► reader ─► the request's own queue
//! data of a request ─► pieces ──┘   urgent and told first, then a piece of each request in turn
//! ```
//!
//! Nothing here waits: the reader never does, so a request whose owner is slow holds up no other. Every queue is bounded
//! by the windows and the number of requests.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{Notify, mpsc, oneshot};

use crate::failure::Failure;
use crate::protocol::dial::{self, MAX_PIECE};
use crate::protocol::frame::{self, Frame, FrameKind, HEADER};
use crate::protocol::{MAX_REQUESTS, WINDOW};

/// Frames that may wait for a request's owner: a window, the end, the answer, and acknowledgements. A supervisor
/// acknowledges half a window at a time, so few of these can be under way.
const QUEUE: usize = WINDOW as usize + 8;
/// How much is written at once, in bytes, before urgent frames get their next turn.
const BATCH: usize = 4 * MAX_PIECE;

/// What a `written` sender is told.
pub(super) type Written = oneshot::Sender<io::Result<()>>;

/// All requests under way on a connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    state: Mutex<State>,
    /// Woken when the writer has something to do.
    work: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The connection has ended.
    ended: bool,
    /// Nobody is left who could ask anything.
    unused: bool,
    next_id: u64,
    open: HashMap<u64, Open>,
    /// Requests whose supervisor ignored the window, until their owners have been told.
    flooded: HashSet<u64>,
    urgent: VecDeque<Urgent>,
    /// Requests with frames to acknowledge.
    told: VecDeque<u64>,
    /// Requests with pieces to send.
    ready: VecDeque<u64>,
}

#[derive(Debug)]
struct Urgent {
    id: u64,
    bytes: Vec<u8>,
    written: Option<Written>,
}

/// A request that has not been answered.
#[derive(Debug)]
struct Open {
    frames: mpsc::Sender<Frame>,
    /// Acknowledgements are for the owner, who keeps the window itself.
    raw: bool,
    /// Frames consumed that the supervisor has not been told of.
    consumed: u32,
    /// Frames to send, the last perhaps with room for more.
    pieces: VecDeque<Vec<u8>>,
    /// Data frames that may be added to them.
    credit: u32,
    /// Nothing may follow.
    is_ended: bool,
    /// Who waits for credit.
    waker: Option<Waker>,
}

/// Frames to write, and who wants to know.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) frames: Vec<Vec<u8>>,
    pub(super) written: Vec<Written>,
}

impl Requests {
    /// Adds a request, which is written soon. Without `written` nobody is told when.
    ///
    /// # Errors
    /// A connection that has ended, or that has as many requests as may be.
    pub(super) fn open(
        &self,
        payload: Vec<u8>,
        raw: bool,
        written: Option<Written>,
    ) -> Result<(u64, mpsc::Receiver<Frame>), Failure> {
        let mut state = self.lock();
        if state.ended {
            return Err(super::connection_lost());
        }
        if state.open.len() >= MAX_REQUESTS {
            return Err(Failure::failed("too many requests on one connection"));
        }
        let id = state.next_id;
        state.next_id += 1;
        let (sender, frames) = mpsc::channel(QUEUE);
        state.open.insert(
            id,
            Open {
                frames: sender,
                raw,
                consumed: 0,
                pieces: VecDeque::new(),
                credit: dial::WINDOW,
                is_ended: false,
                waker: None,
            },
        );
        let kind = FrameKind::Request;
        let bytes = Frame { kind, id, payload }.encode();
        state.urgent.push_back(Urgent { id, bytes, written });
        self.work.notify_one();
        Ok((id, frames))
    }

    /// Hands a frame that came to whom it belongs. One whose queue is full belongs to a supervisor that ignores the
    /// window: that request ends, and no other.
    pub(super) fn deliver(&self, frame: Frame) {
        let mut state = self.lock();
        let id = frame.id;
        let Some(open) = state.open.get_mut(&id) else {
            return;
        };
        if frame.kind == FrameKind::Ack && !open.raw {
            let count = acknowledged(&frame.payload).unwrap_or(0);
            open.credit = open.credit.saturating_add(count).min(dial::WINDOW);
            return wake(open);
        }
        let is_answer = frame::is_answer(&frame);
        match open.frames.try_send(frame) {
            Err(mpsc::error::TrySendError::Full(_)) => {
                state.flooded.insert(id);
                state.cancel(id);
                self.work.notify_one();
            }
            // An owner that has gone, with nothing left to do but to be answered.
            Err(mpsc::error::TrySendError::Closed(_)) | Ok(()) if is_answer => drop(state.remove(id)),
            _ => {}
        }
    }

    /// Acknowledges `count` more frames of a request, together with what has not been written yet.
    pub(super) fn acknowledge(&self, id: u64, count: u32) {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id) else {
            return;
        };
        if count > 0 {
            let is_first = open.consumed == 0;
            open.consumed = open.consumed.saturating_add(count);
            if is_first {
                state.told.push_back(id);
                self.work.notify_one();
            }
        }
    }

    /// Takes bytes for a request, as many as one frame may have; waits for credit.
    ///
    /// # Errors
    /// A request that has been answered or ended, or whose connection ended.
    pub(super) fn poll_write(
        &self,
        id: u64,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id).filter(|open| !open.is_ended) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        let bytes = &bytes[..bytes.len().min(MAX_PIECE)];
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // What is still here goes together.
        if let Some(last) = open.pieces.back_mut()
            && last.len() + bytes.len() <= HEADER + MAX_PIECE
        {
            last.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if open.credit == 0 {
            open.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        open.credit -= 1;
        let mut piece = frame::begin(FrameKind::Data, id, bytes.len());
        piece.extend_from_slice(bytes);
        self.add(&mut state, id, piece);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Sends data of an owner that keeps the window itself.
    ///
    /// # Errors
    /// More than a window, or than a frame may have: the request is cancelled. A request that has ended.
    pub(super) fn send(&self, id: u64, payload: &[u8]) -> Result<(), Failure> {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id).filter(|open| !open.is_ended) else {
            return Err(has_ended());
        };
        if payload.len() > MAX_PIECE || open.pieces.len() >= dial::WINDOW as usize {
            state.cancel(id);
            self.work.notify_one();
            return Err(Failure::failed("a client sent more data than it may"));
        }
        let mut piece = frame::begin(FrameKind::Data, id, payload.len());
        piece.extend_from_slice(payload);
        self.add(&mut state, id, piece);
        Ok(())
    }

    /// Ends what a request sends, after what it has sent.
    ///
    /// # Errors
    /// A request that has ended, or whose data has.
    pub(super) fn end(&self, id: u64) -> Result<(), Failure> {
        let mut state = self.lock();
        let open = state.open.get_mut(&id).filter(|open| !open.is_ended);
        open.ok_or_else(has_ended)?.is_ended = true;
        let piece = frame::begin(FrameKind::End, id, 0);
        self.add(&mut state, id, piece);
        Ok(())
    }

    fn add(&self, state: &mut State, id: u64, piece: Vec<u8>) {
        let Some(open) = state.open.get_mut(&id) else {
            return;
        };
        open.pieces.push_back(piece);
        if open.pieces.len() == 1 {
            state.ready.push_back(id);
            self.work.notify_one();
        }
    }

    /// Cancels a request that has not been answered; one that has not been written either is forgotten.
    pub(super) fn cancel(&self, id: u64) {
        let mut state = self.lock();
        state.flooded.remove(&id);
        if state.cancel(id) {
            self.work.notify_one();
        }
    }

    /// Why a request's frames have ended before its answer.
    pub(super) fn why(&self, id: u64) -> Failure {
        self.flood(id).unwrap_or_else(super::connection_lost)
    }

    /// The failure of a request whose supervisor ignored the window; once.
    pub(super) fn flood(&self, id: u64) -> Option<Failure> {
        let flooded = self.lock().flooded.remove(&id);
        flooded.then(|| Failure::failed("the supervisor sent more than it was asked for"))
    }

    /// Waits for frames to write; `None` when there will be none any more.
    pub(super) async fn next_batch(&self) -> Option<Batch> {
        loop {
            {
                let mut state = self.lock();
                if state.ended {
                    return None;
                }
                let batch = state.batch();
                if !batch.frames.is_empty() {
                    return Some(batch);
                }
                if state.unused {
                    return None;
                }
            }
            self.work.notified().await;
        }
    }

    /// Nobody asks any more; what waits to be written is.
    pub(super) fn set_unused(&self) {
        self.lock().unused = true;
        self.work.notify_one();
    }

    /// The connection has ended, and with it every request.
    pub(super) fn set_ended(&self) {
        let ended = State {
            ended: true,
            ..State::default()
        };
        let state = std::mem::replace(&mut *self.lock(), ended);
        // Outside of the lock: whoever is woken may want it.
        state.open.into_values().for_each(|mut open| wake(&mut open));
        self.work.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, id: u64) -> Option<Open> {
        let mut open = self.open.remove(&id)?;
        // A writer that stands still is not to gather what is gone.
        self.told.retain(|other| *other != id);
        self.ready.retain(|other| *other != id);
        wake(&mut open);
        Some(open)
    }

    /// Whether there was anything to cancel.
    fn cancel(&mut self, id: u64) -> bool {
        if self.remove(id).is_none() {
            return false;
        }
        // So many are never asked for in vain.
        let waiting = self.urgent.iter().position(|urgent| urgent.id == id);
        if let Some(place) = waiting {
            self.urgent.remove(place);
            return false;
        }
        self.urgent.push_back(Urgent {
            id,
            bytes: frame::sealed(FrameKind::Cancel, id, &[]),
            written: None,
        });
        true
    }

    fn batch(&mut self) -> Batch {
        let mut batch = Batch::default();
        for urgent in self.urgent.drain(..) {
            batch.frames.push(urgent.bytes);
            batch.written.extend(urgent.written);
        }
        for id in self.told.drain(..) {
            if let Some(open) = self.open.get_mut(&id) {
                let consumed = std::mem::take(&mut open.consumed).to_be_bytes();
                batch.frames.push(frame::sealed(FrameKind::Ack, id, &consumed));
            }
        }
        let mut size = 0;
        while size < BATCH
            && let Some(id) = self.ready.pop_front()
        {
            let Some(open) = self.open.get_mut(&id) else {
                continue;
            };
            if let Some(mut piece) = open.pieces.pop_front() {
                frame::seal(&mut piece);
                size += piece.len();
                batch.frames.push(piece);
            }
            if !open.pieces.is_empty() {
                self.ready.push_back(id);
            }
        }
        batch
    }
}

fn has_ended() -> Failure {
    Failure::failed("the request has ended")
}

fn wake(open: &mut Open) {
    if let Some(waker) = open.waker.take() {
        waker.wake();
    }
}

/// The count of an [`FrameKind::Ack`]; `None` where it is none.
pub(super) fn acknowledged(payload: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(payload.try_into().ok()?))
}
