//! Directories, the lock that says which supervisor owns them, and the socket.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use tokio::net::UnixListener;

use super::Options;
use crate::failure::Failure;

/// Makes the directories that are missing.
pub(super) fn prepare_directories(options: &Options) -> Result<(), Failure> {
    let run = options.socket.parent().map_or_else(PathBuf::new, Path::to_owned);
    for (directory, mode) in [
        (&run, 0o755),
        (&options.log_directory, 0o755),
        (&options.state_directory, 0o755),
        (&options.private(), 0o700),
    ] {
        if directory.as_os_str().is_empty() || directory.is_dir() {
            continue;
        }
        DirBuilder::new().recursive(true).mode(mode).create(directory).map_err(|error| {
            Failure::failed(format!("cannot make the directory {}", directory.display()))
                .because(&error)
                .hint("agentbox-ctl daemon --socket S --log-dir L --state-dir V put these where you may write")
        })?;
    }
    Ok(())
}

/// What a supervisor owns, for as long as it holds this. It goes with the process, however that ends, so a stale one
/// cannot be.
#[derive(Debug)]
pub(super) struct Ownership {
    _socket: Flock<File>,
    _state: Flock<File>,
}

/// Takes the lock of the socket and that of the state directory, whose journal and processes are one supervisor's.
pub(super) fn acquire(options: &Options) -> Result<Ownership, Failure> {
    let mut beside = options.socket.clone().into_os_string();
    beside.push(".lock");
    Ok(Ownership {
        _socket: lock(&PathBuf::from(beside), &options.socket)?,
        _state: lock(
            &options.private().join("supervisor.lock"),
            &options.state_directory,
        )?,
    })
}

fn lock(path: &Path, owned: &Path) -> Result<Flock<File>, Failure> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file =
        file.map_err(|error| Failure::failed(format!("cannot open {}", path.display())).because(&error))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
        if error == nix::errno::Errno::EWOULDBLOCK {
            Failure::failed(format!("another supervisor has {}", owned.display())).hint("agentbox-ctl status")
        } else {
            Failure::failed(format!("cannot lock {}", path.display())).because(&error)
        }
    })
}

/// Listens on the socket, which root and the box user may use. A socket left by a dead supervisor is replaced: the
/// lock says that it is dead.
pub(super) fn listen(options: &Options, box_user: &str) -> Result<UnixListener, Failure> {
    let path = &options.socket;
    remove_socket(options);
    let listener = UnixListener::bind(path)
        .map_err(|error| Failure::failed(format!("cannot listen on {}", path.display())).because(&error))?;
    let restrict = std::fs::set_permissions(path, Permissions::from_mode(0o600));
    let give = || -> std::io::Result<()> {
        if !nix::unistd::geteuid().is_root() || box_user.is_empty() {
            return Ok(());
        }
        // A box user that the image does not know is reported by every unit that would run as it.
        let Ok(user) = crate::process::users::lookup(box_user, Path::new("/")) else {
            return Ok(());
        };
        std::os::unix::fs::chown(path, Some(user.uid), None)
    };
    restrict
        .and_then(|()| give())
        .map_err(|error| Failure::failed(format!("cannot protect {}", path.display())).because(&error))?;
    Ok(listener)
}

/// Removes the socket, if it is there.
pub(super) fn remove_socket(options: &Options) {
    // Its absence is what is wanted.
    let _ = std::fs::remove_file(&options.socket);
}
