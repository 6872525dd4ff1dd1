//! The client side of the [protocol](crate::protocol): many requests at once over one connection.
//!
//! A [`Client`] owns a connection of any kind (a unix socket in the box, an exec channel on the host). One task
//! reads frames and hands each to the request it belongs to, another writes what requests have to send. Neither waits for a
//! request, so none holds up another.

mod call;
mod dialled;
mod passage;
mod requests;

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;

pub use self::call::{Call, Part};
pub use self::dialled::{Dialled, DialledReader, DialledWriter};
pub use self::passage::Passage;
use self::requests::{Batch, Requests};
use crate::failure::Failure;
use crate::protocol::message::{Answer, Reply, Request};
use crate::protocol::{NOT_UNDERSTOOD, frame};

/// Buffer for the heads of frames and for small ones, in bytes: longer payloads are read past it.
const READ_BUFFER: usize = 8 * 1024;
/// Frames up to this size are copied together to be written at once.
const SMALL: usize = 4 * 1024;

/// A connection to a supervisor. Cheap to clone; all clones share it.
#[derive(Clone, Debug)]
pub struct Client(Arc<User>);

/// Whoever may ask something. When the last is gone, so is the connection.
#[derive(Debug)]
struct User(Arc<Requests>);

impl Drop for User {
    fn drop(&mut self) {
        self.0.set_unused();
    }
}

impl Client {
    /// Takes over a connection. Must be called inside a tokio runtime; ends by itself with the connection.
    pub fn new<R, W>(reader: R, mut writer: W) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let requests: Arc<Requests> = Arc::default();
        let delivering = Arc::clone(&requests);
        let reading = tokio::spawn(async move {
            let mut reader = BufReader::with_capacity(READ_BUFFER, reader);
            while let Ok(Some(frame)) = frame::read(&mut reader).await {
                delivering.deliver(frame);
            }
            delivering.set_ended();
        });
        let writing = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Some(batch) = writing.next_batch().await {
                if write(&mut writer, batch).await.is_err() {
                    writing.set_ended();
                }
            }
            // Both halves have to go: of a connection that was split, one alone keeps it open.
            reading.abort();
        });
        Self(Arc::new(User(requests)))
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
    /// A connection that has ended, or has as many requests as may be.
    pub async fn call(&self, request: &Request) -> Result<Call, Failure> {
        let payload = encode(request)?;
        let (written, confirmation) = oneshot::channel();
        let (id, frames) = self.requests().open(payload, false, Some(written))?;
        let call = Call::new(id, frames, self.clone());
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

    /// Connects to a TCP port on the box's loopback. Cancel safe.
    ///
    /// # Errors
    /// Nobody who answers there, with the reason; a supervisor that [cannot do it](is_not_understood); a connection that has
    /// ended.
    pub async fn dial(&self, port: u16) -> Result<Dialled, Failure> {
        let payload = encode(&Request::Dial { port })?;
        let (id, frames) = self.requests().open(payload, false, None)?;
        let mut dialled = Dialled::new(id, frames, self.clone());
        dialled.opened().await?;
        Ok(dialled)
    }

    /// Passes on a request that somebody else has encoded: a JSON [`Request`], of this release or another. It does not
    /// wait; a connection that breaks before the request was written is the end of the passage.
    ///
    /// # Errors
    /// A connection that has ended, or has as many requests as may be.
    pub fn pass(&self, payload: Vec<u8>) -> Result<Passage, Failure> {
        let (id, frames) = self.requests().open(payload, true, None)?;
        Ok(Passage::new(id, frames, self.clone()))
    }

    fn requests(&self) -> &Requests {
        &self.0.0
    }
}

/// Writes frames, small ones together, and tells who wants to know.
async fn write(writer: &mut (impl AsyncWrite + Unpin), batch: Batch) -> io::Result<()> {
    let result = async {
        let mut small = Vec::new();
        for frame in &batch.frames {
            if frame.len() > SMALL {
                writer.write_all(&small).await?;
                small.clear();
                writer.write_all(frame).await?;
            } else {
                small.extend_from_slice(frame);
            }
        }
        writer.write_all(&small).await?;
        writer.flush().await
    }
    .await;
    for written in batch.written {
        let answer = match &result {
            Ok(()) => Ok(()),
            Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
        };
        // A caller that went away needs no answer.
        let _ = written.send(answer);
    }
    result
}

fn encode(request: &Request) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(request).map_err(|error| Failure::failed("cannot encode a request").because(&error))
}

fn reply(payload: &[u8]) -> Result<Reply, Failure> {
    serde_json::from_slice(payload)
        .map_err(|error| Failure::failed("the supervisor sent a reply that cannot be read").because(&error))
}

/// The failure of every request on a connection that has ended.
pub fn connection_lost() -> Failure {
    Failure::failed("the connection to the supervisor ended").hint("agentbox status")
}

/// Whether a failure is that of a connection that has ended.
pub fn is_lost(failure: &Failure) -> bool {
    failure.message == connection_lost().message
}

/// Whether a failure is that of a supervisor, of another release, that does not have the request.
pub fn is_not_understood(failure: &Failure) -> bool {
    failure.message == NOT_UNDERSTOOD
}

#[cfg(test)]
mod tests;
