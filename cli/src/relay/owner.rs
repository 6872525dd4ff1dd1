//! Which process is the relay: whoever holds the lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use tokio::net::UnixListener;

use super::place::Place;

/// How often, and how long apart, the lock is tried until it counts as held by another relay.
const LOCK_LOOKS: usize = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Ownership of a place, for as long as it lives. The socket goes with it.
#[derive(Debug)]
pub(super) struct Owned {
    place: Place,
    /// Locked.
    _lock: File,
    /// Device and inode of the socket.
    socket: (u64, u64),
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.holds() {
            // What is left is replaced by the next one.
            let _ = fs::remove_file(self.place.socket());
        }
    }
}

impl Owned {
    /// Whether the socket is still ours: a runtime directory may be cleared under us.
    pub(super) fn holds(&self) -> bool {
        identity(&self.place).is_ok_and(|now| now == self.socket)
    }
}

fn identity(place: &Place) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(place.socket()).map(|found| (found.dev(), found.ino()))
}

/// Takes the place: the lock decides, and what socket lies there is replaced.
///
/// # Errors
/// Another relay that has it, files that cannot be made.
pub(super) fn own(place: &Place) -> Result<(Owned, UnixListener), Failure> {
    place.prepare()?;
    let cannot = |error: &io::Error| {
        Failure::failed(format!("cannot listen on {}", place.socket().display())).because(error)
    };
    let mut lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(place.lock())
        .map_err(|error| cannot(&error))?;
    // Who asks for the holder has it for a moment.
    let is_taken = (0..LOCK_LOOKS).all(|look| {
        if look > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        lock.try_lock().is_err()
    });
    if is_taken {
        let pid = holder(place).map_or_else(String::new, |pid| format!(" (process {pid})"));
        return Err(
            Failure::failed(format!("the relay is running already{pid}")).hint("agentbox relay status")
        );
    }
    let prepared = (|| {
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        match fs::remove_file(place.socket()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(place.socket())?;
        fs::set_permissions(place.socket(), fs::Permissions::from_mode(0o600))?;
        Ok((identity(place)?, listener))
    })();
    let (socket, listener) = prepared.map_err(|error| cannot(&error))?;
    let owned = Owned {
        place: place.clone(),
        _lock: lock,
        socket,
    };
    Ok((owned, listener))
}

/// The process that is the relay: who holds the lock, by what it wrote there.
pub fn holder(place: &Place) -> Option<u32> {
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.lock())
        .ok()?;
    if lock.try_lock().is_ok() {
        return None;
    }
    fs::read_to_string(place.lock()).ok()?.trim().parse().ok()
}
