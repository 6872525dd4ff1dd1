//! A command on a pseudo-terminal, answered as a person would.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};

use crate::wait::wait_for;

/// A command whose stdin, stdout and stderr are one terminal, which is its controlling one.
#[derive(Debug)]
pub struct OnTerminal {
    child: Child,
    keyboard: File,
    terminal: File,
    before: Termios,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl OnTerminal {
    /// Starts a command on a new terminal.
    ///
    /// # Panics
    /// Where no terminal can be made, or the command not started.
    #[track_caller]
    pub fn start(command: &Command) -> Self {
        let pair = openpty(None, None).expect("a pseudo-terminal can be made");
        let (keyboard, terminal) = (File::from(pair.master), File::from(pair.slave));
        // `setsid` makes the terminal the controlling one, so that Ctrl-C is a signal, and then is the command.
        let mut wrapped = Command::new("setsid");
        wrapped
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                wrapped.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            wrapped.current_dir(directory);
        }
        let stream = || terminal.try_clone().expect("the terminal can be shared");
        wrapped.stdin(stream()).stdout(stream()).stderr(stream());
        let before = tcgetattr(&terminal).expect("the terminal has settings");
        let child = wrapped.spawn().expect("the command can be started");
        drop(wrapped);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, seen) = (
            keyboard.try_clone().expect("the terminal can be shared"),
            Arc::clone(&screen),
        );
        // Ends with the process at the latest: the test holds the terminal open to look at its settings.
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                seen.lock()
                    .expect("no reader panicked")
                    .extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            child,
            keyboard,
            terminal,
            before,
            screen,
        }
    }

    /// Everything shown so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no reader panicked")).into_owned()
    }

    /// Waits until a text is shown.
    ///
    /// # Panics
    /// After `limit`.
    #[track_caller]
    pub fn expect(&self, text: &str, limit: Duration) {
        wait_for(&format!("{text:?} on the terminal"), limit, || {
            let screen = self.screen();
            if screen.contains(text) {
                Ok(())
            } else {
                Err(screen)
            }
        });
    }

    /// Types.
    ///
    /// # Panics
    /// Where the terminal is gone.
    #[track_caller]
    pub fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Waits for the command's end: its exit code, or 128 plus the number of the signal that ended it, and everything
    /// that was shown.
    ///
    /// # Panics
    /// After `limit`, and where the terminal is not as it was: echo, lines and signals on, the cursor shown.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> (i32, String) {
        let status = wait_for("the end of the command", limit, || {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => Ok(status),
                None => Err(self.screen()),
            }
        });
        let after = tcgetattr(&self.terminal).expect("the terminal has settings");
        let flags = LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG;
        assert_eq!(
            after.local_flags & flags,
            self.before.local_flags & flags,
            "the terminal is not as it was"
        );
        let screen = self.screen();
        let hidden = screen.rfind("\u{1b}[?25l");
        let shown = screen.rfind("\u{1b}[?25h");
        assert!(hidden <= shown, "the cursor is hidden: {screen:?}");
        let code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
        (code, screen)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // A command that has ended has nothing to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
