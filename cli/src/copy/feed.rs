//! From a download that arrives to a thread that reads: bounded, so memory stays constant whatever the size.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

/// Pieces under way.
const DEPTH: usize = 16;

/// The reading end. Dropping the sender ends it, as the end of a file does.
#[derive(Debug)]
pub(super) struct Feed {
    receiver: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

/// A sender and its reader.
pub(super) fn feed() -> (mpsc::Sender<io::Result<Bytes>>, Feed) {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let feed = Feed {
        receiver,
        piece: Bytes::new(),
    };
    (sender, feed)
}

impl Read for Feed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
