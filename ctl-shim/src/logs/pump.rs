//! From a unit's pipe into its log.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use super::writer::{AppendError, LogWriter};
use crate::time::Timestamp;

/// Size of the buffer, and of the pipe where the kernel lets us, in bytes.
const BUFFER: usize = 256 * 1024;
/// Reads in one call of [`Pump::pump`], so that one loud unit does not hold up the others.
const READS: usize = 4;

thread_local! {
    /// One for all pumps of the thread: an idle unit costs no memory.
    static SHARED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The read end of a unit's output.
#[derive(Debug)]
pub struct Pump {
    pipe: OwnedFd,
}

/// What one call moved.
#[derive(Debug, Default)]
pub struct Pumped {
    /// Bytes read.
    pub bytes: u64,
    /// Nobody holds the write end any more, and all is read.
    pub eof: bool,
    /// The pipe is empty for now. Where neither this nor `eof` is set, there may be more: call again.
    pub would_block: bool,
    /// The first error of the log in this call, with how many bytes the call could not write. Those are gone; a
    /// unit does not stop because a disk is full.
    pub lost: Option<(AppendError, u64)>,
}

impl Pump {
    /// Takes over the read end of a pipe, makes it non-blocking and, where allowed, large.
    ///
    /// # Errors
    /// Those of `fcntl`.
    pub fn new(pipe: OwnedFd) -> io::Result<Self> {
        let flags = OFlag::from_bits_retain(fcntl(&pipe, FcntlArg::F_GETFL)?);
        fcntl(&pipe, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        // A user's pages for pipes are limited; the usual 64 KiB do as well.
        let _ = fcntl(&pipe, FcntlArg::F_SETPIPE_SZ(BUFFER as i32));
        Ok(Self { pipe })
    }

    /// Moves what is in the pipe to the log, with the present time, and shows every piece to `on_bytes` before it is
    /// written. At most 1 MiB a call.
    ///
    /// # Errors
    /// Those of `read`. Errors of the log are in [`Pumped::lost`].
    pub fn pump(&mut self, writer: &mut LogWriter, on_bytes: &mut dyn FnMut(&[u8])) -> io::Result<Pumped> {
        SHARED.with_borrow_mut(|buffer| {
            if buffer.is_empty() {
                buffer.resize(BUFFER, 0);
            }
            let mut pumped = Pumped::default();
            for _ in 0..READS {
                let count = match nix::unistd::read(&self.pipe, buffer) {
                    Ok(0) => {
                        pumped.eof = true;
                        break;
                    }
                    Ok(count) => count,
                    Err(Errno::EAGAIN) => {
                        pumped.would_block = true;
                        break;
                    }
                    Err(Errno::EINTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                let bytes = &buffer[..count];
                pumped.bytes += count as u64;
                on_bytes(bytes);
                if let Err(error) = writer.append(bytes, Timestamp::now()) {
                    let unwritten = (count - error.written) as u64;
                    match &mut pumped.lost {
                        Some((_, lost)) => *lost += unwritten,
                        None => pumped.lost = Some((error, unwritten)),
                    }
                }
            }
            Ok(pumped)
        })
    }
}

impl AsFd for Pump {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

impl AsRawFd for Pump {
    fn as_raw_fd(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }
}
