//! The loop of a session: frames in, bytes through, until the command exits or the client is gone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ending;
use super::input::Pending;
use super::terminal::Terminal;
use crate::process::reap::{self, Exit};
use crate::process::signals::Arrivals;
use crate::process::tree::UnitHandle;
use crate::protocol::session::{Decoder, SessionFrame};

/// What a session listens to: its children, and whoever wants it to end.
pub(super) const SIGNALS: [i32; 5] = [
    libc::SIGCHLD,
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGQUIT,
];

/// Bytes read at once.
const BUFFER: usize = 64 * 1024;
/// How long what a command has written to its terminal may take on its way out after it has exited.
const DRAIN: Duration = Duration::from_secs(5);
/// Milliseconds between two looks whether a terminal that nobody had open is open again.
const REOPENED: u8 = 100;
/// `^D`: the end of input, for what reads a terminal line by line.
const END_OF_TRANSMISSION: u8 = 4;

/// What the command reads from, and writes to where that is a terminal.
pub(super) enum Ends {
    /// The write end of its stdin. Its output goes out without us.
    Pipe(OwnedFd),
    /// Our side of its terminal.
    Terminal(Terminal),
}

struct Relay<'a> {
    unit: &'a UnitHandle,
    /// `None` once the command's stdin is closed.
    pipe: Option<OwnedFd>,
    terminal: Option<Terminal>,
    decoder: Decoder,
    input: Pending,
    /// Close the command's stdin once all is written.
    input_ended: bool,
    output: Pending,
    /// Nobody has the terminal open just now; asking the kernel to wait for it would return at once, for ever.
    hung_up: bool,
    client_gone: bool,
    exit: Option<Exit>,
}

/// Runs until the command has exited, or, its client gone, its tree has been ended. Returns the exit code.
pub(super) fn relay(unit: &UnitHandle, ends: Ends, arrivals: &Arrivals) -> io::Result<u8> {
    let mut relay = Relay {
        unit,
        pipe: None,
        terminal: None,
        decoder: Decoder::default(),
        input: Pending::default(),
        input_ended: false,
        output: Pending::default(),
        hung_up: false,
        client_gone: false,
        exit: None,
    };
    match ends {
        Ends::Pipe(pipe) => {
            set_nonblocking(&pipe)?;
            relay.pipe = Some(pipe);
        }
        Ends::Terminal(terminal) => {
            set_nonblocking(&terminal)?;
            // Ours alone: the command has the terminal. A client that does not read must not hold up its signals.
            set_nonblocking(&io::stdout())?;
            relay.terminal = Some(terminal);
        }
    }
    let mut buffer = vec![0; BUFFER];
    while relay.exit.is_none() && !relay.client_gone {
        relay.step(arrivals, &mut buffer)?;
    }
    let exit = match relay.exit {
        Some(exit) => {
            relay.drain_terminal(&mut buffer)?;
            exit
        }
        None => ending::end(unit, arrivals)?.unwrap_or(Exit::Signal(libc::SIGHUP)),
    };
    Ok(u8::try_from(exit.shell_code()).unwrap_or(u8::MAX))
}

fn set_nonblocking(descriptor: &impl AsFd) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Reads once; `None` for "not now".
fn read(source: impl AsFd, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match nix::unistd::read(source, buffer) {
        Ok(count) => Ok(Some(count)),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
        // A terminal that nobody has open any more.
        Err(Errno::EIO) => Ok(Some(0)),
        Err(error) => Err(error.into()),
    }
}

