//! A TCP connection to a port of the box, as one request among others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

use super::{Client, reply};
use crate::failure::Failure;
use crate::protocol::dial::WINDOW;
use crate::protocol::frame::{Frame, FrameKind};
use crate::protocol::message::{Answer, Item, Reply};

/// A connection. Shutting it down ends what is sent, and no more than that; dropping it resets the connection, unless both
/// directions have ended.
#[derive(Debug)]
pub struct Dialled {
    reader: DialledReader,
    writer: DialledWriter,
}

/// What comes from the port. Data that came is read where it lies, by [`AsyncBufRead`].
#[derive(Debug)]
pub struct DialledReader {
    line: Arc<Line>,
    frames: mpsc::Receiver<Frame>,
    piece: Vec<u8>,
    /// How much of the piece has been read.
    read: usize,
    consumed: u32,
    /// Why nothing more comes.
    broken: Option<Failure>,
}

/// What goes to the port.
#[derive(Debug)]
pub struct DialledWriter {
    line: Arc<Line>,
}

/// The request.
#[derive(Debug)]
struct Line {
    id: u64,
    client: Client,
    /// What was sent has ended.
    is_sent: AtomicBool,
    /// What comes has ended.
    is_received: AtomicBool,
}

impl Drop for Line {
    fn drop(&mut self) {
        // Where both have ended, the supervisor passes on what is under way and answers.
        if !(self.is_sent.load(Ordering::Relaxed) && self.is_received.load(Ordering::Relaxed)) {
            self.client.requests().cancel(self.id);
        }
    }
}

impl Dialled {
    pub(super) fn new(id: u64, frames: mpsc::Receiver<Frame>, client: Client) -> Self {
        let line = Arc::new(Line {
            id,
            client,
            is_sent: AtomicBool::new(false),
            is_received: AtomicBool::new(false),
        });
        Self {
            reader: DialledReader {
                line: Arc::clone(&line),
                frames,
                piece: Vec::new(),
                read: 0,
                consumed: 0,
                broken: None,
            },
            writer: DialledWriter { line },
        }
    }

    /// Waits until the connection stands.
    pub(super) async fn opened(&mut self) -> Result<(), Failure> {
        let reader = &mut self.reader;
        let Some(frame) = reader.frames.recv().await else {
            return Err(reader.line.client.requests().why(reader.line.id));
        };
        match (frame.kind, reply(&frame.payload)) {
            (FrameKind::Reply, Ok(Reply::Item(Item::Opened))) => {
                reader.consume();
                Ok(())
            }
            (FrameKind::Reply, Ok(Reply::Done(Err(failure)))) => Err(failure),
            _ => Err(out_of_order()),
        }
    }

    /// Both directions, for two tasks or futures. The connection is dropped with the second of them.
    pub fn into_split(self) -> (DialledReader, DialledWriter) {
        (self.reader, self.writer)
    }
}

impl DialledReader {
    /// Waits for the end of the connection, after the end of what comes: both directions have ended well. Cancel safe.
    ///
    /// # Errors
    /// A connection that broke, or that still brings something.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        if let Some(failure) = &self.broken {
            return Err(failure.clone());
        }
        let end = match self.frames.recv().await {
            None => Err(self.line.client.requests().why(self.line.id)),
            Some(frame) if frame.kind == FrameKind::Reply => match reply(&frame.payload)? {
                Reply::Done(Ok(Answer::Nothing)) if self.is_received() => return Ok(()),
                Reply::Done(Err(failure)) => Err(failure),
                _ => Err(out_of_order()),
            },
            Some(_) => Err(out_of_order()),
        };
        self.broken = end.as_ref().err().cloned();
        end
    }

    fn is_received(&self) -> bool {
        self.line.is_received.load(Ordering::Relaxed)
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.read == self.piece.len() && !self.is_received() {
            if let Some(failure) = &self.broken {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    failure.clone(),
                )));
            }
            match ready!(self.frames.poll_recv(context)) {
                Some(frame) if frame.kind == FrameKind::Data => {
                    self.piece = frame.payload;
                    self.read = 0;
                    self.consume();
                }
                Some(frame) if frame.kind == FrameKind::End => {
                    self.piece = Vec::new();
                    self.read = 0;
                    self.line.is_received.store(true, Ordering::Relaxed);
                }
                Some(frame) => {
                    self.broken = Some(match reply(&frame.payload) {
                        Ok(Reply::Done(Err(failure))) => failure,
                        _ => out_of_order(),
                    });
                }
                None => self.broken = Some(self.line.client.requests().why(self.line.id)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Counts a consumed frame and acknowledges half a window at a time.
    fn consume(&mut self) {
        self.consumed += 1;
        if self.consumed >= WINDOW / 2 {
            self.line
                .client
                .requests()
                .acknowledge(self.line.id, self.consumed);
            self.consumed = 0;
        }
    }
}

fn out_of_order() -> Failure {
    Failure::failed("the supervisor sent something else than what comes over a connection")
}

impl AsyncBufRead for DialledReader {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let reader = self.get_mut();
        ready!(reader.poll_piece(context))?;
        Poll::Ready(Ok(reader.piece.get(reader.read..).unwrap_or_default()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.read = self.piece.len().min(self.read + count);
    }
}

impl AsyncRead for DialledReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = piece.len().min(buffer.remaining());
        buffer.put_slice(&piece[..count]);
        AsyncBufRead::consume(self, count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DialledWriter {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.line
            .client
            .requests()
            .poll_write(self.line.id, context, bytes)
    }

    /// What was written is on its way: nobody has to wait for that.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.line.is_sent.swap(true, Ordering::Relaxed)
            && let Err(failure) = self.line.client.requests().end(self.line.id)
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, failure)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncBufRead for Dialled {
    fn poll_fill_buf(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().reader).poll_fill_buf(context)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        AsyncBufRead::consume(Pin::new(&mut self.reader), count);
    }
}

impl AsyncRead for Dialled {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(context, buffer)
    }
}

impl AsyncWrite for Dialled {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(context)
    }
}
