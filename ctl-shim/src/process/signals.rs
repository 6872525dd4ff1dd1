//! Signals as something that can be waited for, by processes that do nothing else.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;
use std::{mem, ptr};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Signals that are blocked and come through a descriptor instead.
#[derive(Debug)]
pub struct Arrivals {
    descriptor: OwnedFd,
}

impl Arrivals {
    /// Blocks these signals in this thread for good. [`super::spawn::spawn`] unblocks them for its children.
    ///
    /// # Errors
    /// Those of `signalfd`.
    pub fn of(signals: &[i32]) -> io::Result<Self> {
        // SAFETY: the set is plain data that the calls fill in; the descriptor is new and ours.
        #[expect(unsafe_code, reason = "nix's signal type leaves out realtime signals")]
        let descriptor = unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
            let descriptor = Errno::result(libc::signalfd(
                -1,
                &raw const set,
                libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
            ))?;
            OwnedFd::from_raw_fd(descriptor)
        };
        Ok(Self { descriptor })
    }

    /// The next signal that has arrived, without waiting.
    pub fn next(&self) -> Option<i32> {
        let mut record = [0_u8; mem::size_of::<libc::signalfd_siginfo>()];
        loop {
            match nix::unistd::read(&self.descriptor, &mut record) {
                // The number is the first field.
                Ok(count) if count == record.len() => {
                    let [a, b, c, d, ..] = record;
                    return i32::try_from(u32::from_ne_bytes([a, b, c, d])).ok();
                }
                Err(Errno::EINTR) => {}
                _ => return None,
            }
        }
    }

    /// Waits until a signal arrives, at most for `longest`, and forgets all that have.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn wait(&self, longest: Duration) -> io::Result<()> {
        self.poll(Some(longest))?;
        while self.next().is_some() {}
        Ok(())
    }

    /// Waits until a signal has arrived; without `longest`, however long that takes.
    ///
    /// # Errors
    /// Those of `poll`.
    pub fn poll(&self, longest: Option<Duration>) -> io::Result<()> {
        // Rounded up: a wait of less than a millisecond must not become a busy loop.
        let timeout = longest.map_or(PollTimeout::NONE, |longest| {
            PollTimeout::try_from(longest.as_millis() + 1).unwrap_or(PollTimeout::MAX)
        });
        match poll(&mut [PollFd::new(self.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}
