//! The pseudo-terminal of a session.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::libc;
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{InputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Uid, fchown};

/// Our side of a terminal. Closing it hangs the terminal up.
#[derive(Debug)]
pub(super) struct Terminal(OwnedFd);

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Terminal {
    /// Our side, and the user's side for the command, which belongs to `uid` where we may give it away.
    pub(super) fn open(columns: u16, rows: u16, uid: u32) -> io::Result<(Self, OwnedFd)> {
        let OpenptyResult { master, slave } = openpty(Some(&size(columns, rows)), None)?;
        // Programs open their terminal by name too: tmux, gpg. Only root can give it to them.
        let _ = fchown(&slave, Some(Uid::from_raw(uid)), None);
        let mut settings = tcgetattr(&slave)?;
        // Erasing a character in line mode has to take all of its bytes.
        settings.input_flags |= InputFlags::IUTF8;
        tcsetattr(&slave, SetArg::TCSANOW, &settings)?;
        Ok((Self(master), slave))
    }

    /// Changes the size; the kernel tells the foreground programs.
    pub(super) fn resize(&self, columns: u16, rows: u16) {
        let size = size(columns, rows);
        // SAFETY: the request takes a pointer to a size, which outlives the call.
        #[expect(unsafe_code, reason = "no safe wrapper for this request")]
        // It fails only for what is no terminal.
        unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::TIOCSWINSZ, &raw const size);
        }
    }

    /// The process group in the foreground.
    pub(super) fn foreground(&self) -> Option<u32> {
        let mut group: libc::pid_t = 0;
        // SAFETY: the request writes a pid to the pointer, which outlives the call.
        #[expect(
            unsafe_code,
            reason = "tcgetpgrp refuses our side of the terminal in some libraries"
        )]
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::TIOCGPGRP, &raw mut group) };
        u32::try_from(group)
            .ok()
            .filter(|group| result == 0 && *group > 0)
    }
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
