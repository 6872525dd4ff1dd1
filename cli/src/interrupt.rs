//! Ctrl-C and its like, so that what was begun can be undone.

use std::future::Future;

use agentbox_ctl::failure::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Exit;

/// How a command ends that was told to.
pub const EXIT: Exit = Exit(130);

/// Somebody wants the command to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

/// Why a step did not come to its end.
#[derive(Debug)]
pub enum Stopped {
    /// It failed.
    Failed(Failure),
    /// Somebody wants the command to end.
    Interrupted,
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Takes SIGINT, SIGTERM and SIGHUP from now on.
#[derive(Debug)]
pub struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    seen: bool,
}

impl Interrupt {
    /// Begins to take the signals. They no longer end the process.
    ///
    /// # Errors
    /// A system that refuses handlers.
    pub fn new() -> Result<Self, Failure> {
        let take =
            |kind| signal(kind).map_err(|error| Failure::failed("cannot take signals").because(&error));
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
            seen: false,
        })
    }

    /// Waits for a signal. At once when one has come before.
    pub async fn received(&mut self) -> Interrupted {
        if !self.seen {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = self.hang_up.recv() => {}
            }
            self.seen = true;
        }
        Interrupted
    }

    /// Does `work` until it ends or a signal comes; then it is dropped.
    ///
    /// # Errors
    /// Those of the work, and the signal.
    pub async fn guard<T, E: Into<Failure>>(
        &mut self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            _ = self.received() => Err(Stopped::Interrupted),
            result = work => result.map_err(|error| Stopped::Failed(error.into())),
        }
    }
}
