//! Input on its way to the command.

use std::io;
use std::os::fd::AsFd;

use nix::errno::Errno;

/// Bytes that may wait for a command that does not read. Beyond that no frames are read, so a signal that the
/// client sends after that much unread input is not seen until the command reads; that the client is gone is.
pub(super) const LIMIT: usize = 1 << 20;

/// Bytes not yet written, in order.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// How many at the front are written already.
    written: usize,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.bytes.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() - self.written >= LIMIT
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Adds bytes behind those that wait.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.written > 0 && self.bytes.len() + bytes.len() > self.bytes.capacity() {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes as much as the other side takes now.
    ///
    /// # Errors
    /// Those of `write`, but for "not now".
    pub(super) fn write_to(&mut self, target: &impl AsFd) -> io::Result<()> {
        while !self.is_empty() {
            match nix::unistd::write(target, &self.bytes[self.written..]) {
                Ok(count) => self.written += count,
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.bytes.clear();
        self.written = 0;
        Ok(())
    }
}
