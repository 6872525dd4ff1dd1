//! Collecting exit statuses.
//!
//! Whoever calls [`next`] takes the status of any child of this process, orphans that a subreaper adopted
//! included; nothing else in the process may wait for children.

use std::io;

use nix::errno::Errno;
use nix::libc;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Exit code 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }

    /// The code a shell would report: the exit code, or 128 and the signal's number.
    pub const fn shell_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// A child that has ended and is gone now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaped {
    /// Its process id, free to be used again.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

/// Collects one child that has ended, without waiting; `None` when there is none. Call until `None` after each SIGCHLD.
pub fn next() -> Option<Reaped> {
    let mut status = 0;
    loop {
        // SAFETY: `status` outlives the call, which writes to it only.
        #[expect(
            unsafe_code,
            reason = "nix decodes a status into types that fail on realtime signals"
        )]
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            -1 if Errno::last() == Errno::EINTR => {}
            -1 | 0 => return None,
            pid => {
                let exit = if libc::WIFSIGNALED(status) {
                    Exit::Signal(libc::WTERMSIG(status))
                } else {
                    Exit::Code(libc::WEXITSTATUS(status))
                };
                return Some(Reaped {
                    pid: pid.unsigned_abs(),
                    exit,
                });
            }
        }
    }
}

/// Makes this process the one that orphaned descendants become children of.
///
/// # Errors
/// Those of `prctl`: kernels before 3.4.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: this option takes one integer and touches no memory of ours.
    #[expect(
        unsafe_code,
        reason = "nix wraps this call only with a feature that nothing else needs"
    )]
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
