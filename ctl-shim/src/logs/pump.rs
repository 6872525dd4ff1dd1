//! The reading end of a unit's pipe.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Bytes read at once, and the size asked for the pipe.
const PIECE: usize = 256 * 1024;

thread_local! {
    /// One buffer for all pipes of a thread: a unit that is quiet costs none.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}

/// Reads what a unit writes, without waiting.
#[derive(Debug)]
pub struct Pump {
    file: File,
}

/// What one read came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pumped {
    /// Bytes read.
    pub bytes: usize,
    /// Every process has closed the other end.
    pub eof: bool,
    /// There is nothing for now.
    pub would_block: bool,
}

impl Pump {
    /// Makes a pipe; the returned end is for the process and closes on exec until duplicated.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn open() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        // A larger pipe lets a unit that writes much go on while others are served; the kernel may refuse.
        let _ = fcntl(&reader, FcntlArg::F_SETPIPE_SZ(PIECE as i32));
        Ok((
            Self {
                file: File::from(reader),
            },
            writer,
        ))
    }

    /// The descriptor to wait on.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Reads once and hands what came to `sink`.
    ///
    /// # Errors
    /// Those of `read(2)`, would-block excepted.
    pub fn pump(&mut self, sink: &mut dyn FnMut(&[u8])) -> io::Result<Pumped> {
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                match self.file.read(buffer) {
                    Ok(0) => {
                        return Ok(Pumped {
                            bytes: 0,
                            eof: true,
                            would_block: false,
                        });
                    }
                    Ok(read) => {
                        sink(buffer.get(..read).unwrap_or_default());
                        return Ok(Pumped {
                            bytes: read,
                            eof: false,
                            would_block: false,
                        });
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        return Ok(Pumped {
                            bytes: 0,
                            eof: false,
                            would_block: true,
                        });
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        })
    }
}
