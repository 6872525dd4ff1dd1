//! From a thread that writes to an upload that reads: bounded, so memory stays constant whatever the size.

use std::io::{self, Write};

use agentbox_ctl::failure::Failure;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Bytes that go in one piece.
const PIECE: usize = 128 * 1024;
/// Pieces under way.
const DEPTH: usize = 4;

/// The writing end.
#[derive(Debug)]
pub struct PipeWriter {
    sender: mpsc::Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl PipeWriter {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender
            .blocking_send(Ok(piece.into()))
            .map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PipeWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..count]);
        if self.piece.len() == PIECE {
            self.send()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

/// Runs `work` in a thread; what it writes is the stream. When it fails the stream ends with an error, so that
/// nobody takes a part for the whole.
pub fn produce<T: Send + 'static>(
    work: impl FnOnce(&mut PipeWriter) -> Result<T, Failure> + Send + 'static,
) -> (
    impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    JoinHandle<Result<T, Failure>>,
) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let handle = tokio::task::spawn_blocking(move || {
        let mut writer = PipeWriter {
            sender,
            piece: Vec::with_capacity(PIECE),
        };
        let result = work(&mut writer).and_then(|value| match writer.flush() {
            Ok(()) => Ok(value),
            Err(error) => Err(Failure::failed("the upload ended early").because(&error)),
        });
        if let Err(failure) = &result {
            // A reader that has gone needs no error.
            let _ = writer
                .sender
                .blocking_send(Err(io::Error::other(failure.message.clone())));
        }
        result
    });
    let stream = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    });
    (stream, handle)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    #[tokio::test]
    async fn everything_arrives_in_order() {
        let (stream, handle) = produce(|writer| {
            for number in 0..100_000_u32 {
                writer.write_all(&number.to_be_bytes()).unwrap();
            }
            Ok(())
        });
        let mut all = Vec::new();
        let mut stream = Box::pin(stream);
        while let Some(piece) = stream.next().await {
            all.extend_from_slice(&piece.unwrap());
        }
        handle.await.unwrap().unwrap();
        assert_eq!(all.len(), 400_000);
        assert_eq!(all[399_996..], 99_999_u32.to_be_bytes());
    }

    #[tokio::test]
    async fn a_failure_ends_the_stream_with_an_error() {
        let (stream, handle) = produce(|writer| -> Result<(), Failure> {
            writer.write_all(b"part").unwrap();
            writer.flush().unwrap();
            Err(Failure::failed("no"))
        });
        let pieces: Vec<_> = Box::pin(stream).collect().await;
        assert!(pieces[0].is_ok() && pieces[1].is_err() && pieces.len() == 2);
        assert_eq!(handle.await.unwrap().unwrap_err().message, "no");
    }

    #[tokio::test]
    async fn a_reader_that_has_gone_ends_the_work() {
        let (stream, handle) = produce(|writer| {
            while writer.write_all(&[0; 4096]).is_ok() {}
            Err::<(), _>(Failure::failed("nobody reads"))
        });
        drop(stream);
        let ended = tokio::time::timeout(std::time::Duration::from_secs(10), handle).await;
        // The loop ends on its own; what it left unsent is the failure.
        ended.expect("the thread goes on").unwrap().unwrap_err();
    }
}
