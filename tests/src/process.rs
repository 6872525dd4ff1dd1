//! Host processes with captured output and a deadline.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::wait::wait_for;

/// How long a command may take that a test does not expect to be slow.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a process did.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code, or 128 plus the number of the signal that ended it.
    pub code: i32,
    /// Standard output, byte for byte.
    pub bytes: Vec<u8>,
    /// Standard output as text.
    pub stdout: String,
    /// Standard error as text.
    pub stderr: String,
    /// Wall-clock time from spawn to exit.
    pub elapsed: Duration,
    /// The command line, for messages.
    pub command: String,
}

impl Output {
    /// Passes on an output whose exit code is `code`.
    ///
    /// # Panics
    /// With everything the process said, where it is another one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Passes on an output with exit code 0.
    ///
    /// # Panics
    /// With everything the process said, where it is another one.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.expect_code(0)
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// Where it is none.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}) from {self}"))
    }

    /// Passes on an output whose stderr has all these texts.
    ///
    /// # Panics
    /// Where one is missing.
    #[track_caller]
    pub fn complains(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stderr.contains(text), "stderr lacks {text:?}: {self}");
        }
        self
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A test that pushes a gigabyte through must not print it when it fails.
        let clip = |text: &str| text.chars().take(4000).collect::<String>();
        write!(
            formatter,
            "`{}` (code {}, {:?})\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.code,
            self.elapsed,
            clip(&self.stdout),
            clip(&self.stderr)
        )
    }
}

/// A process under way, in a process group of its own. Dropping it kills the group.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
    started: Instant,
    command: String,
    finished: bool,
}

impl Running {
    /// Starts a command with pipes on all three standard streams.
    ///
    /// # Panics
    /// Where it cannot be started.
    #[track_caller]
    pub fn spawn(mut command: Command) -> Self {
        let shown = std::iter::once(command.get_program())
            .chain(command.get_args())
            .map(|word| word.to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join(" ");
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let started = Instant::now();
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{shown}`: {error}"));
        let stdin = child.stdin.take();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take(), &stdout),
            collect(child.stderr.take(), &stderr),
        ];
        Self {
            child,
            stdin,
            stdout,
            stderr,
            readers,
            started,
            command: shown,
            finished: false,
        }
    }

    /// Process id, which is the id of its group too.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Writes to its standard input.
    ///
    /// # Panics
    /// Where the process no longer reads.
    #[track_caller]
    pub fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("stdin is still open");
        stdin.write_all(bytes).expect("the process reads its stdin");
        stdin.flush().expect("the process reads its stdin");
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends a signal to the process alone.
    pub fn signal(&self, signal: Signal) {
        // A process that is gone already has nothing to be told.
        let _ = kill(self.pid(), signal);
    }

    /// Standard output so far.
    pub fn stdout(&self) -> String {
        text(&self.stdout)
    }

    /// Standard error so far.
    pub fn stderr(&self) -> String {
        text(&self.stderr)
    }

    /// Waits until standard output contains `expected`.
    ///
    /// # Panics
    /// After `limit`.
    #[track_caller]
    pub fn expect_stdout(&self, expected: &str, limit: Duration) {
        wait_for(&format!("{expected:?} from `{}`", self.command), limit, || {
            let (stdout, stderr) = (self.stdout(), self.stderr());
            if stdout.contains(expected) {
                return Ok(());
            }
            Err(format!("stdout {stdout:?}, stderr {stderr:?}"))
        });
    }

    /// Whether it has exited.
    pub fn exited(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("the child can be waited for")
            .is_some()
    }

    /// Ends its standard input and waits for its end.
    ///
    /// # Panics
    /// After `limit`; the process is killed then.
    #[track_caller]
    pub fn finish(mut self, limit: Duration) -> Output {
        self.stdin = None;
        let status = wait_for(&format!("the end of `{}`", self.command), limit, || {
            match self.child.try_wait().expect("the child can be waited for") {
                Some(status) => Ok(status),
                None => Err(format!("stdout {:?}, stderr {:?}", self.stdout(), self.stderr())),
            }
        });
        self.finished = true;
        let elapsed = self.started.elapsed();
        for reader in self.readers.drain(..) {
            reader.join().expect("the reader does not panic");
        }
        let bytes = std::mem::take(&mut *self.stdout.lock().expect("no reader panicked"));
        Output {
            code: status
                .code()
                .unwrap_or_else(|| 128 + status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&bytes).into_owned(),
            bytes,
            stderr: self.stderr(),
            elapsed,
            command: self.command.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            let _ = killpg(self.pid(), Signal::SIGKILL);
            let _ = self.child.wait();
        }
    }
}

/// Runs a command to its end with nothing on its standard input.
///
/// # Panics
/// Where it cannot be started or takes longer than `limit`.
#[track_caller]
pub fn run(command: Command, limit: Duration) -> Output {
    Running::spawn(command).finish(limit)
}

fn collect(stream: Option<impl Read + Send + 'static>, into: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let into = Arc::clone(into);
    let mut stream = stream.expect("the stream is a pipe");
    std::thread::spawn(move || {
        let mut buffer = [0; 65536];
        // An error ends the stream as its end does: what was read so far is what there is.
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            into.lock()
                .expect("no reader panicked")
                .extend_from_slice(&buffer[..length]);
        }
    })
}

fn text(buffer: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&buffer.lock().expect("no reader panicked")).into_owned()
}
