//! The two bodies of an exchange. Both are passed on piece by piece, as fast as the receiver takes them.

use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::pool::Lease;

/// What a piece can fail with.
pub(super) type BodyError = Box<dyn Error + Send + Sync>;

/// How long a body that waits for leave waits: many services never give it.
const PATIENCE: Duration = Duration::from_secs(1);

type Piece = Poll<Option<Result<Frame<Bytes>, BodyError>>>;

/// What goes back to the client.
#[derive(Debug)]
pub(super) enum Answer {
    /// A text of ours.
    Text(Option<Bytes>),
    /// What the service sends.
    Service {
        /// It.
        incoming: Incoming,
        /// The connection that it comes over.
        lease: Option<Lease>,
        /// Lets a body that still waits for leave know that there will be none.
        _gate: Option<Over>,
    },
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Piece {
        match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Service { incoming, lease, .. } => {
                let piece = Pin::new(incoming).poll_frame(context);
                if let (Poll::Ready(None), Some(lease)) = (&piece, lease) {
                    lease.is_over = true;
                }
                piece.map_err(Into::into)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.as_ref().is_none_or(Bytes::is_empty),
            Self::Service { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Self::Service { incoming, .. } => incoming.size_hint(),
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // A body of known length is not always asked for its end.
        if let Self::Service {
            incoming,
            lease: Some(lease),
            ..
        } = self
        {
            lease.is_over |= incoming.is_end_stream();
        }
    }
}

/// What goes to the service.
#[derive(Debug)]
pub(super) struct Upload {
    incoming: Option<Incoming>,
    gate: Option<(Arc<Gate>, Pin<Box<Sleep>>)>,
}

impl Upload {
    /// Passes on what comes.
    pub(super) fn new(incoming: Incoming) -> Self {
        Self {
            incoming: Some(incoming),
            gate: None,
        }
    }

    /// Nothing.
    pub(super) fn empty() -> Self {
        Self {
            incoming: None,
            gate: None,
        }
    }

    /// The client sends nothing before it is told to, which asking it for its body does: so that waits for the service.
    pub(super) fn wait(&mut self) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        self.gate = Some((Arc::clone(&gate), Box::pin(tokio::time::sleep(PATIENCE))));
        gate
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Piece {
        let this = self.get_mut();
        if let Some((gate, patience)) = &mut this.gate {
            match gate.poll(context) {
                Leave::Given => this.gate = None,
                Leave::Awaited if patience.as_mut().poll(context).is_ready() => this.gate = None,
                Leave::Awaited => return Poll::Pending,
                Leave::Refused => {
                    this.incoming = None;
                    return Poll::Pending;
                }
                Leave::Over => {
                    this.incoming = None;
                    return Poll::Ready(Some(Err(io::Error::other("the body was not wanted").into())));
                }
            }
        }
        match &mut this.incoming {
            Some(incoming) => Pin::new(incoming).poll_frame(context).map_err(Into::into),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.gate.is_none() && self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.incoming {
            Some(incoming) => incoming.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

/// Whether a body may be sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Leave {
    /// The service has not said. Next: any.
    #[default]
    Awaited,
    /// It wants it. The end.
    Given,
    /// It has answered without it; the answer is on its way. Next: over.
    Refused,
    /// The answer has ended; the connection is of no more use.
    Over,
}

/// Holds a body back.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<(Leave, Option<Waker>)>);

impl Gate {
    /// The service wants the body.
    pub(super) fn open(&self) {
        self.change(Leave::Given);
    }

    /// The service has answered: what it has not asked for until now it does not want.
    pub(super) fn refuse(self: Arc<Self>) -> Over {
        self.change(Leave::Refused);
        Over(self)
    }

    fn change(&self, to: Leave) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(state.0, Leave::Given | Leave::Over) {
            return;
        }
        state.0 = to;
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    fn poll(&self, context: &Context<'_>) -> Leave {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = Some(context.waker().clone());
        state.0
    }
}

/// Ends a body that was refused, when dropped.
#[derive(Debug)]
pub(super) struct Over(Arc<Gate>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.change(Leave::Over);
    }
}
