//! An engine whose answers a test can hold back: for what happens between two calls.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use crate::engine;
use crate::wait::wait_for;

/// How far a gate is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Waiting,
    Reached,
    Open,
}

/// A socket that leads to the engine, and lets the first request that holds a text wait until the gate is opened.
#[derive(Debug)]
pub struct Gate {
    directory: TempDir,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Gate {
    /// A gate before the first request whose first line holds `text`.
    ///
    /// # Panics
    /// Where the engine is not reached by a socket of this machine, or no socket can be made.
    #[track_caller]
    pub fn before(text: &'static str) -> Self {
        let real = engine::url()
            .strip_prefix("unix://")
            .expect("the engine is on this machine")
            .to_owned();
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let listener = UnixListener::bind(directory.path().join("engine")).expect("a socket can be made");
        let state = Arc::<(Mutex<State>, Condvar)>::default();
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&real) else {
                    return;
                };
                let (from, to) = (clone(&server), clone(&client));
                std::thread::spawn(move || copy(from, to, |_| {}));
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || copy(client, server, |bytes| hold(bytes, text, &shared)));
            }
        });
        Self { directory, state }
    }

    /// What `DOCKER_HOST` has to be.
    pub fn url(&self) -> String {
        let socket: PathBuf = self.directory.path().join("engine");
        format!("unix://{}", socket.display())
    }

    /// Waits until a request stands before the gate.
    ///
    /// # Panics
    /// Where none comes.
    #[track_caller]
    pub fn reached(&self) {
        wait_for(
            "a request before the gate",
            Duration::from_secs(60),
            || match *self.state.0.lock().expect("no holder panicked") {
                State::Reached => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    }

    /// Lets it pass.
    ///
    /// # Panics
    /// Never: nobody panics with the lock.
    pub fn open(&self) {
        *self.state.0.lock().expect("no holder panicked") = State::Open;
        self.state.1.notify_all();
    }
}

fn clone(stream: &UnixStream) -> UnixStream {
    stream.try_clone().expect("a socket can be shared")
}

/// Waits before the gate with a piece of a request that holds its text.
fn hold(bytes: &[u8], text: &str, shared: &(Mutex<State>, Condvar)) {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if !String::from_utf8_lossy(line).contains(text) {
        return;
    }
    let mut state = shared.0.lock().expect("no holder panicked");
    if *state == State::Waiting {
        *state = State::Reached;
    }
    let opened = shared.1.wait_while(state, |state| *state != State::Open);
    drop(opened.expect("no holder panicked"));
}

fn copy(mut from: UnixStream, mut to: UnixStream, before: impl Fn(&[u8])) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        before(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Either side may have gone already.
    let _ = to.shutdown(Shutdown::Write);
}
