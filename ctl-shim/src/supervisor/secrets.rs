//! Secret files: from the private volume into memory, where their owner can reach them.
//!
//! ```text
//! private/secrets/KEY/…  (root alone) ── each start ──► /run/agentbox/secrets/KEY/…  (tmpfs) ◄── links in the box
//! ```
//!
//! The private volume is closed to everyone but root, so a file in it serves nobody, whoever owns it. A copy in the
//! container's file system would end up in checkpoints; one in a memory file system does not.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::Options;
use crate::failure::Failure;
use crate::paths;

/// Mode of the place when it is complete: entered by everyone, listed by nobody. What lies below has modes of its own.
const COMPLETE: u32 = 0o711;

/// Puts the secrets of the box into place. A box without any needs nothing.
///
/// # Errors
/// A place that is part of the box's own file system; files that cannot be read or written.
pub(super) fn place(options: &Options) -> Result<(), Failure> {
    let source = options.private().join(paths::SECRETS_NAME);
    let Some(run) = options.socket.parent().filter(|_| source.is_dir()) else {
        return Ok(());
    };
    let target = run.join(paths::SECRETS_NAME);
    let put = || -> io::Result<()> {
        if fs::metadata(&target)?.dev() == fs::metadata(run)?.dev() {
            return Err(io::Error::other("nothing is mounted there"));
        }
        fill(&source, &target)
    };
    put().map_err(|error| {
        Failure::failed(format!("cannot put secrets into {}", target.display())).because(&error)
    })
}

/// Copies everything, once in the life of a mount: a supervisor that comes back after a crash begins anew where its
/// former life did not finish, and else leaves the files as the box has them now.
fn fill(source: &Path, target: &Path) -> io::Result<()> {
    if fs::metadata(target)?.mode() & 0o7777 == COMPLETE {
        return Ok(());
    }
    // Until then only root gets to see what is there.
    fs::set_permissions(target, Permissions::from_mode(0o700))?;
    copy_below(source, target)?;
    fs::set_permissions(target, Permissions::from_mode(COMPLETE))
}

/// Copies what lies in a directory, with owners and modes.
fn copy_below(source: &Path, target: &Path) -> io::Result<()> {
    for entry in fs::read_dir(source)? {
        let name = entry?.file_name();
        let (from, to) = (source.join(&name), target.join(&name));
        let metadata = from.symlink_metadata()?;
        let is_link = metadata.is_symlink();
        let done = if is_link {
            symlink(fs::read_link(&from)?, &to)
        } else if metadata.is_dir() {
            fs::create_dir(&to)
        } else {
            // Secrets are small: the host sees to it.
            fs::write(&to, fs::read(&from)?)
        };
        match done {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if metadata.is_dir() {
            copy_below(&from, &to)?;
        }
        lchown(&to, Some(metadata.uid()), Some(metadata.gid()))?;
        if !is_link {
            fs::set_permissions(&to, Permissions::from_mode(metadata.mode() & 0o777))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_arrive_whole_and_what_is_complete_stays() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("secrets"), root.path().join("run"));
        for directory in [&source.join("one/.aws"), &source.join("two"), &target.join("two")] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(source.join("one/.aws/credentials"), "key").unwrap();
        symlink("credentials", source.join("one/.aws/link")).unwrap();
        fs::write(source.join("two/token"), "t").unwrap();
        fs::set_permissions(source.join("two/token"), Permissions::from_mode(0o640)).unwrap();
        // What a crash left half-way.
        fs::write(target.join("two/token"), "half").unwrap();

        fill(&source, &target).unwrap();
        assert_eq!(fs::read(target.join("one/.aws/link")).unwrap(), b"key");
        let token = target.join("two/token");
        assert_eq!(fs::read(&token).unwrap(), b"t");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&token), mode(&target)), (0o640, 0o711));
        fs::write(&token, "new").unwrap();
        fill(&source, &target).unwrap();
        assert_eq!(fs::read(&token).unwrap(), b"new");
    }

    #[test]
    fn without_secrets_nothing_is_done_and_without_a_mount_nothing_is_put() {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            socket: root.path().join("run/ctl.sock"),
            state_directory: root.path().join("state"),
            ..Options::default()
        };
        place(&options).unwrap();
        fs::create_dir_all(options.private().join("secrets/key")).unwrap();
        assert!(place(&options).is_err());
        fs::create_dir_all(root.path().join("run/secrets")).unwrap();
        let failure = place(&options).unwrap_err();
        assert_eq!(failure.causes, ["nothing is mounted there"]);
        assert_eq!(fs::read_dir(root.path().join("run/secrets")).unwrap().count(), 0);
    }
}
