//! The person's terminal: its size, and raw mode that is always undone.

use std::io::{self, IsTerminal};

use agentbox_ctl::failure::Failure;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// Size of a terminal in character cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
}

/// The size of the terminal on stdout, else on stdin, else the customary 80 by 24.
pub fn size() -> Size {
    let known = tcgetwinsize(io::stdout())
        .or_else(|_| tcgetwinsize(io::stdin()))
        .ok()
        .filter(|size| size.ws_col > 0 && size.ws_row > 0);
    match known {
        Some(size) => Size {
            columns: size.ws_col,
            rows: size.ws_row,
        },
        None => Size {
            columns: 80,
            rows: 24,
        },
    }
}

/// Raw mode on stdin's terminal. Undone on drop, so on every way out: return, failure, panic.
#[derive(Debug)]
pub struct RawMode {
    before: Termios,
    raw: Termios,
}

impl RawMode {
    /// Enters raw mode.
    ///
    /// # Errors
    /// A stdin that is no terminal, or one that refuses.
    pub fn enter() -> Result<Self, Failure> {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage("the input device is not a terminal").hint("leave out -t"));
        }
        let before = tcgetattr(io::stdin()).map_err(|error| cannot("read the terminal's settings", error))?;
        let mut raw = before.clone();
        raw.make_raw();
        let mode = Self { before, raw };
        mode.resume()?;
        Ok(mode)
    }

    /// Puts the terminal back as it was, for a while: before the process stops itself.
    pub fn suspend(&self) {
        // A terminal that is gone needs no restoring. Output is drained first, so nothing is shown in the wrong mode.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }

    /// Puts the terminal back as it was, from wherever a panic is told.
    pub fn restorer(&self) -> impl Fn() + Send + Sync + 'static {
        let before = self.before.clone();
        move || {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &before);
        }
    }

    /// Raw again.
    ///
    /// # Errors
    /// A terminal that refuses.
    pub fn resume(&self) -> Result<(), Failure> {
        tcsetattr(io::stdin(), OptionalActions::Drain, &self.raw)
            .map_err(|error| cannot("switch the terminal to raw mode", error))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.suspend();
    }
}

/// Stops this process as the shell's job control would; returns when it is continued.
pub fn stop_self() {
    // Sending ourselves a signal cannot fail for want of permission, and without it we merely go on.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

fn cannot(what: &str, error: rustix::io::Errno) -> Failure {
    Failure::failed(format!("cannot {what}")).because(&io::Error::from(error))
}
