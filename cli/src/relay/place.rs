//! Where the relay's files are.
//!
//! The socket and its lock lie in the runtime directory, which belongs to one user alone; the log and the stored events in the
//! state directory, which outlives a reboot.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use directories::ProjectDirs;

/// Longest path of a unix socket that every system takes, in bytes.
const LONGEST_SOCKET: usize = 103;

/// The directories of one user's relay. Nothing is made before [`Place::prepare`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    runtime: PathBuf,
    state: PathBuf,
}

impl Place {
    /// The place that the environment gives: `$XDG_RUNTIME_DIR/agentbox`, else `run` in the state directory. `None` for
    /// a user without a home.
    pub fn find() -> Option<Self> {
        let directories = ProjectDirs::from("dev", "agentbox", "agentbox")?;
        let state = directories
            .state_dir()
            .unwrap_or_else(|| directories.data_local_dir())
            .to_owned();
        let runtime = directories
            .runtime_dir()
            .map_or_else(|| state.join("run"), Path::to_owned);
        Some(Self::new(runtime, state))
    }

    /// A place of these directories.
    pub fn new(runtime: PathBuf, state: PathBuf) -> Self {
        Self { runtime, state }
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.runtime.join("relay.sock")
    }

    /// The file whose lock says which process is the relay; holds its process id.
    pub fn lock(&self) -> PathBuf {
        self.runtime.join("relay.lock")
    }

    /// What the relay says.
    pub fn log(&self) -> PathBuf {
        self.state.join("relay.log")
    }

    /// The stored events.
    pub fn events(&self) -> PathBuf {
        self.state.join("events.db")
    }

    /// The state directory.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Makes the directories, the runtime directory for this user alone.
    ///
    /// # Errors
    /// A directory that cannot be made or is another user's, a path too long for a socket.
    pub fn prepare(&self) -> Result<(), Failure> {
        let length = self.socket().as_os_str().len();
        if length > LONGEST_SOCKET {
            return Err(Failure::failed(format!(
                "{} is too long for the path of a socket",
                self.socket().display()
            ))
            .cause(format!("it has {length} bytes; {LONGEST_SOCKET} may be"))
            .hint("set XDG_RUNTIME_DIR to a shorter directory"));
        }
        for directory in [&self.state, &self.runtime] {
            private(directory).map_err(|error| {
                Failure::failed(format!("cannot use {} for the relay", directory.display())).because(&error)
            })?;
        }
        Ok(())
    }
}

/// Makes a directory that nobody else may enter, or makes one that is there so.
fn private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = fs::metadata(directory)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "it belongs to another user",
        ));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_this_user_s_alone() {
        let root = tempfile::tempdir().unwrap();
        let runtime = root.path().join("run/agentbox");
        fs::create_dir_all(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o777)).unwrap();
        let place = Place::new(runtime.clone(), root.path().join("state"));
        place.prepare().unwrap();
        for directory in [&runtime, &root.path().join("state")] {
            assert_eq!(fs::metadata(directory).unwrap().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_path_that_no_socket_can_have_says_what_to_set() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::new(root.path().join("x".repeat(100)), root.path().join("state"));
        let failure = place.prepare().unwrap_err();
        assert_eq!(failure.hints, ["set XDG_RUNTIME_DIR to a shorter directory"]);
        assert!(!root.path().join("state").exists());
    }
}
