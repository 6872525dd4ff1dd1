//! Standard input, read by a thread of its own.
//!
//! A read of a terminal or a pipe cannot be made cancellable without changing the open file for everybody who
//! shares it, the shell included. So a plain thread reads and blocks; it ends with the process.

use std::io::{ErrorKind, Read};

use agentbox_ctl::protocol::session::SessionFrame;
use tokio::sync::mpsc;

use super::encoded;

/// Bytes read at once.
const CHUNK: usize = 32 * 1024;

/// Frames waiting to be written: one being written and one ready keep the wire busy, more would only be memory.
const READ_AHEAD: usize = 1;

/// Starts reading. Frames come from the returned channel, the last one says that the input has ended.
pub(super) fn read(mut input: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(READ_AHEAD);
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            match input.read(&mut buffer) {
                Ok(read @ 1..) => {
                    if sender
                        .blocking_send(encoded(SessionFrame::Input(&buffer[..read])))
                        .is_err()
                    {
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // An input that cannot be read (closed, or its terminal is gone) is one that has ended.
                Ok(0) | Err(_) => {
                    // Nobody who listens is nobody who needs to know.
                    let _ = sender.blocking_send(encoded(SessionFrame::InputEnd));
                    return;
                }
            }
        }
    });
    receiver
}