impl Relay<'_> {
    /// Waits for the next thing to happen and handles it.
    fn step(&mut self, arrivals: &Arrivals, buffer: &mut [u8]) -> io::Result<()> {
        let stdin = io::stdin();
        let stdout = io::stdout();
        let wanted = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        // The end of the client shows even where nothing is asked for: POLLHUP always comes.
        let mut set = vec![
            PollFd::new(arrivals.as_fd(), PollFlags::POLLIN),
            PollFd::new(stdin.as_fd(), wanted(!self.input.is_full(), PollFlags::POLLIN)),
        ];
        if let Some(pipe) = &self.pipe {
            set.push(PollFd::new(
                pipe.as_fd(),
                wanted(!self.input.is_empty(), PollFlags::POLLOUT),
            ));
        } else if let Some(terminal) = &self.terminal {
            let flags = wanted(!self.input.is_empty(), PollFlags::POLLOUT)
                | wanted(self.output.is_empty(), PollFlags::POLLIN);
            if !flags.is_empty() && !self.hung_up {
                set.push(PollFd::new(terminal.as_fd(), flags));
            }
            if !self.output.is_empty() {
                set.push(PollFd::new(stdout.as_fd(), PollFlags::POLLOUT));
            }
        }
        let timeout = if self.hung_up {
            PollTimeout::from(REOPENED)
        } else {
            PollTimeout::NONE
        };
        match poll(&mut set, timeout) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let client = set[1].revents().unwrap_or(PollFlags::empty());
        // A pipe that only the reader's end of is closed reports an error at all times: no reason to spin.
        let pipe_broken = self.pipe.is_some()
            && set
                .get(2)
                .and_then(PollFd::revents)
                .is_some_and(|flags| flags.contains(PollFlags::POLLERR));
        drop(set);

        self.take_signals(arrivals);
        if pipe_broken {
            self.close_input();
        }
        if client.contains(PollFlags::POLLIN) && !self.input.is_full() {
            self.read_frames(stdin.as_fd(), buffer)?;
        } else if client.intersects(PollFlags::POLLHUP | PollFlags::POLLERR | PollFlags::POLLNVAL) {
            self.client_gone = true;
        }
        self.move_input();
        self.move_output(buffer)
    }

    fn take_signals(&mut self, arrivals: &Arrivals) {
        while let Some(signal) = arrivals.next() {
            if signal == libc::SIGCHLD {
                continue;
            }
            // Whoever ends the session wants the command ended.
            self.client_gone = true;
        }
        while let Some(reaped) = reap::next() {
            if reaped.pid == self.unit.leader() {
                self.exit = Some(reaped.exit);
            }
        }
    }

    fn read_frames(&mut self, stdin: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<()> {
        let count = match read(stdin, buffer)? {
            Some(0) => {
                self.client_gone = true;
                return Ok(());
            }
            Some(count) => count,
            None => return Ok(()),
        };
        let mut bytes = &buffer[..count];
        loop {
            let frame = self.decoder.next(&mut bytes);
            match frame.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))? {
                Some(SessionFrame::Input(input)) => {
                    if !self.input_ended && (self.pipe.is_some() || self.terminal.is_some()) {
                        self.input.push(input);
                    }
                }
                Some(SessionFrame::InputEnd) => {
                    if self.terminal.is_some() && !self.input_ended {
                        self.input.push(&[END_OF_TRANSMISSION]);
                    }
                    self.input_ended = true;
                }
                Some(SessionFrame::Signal(signal)) => self.signal(i32::from(signal)),
                Some(SessionFrame::Resize { columns, rows }) => {
                    if let Some(terminal) = &self.terminal {
                        terminal.resize(columns, rows);
                    }
                }
                None => return Ok(()),
            }
        }
    }

    /// To those a terminal would signal: the foreground group, else the command's own.
    fn signal(&self, signal: i32) {
        let group = self
            .terminal
            .as_ref()
            .and_then(Terminal::foreground)
            .unwrap_or(self.unit.leader());
        if let Ok(group) = libc::pid_t::try_from(group) {
            // SAFETY: plain integers; the group is that of our unreaped child or of its terminal's foreground.
            #[expect(unsafe_code, reason = "nix's signal type leaves out realtime signals")]
            // The group may be gone: then its leader's exit is about to be seen.
            unsafe {
                libc::kill(-group, signal);
            }
        }
    }

    fn close_input(&mut self) {
        self.pipe = None;
        self.input.clear();
    }

    fn move_input(&mut self) {
        let written = match (&self.pipe, &self.terminal) {
            (Some(pipe), _) => self.input.write_to(pipe),
            (None, Some(terminal)) => self.input.write_to(terminal),
            (None, None) => Ok(()),
        };
        // A command that has closed its stdin wants no more; it goes on all the same.
        let done = written.is_err() || (self.input_ended && self.input.is_empty());
        if done && self.terminal.is_none() {
            self.close_input();
        } else if written.is_err() {
            self.input.clear();
        }
    }

    /// From the terminal to our stdout; at most one buffer is under way.
    fn move_output(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let Some(terminal) = &self.terminal else {
            return Ok(());
        };
        if self.output.is_empty() {
            let count = read(terminal, buffer)?;
            self.hung_up = count == Some(0);
            let count = count.unwrap_or(0);
            self.output.push(&buffer[..count]);
        }
        if self.output.write_to(&io::stdout()).is_err() {
            self.client_gone = true;
        }
        Ok(())
    }

    /// After the command's exit: what it wrote last.
    fn drain_terminal(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let deadline = Instant::now() + DRAIN;
        while self.terminal.is_some() && !self.client_gone && Instant::now() < deadline {
            self.move_output(buffer)?;
            if !self.output.is_empty() {
                let stdout = io::stdout();
                let mut set = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
                // A signal cuts the wait short and the loop goes on.
                let _ = poll(&mut set, PollTimeout::from(100_u8));
                continue;
            }
            let Some(terminal) = &self.terminal else { break };
            let mut set = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut set, PollTimeout::ZERO).unwrap_or(0) > 0;
            let readable = set[0]
                .revents()
                .is_some_and(|flags| flags.contains(PollFlags::POLLIN));
            if !(ready && readable) {
                break;
            }
        }
        Ok(())
    }
}
