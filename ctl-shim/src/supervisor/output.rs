//! What a run writes: from its pipe into the unit's log, and past a `log_match` probe.
//!
//! The reader wakes when there is something to read, and the engine reads what is left when a leader has ended; so
//! a unit's last words are in its log before its end is told.

use std::cell::RefCell;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use tokio::io::unix::AsyncFd;
use tokio::task::spawn_local;

use super::probe::log::Matcher;
use super::shared::Shared;
use crate::logs::pump::Pump;
use crate::logs::writer::LogWriter;

/// Pieces read before others get their turn.
const PIECES_AT_ONCE: usize = 8;
/// Pieces read when a leader has ended: more than a pipe holds.
const PIECES_TO_DRAIN: usize = 64;

/// A unit's log, shared by all its runs.
#[derive(Debug)]
pub(super) struct Log {
    writer: LogWriter,
    name: String,
    lost: u64,
    last_error: Option<io::Error>,
}

impl Log {
    pub(super) fn open(directory: &Path, name: &str) -> io::Result<Self> {
        let writer = LogWriter::open(directory, name)?;
        Ok(Self {
            writer,
            name: name.to_owned(),
            lost: 0,
            last_error: None,
        })
    }

    /// Output that could not be kept, for `status`.
    pub(super) fn error(&self) -> Option<String> {
        let error = self.last_error.as_ref()?;
        Some(format!("log of {}: {} bytes lost: {error}", self.name, self.lost))
    }

    /// Writes; a disk that is full costs output, never the unit's progress.
    fn append(&mut self, bytes: &[u8]) {
        if let Err(error) = self.writer.append(bytes, crate::time::Timestamp::now()) {
            self.lost += bytes.len() as u64;
            self.last_error = Some(error);
        }
    }
}

/// The output of one run. The reader goes on after this is dropped, until the last process that holds the other end
/// has closed it: what a task leaves behind may still have something to say.
#[derive(Debug)]
pub(super) struct Output {
    state: Rc<State>,
}

struct State {
    pump: RefCell<Pump>,
    log: Rc<RefCell<Log>>,
    watch: RefCell<Option<Watch>>,
    shared: Rc<Shared>,
}

struct Watch {
    matcher: Matcher,
    passed: Box<dyn FnOnce()>,
}

impl Output {
    /// Makes a pipe; the returned end is for the process.
    pub(super) fn open(log: Rc<RefCell<Log>>, shared: Rc<Shared>) -> io::Result<(Self, OwnedFd)> {
        let (pump, writer) = Pump::open()?;
        let state = State {
            pump: RefCell::new(pump),
            log,
            watch: RefCell::new(None),
            shared,
        };
        Ok((
            Self {
                state: Rc::new(state),
            },
            writer,
        ))
    }

    /// Begins reading, once the process has its end.
    pub(super) fn begin(&self) {
        let state = Rc::clone(&self.state);
        // Without a descriptor to wait on, the output is read when the leader ends.
        let Ok(descriptor) = state.pump.borrow().descriptor().try_clone_to_owned() else {
            return;
        };
        // SAFETY: the descriptor is owned by the value that is registered and is closed with it only.
        #[expect(
            unsafe_code,
            reason = "readiness of a descriptor that others read is not for tokio's own pipes"
        )]
        let Ok(readable) = (unsafe { AsyncFd::register(descriptor) }) else {
            return;
        };
        spawn_local(async move {
            loop {
                let Ok(mut ready) = readable.readable().await else {
                    return;
                };
                match state.read(PIECES_AT_ONCE) {
                    Ok(Progress::Ended) | Err(_) => return,
                    Ok(Progress::Empty) => ready.clear_ready(),
                    // There may be more; others get their turn first.
                    Ok(Progress::More) => drop(ready),
                }
                tokio::task::yield_now().await;
            }
        });
    }

    /// Reads what is there now. A process that goes on writing cannot hold this up for ever.
    pub(super) fn drain(&self) {
        // What cannot be read is lost with or without a message; the reader task meets the same error.
        let _ = self.state.read(PIECES_TO_DRAIN);
    }

    /// Looks for a match in what comes from now on; `passed` is called once.
    pub(super) fn watch(&self, matcher: Matcher, passed: Box<dyn FnOnce()>) {
        *self.state.watch.borrow_mut() = Some(Watch { matcher, passed });
    }

    /// Stops looking.
    pub(super) fn unwatch(&self) {
        self.state.watch.borrow_mut().take();
    }
}

impl State {
    fn read(&self, pieces: usize) -> io::Result<Progress> {
        let mut pump = self.pump.borrow_mut();
        let mut progress = Progress::More;
        let mut grown = false;
        for _ in 0..pieces {
            let pumped = pump.pump(&mut |bytes| {
                grown = true;
                self.log.borrow_mut().append(bytes);
                self.look_at(bytes);
            })?;
            if pumped.eof {
                progress = Progress::Ended;
                break;
            }
            if pumped.would_block {
                progress = Progress::Empty;
                break;
            }
        }
        if grown {
            self.shared.log_grown.notify_waiters();
        }
        Ok(progress)
    }

    fn look_at(&self, bytes: &[u8]) {
        let mut watch = self.watch.borrow_mut();
        if watch.as_mut().is_some_and(|watch| watch.matcher.feed(bytes))
            && let Some(watch) = watch.take()
        {
            (watch.passed)();
        }
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("State")
            .field("pump", &self.pump)
            .finish_non_exhaustive()
    }
}

enum Progress {
    /// Nothing more for now.
    Empty,
    /// There may be more.
    More,
    /// Every writer has gone.
    Ended,
}
