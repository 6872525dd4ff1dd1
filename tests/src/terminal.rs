//! A pseudo-terminal with a program in it, typed at as a person would.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::screen;
use crate::wait::wait_for;

/// How long a program may take to show what a test expects of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal of its own. Dropping it kills its session.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    /// The side the program has: keeps the terminal, and its settings, when the program has gone.
    line: OwnedFd,
    screen: Arc<Mutex<Vec<u8>>>,
    seen: usize,
    finished: bool,
}

impl Terminal {
    /// Starts a program with a terminal of 110 by 40 as its three standard streams, leading a session of its own
    /// by way of util-linux's `setsid`.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[track_caller]
    pub fn spawn(command: &Command) -> Self {
        let size = Winsize {
            ws_row: 40,
            ws_col: 110,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(&size, None).expect("a pseudo-terminal can be had");
        let stream = || Stdio::from(slave.try_clone().expect("a descriptor can be copied"));
        let mut session = Command::new("setsid");
        session
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("TERM", "xterm")
            .stdin(stream())
            .stdout(stream())
            .stderr(stream());
        if let Some(directory) = command.get_current_dir() {
            session.current_dir(directory);
        }
        let child = session.spawn().expect("setsid can be started");
        let master = File::from(master);
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let (mut reader, into) = (
            master.try_clone().expect("a descriptor can be copied"),
            Arc::clone(&screen),
        );
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                into.lock()
                    .expect("no reader panicked")
                    .extend_from_slice(&buffer[..length]);
            }
        });
        Self {
            child,
            keyboard: master,
            line: slave,
            screen,
            seen: 0,
            finished: false,
        }
    }

    /// Everything that was shown, escape sequences included.
    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().expect("no reader panicked")).into_owned()
    }

    /// The screen as it is now, line by line; for a program that draws on all of it.
    pub fn screen(&self) -> String {
        screen::lines(&self.shown()).join("\n")
    }

    /// Waits until `text` is on the screen, for a program that draws on all of it.
    ///
    /// # Panics
    /// Where it does not come.
    #[track_caller]
    pub fn expect_on_screen(&self, text: &str) {
        wait_for(&format!("{text:?} on the screen"), PATIENCE, || {
            let screen = self.screen();
            if screen.contains(text) {
                Ok(())
            } else {
                Err(screen)
            }
        });
    }

    /// Waits until `text` is shown, after whatever was waited for before.
    ///
    /// # Panics
    /// Where it does not come.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let from = self.seen;
        self.seen = wait_for(&format!("{text:?} on the terminal"), PATIENCE, || {
            let shown = self.screen.lock().expect("no reader panicked").clone();
            let found = shown[from..]
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            found
                .map(|at| from + at + text.len())
                .ok_or_else(|| String::from_utf8_lossy(&shown).into_owned())
        });
    }

    /// Types keys.
    ///
    /// # Panics
    /// Where the terminal is gone.
    #[track_caller]
    pub fn press(&mut self, keys: &str) {
        self.keyboard
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// Waits until the program reads single keys, as a prompt does: what is typed before that is echoed as a line is.
    ///
    /// # Panics
    /// Where it never does.
    #[track_caller]
    pub fn expect_prompt(&self) {
        wait_for("a prompt that reads keys", PATIENCE, || {
            if self.echoes() { Err(self.shown()) } else { Ok(()) }
        });
    }

    /// Whether the terminal shows what is typed and hands it over by lines: what a shell's user expects.
    ///
    /// # Panics
    /// Where its settings cannot be read.
    #[track_caller]
    pub fn echoes(&self) -> bool {
        let settings = tcgetattr(&self.line).expect("a terminal has settings");
        settings
            .local_flags
            .contains(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG)
    }

    /// Whether the cursor was shown again after it was last hidden.
    pub fn shows_cursor(&self) -> bool {
        let shown = self.shown();
        match (shown.rfind("\u{1b}[?25l"), shown.rfind("\u{1b}[?25h")) {
            (None, _) => true,
            (Some(hidden), Some(back)) => back > hidden,
            (Some(_), None) => false,
        }
    }

    /// Sends a signal to the program alone.
    pub fn signal(&self, signal: Signal) {
        // setsid has become the program. One that is gone already has nothing to be told.
        let _ = kill(self.pid(), signal);
    }

    /// Process id of the program.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Waits for the end, and gives its exit code; 128 and more where a signal ended it.
    ///
    /// # Panics
    /// Where it does not end.
    #[track_caller]
    pub fn finish(&mut self) -> i32 {
        let status = wait_for("the end of the program", PATIENCE, || {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => Ok(status),
                None => Err(self.shown()),
            }
        });
        self.finished = true;
        status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
    }

    /// As [`Self::finish`], for a program that has to leave the terminal as it was; gives what was shown, too.
    ///
    /// # Panics
    /// Where it does not end, or left the terminal without echo, lines, signals or cursor.
    #[track_caller]
    pub fn finish_sane(&mut self) -> (i32, String) {
        let code = self.finish();
        // The last of what it wrote may still be on its way to us.
        wait_for("the terminal as it was", PATIENCE, || {
            match self.echoes() && self.shows_cursor() {
                true => Ok(()),
                false => Err(format!(
                    "echo: {}, cursor: {}, {:?}",
                    self.echoes(),
                    self.shows_cursor(),
                    self.shown()
                )),
            }
        });
        let shown = self.shown();
        (code, shown)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.finished {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}
