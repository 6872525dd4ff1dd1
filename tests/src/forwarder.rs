//! A TCP port that leads to the engine, and that a test can cut and stall: an engine elsewhere, over a bad network.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::engine;

/// What all connections share.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_stalled: bool,
    is_down: bool,
    /// Connections taken so far, and how many of those pass nothing on any more.
    taken: usize,
    frozen: usize,
    open: Vec<(TcpStream, UnixStream)>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A port of the loopback whose connections lead to the engine under test.
#[derive(Debug)]
pub struct Forwarder {
    port: u16,
    shared: Arc<Shared>,
}

impl Forwarder {
    /// One to the engine under test.
    ///
    /// # Panics
    /// Where that is not reached by a socket of this machine, or no port can be had.
    #[track_caller]
    pub fn to_engine() -> Self {
        let engine = engine::url()
            .strip_prefix("unix://")
            .expect("the engine is on this machine")
            .to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let port = listener.local_addr().expect("it has an address").port();
        let shared = Arc::<Shared>::default();
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = UnixStream::connect(&engine) else {
                    return;
                };
                let both = (client.try_clone(), server.try_clone());
                let (Ok(from), Ok(to)) = both else { return };
                let number = {
                    let mut state = all.lock();
                    if state.is_down {
                        // Dropped, it is closed.
                        continue;
                    }
                    let kept = (client.try_clone(), server.try_clone());
                    if let (Ok(client), Ok(server)) = kept {
                        state.open.push((client, server));
                    }
                    state.taken += 1;
                    state.taken
                };
                let shared = Arc::clone(&all);
                thread::spawn(move || {
                    copy(from, server, &shared, number, |server| {
                        drop(server.shutdown(Shutdown::Write))
                    })
                });
                let shared = Arc::clone(&all);
                thread::spawn(move || {
                    copy(to, client, &shared, number, |client| {
                        drop(client.shutdown(Shutdown::Write))
                    })
                });
            }
        });
        Self { port, shared }
    }

    /// What `DOCKER_HOST` has to be.
    pub fn url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Breaks all connections; how many there were.
    pub fn cut(&self) -> usize {
        let open = std::mem::take(&mut self.shared.lock().open);
        for (client, server) in &open {
            // Either side may have gone already.
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
        open.len()
    }

    /// Passes nothing on, or goes on with it, of connections old and new.
    pub fn stall(&self, is_stalled: bool) {
        self.shared.lock().is_stalled = is_stalled;
        self.shared.changed.notify_all();
    }

    /// Passes nothing on any more of the connections that there are: as a network that forgot them.
    pub fn freeze(&self) {
        let mut state = self.shared.lock();
        state.frozen = state.taken;
    }

    /// Closes new connections at once, or takes them again.
    pub fn set_down(&self, is_down: bool) {
        self.shared.lock().is_down = is_down;
    }
}

fn copy<W: Write>(mut from: impl Read, mut to: W, shared: &Shared, number: usize, end: impl Fn(&W)) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let stalled = shared
            .changed
            .wait_while(shared.lock(), |state| state.is_stalled || number <= state.frozen);
        drop(stalled);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    end(&to);
}
