//! Secret files: from the private volume into memory, where their owner can reach them.
//!
//! ```text
//! private/secrets/KEY/…  (root alone) ── each start ──► /run/agentbox/secrets/KEY/…  (tmpfs) ◄── links in the box
//! ```
//!
//! The private volume is closed to everyone but root, so a file in it serves nobody, whoever owns it. A copy in the
//! container's file system would end up in checkpoints; one in a memory file system does not.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::Options;
use crate::failure::Failure;
use crate::paths;

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
    let is_mount = || -> io::Result<bool> { Ok(fs::metadata(&target)?.dev() != fs::metadata(run)?.dev()) };
    let put = || -> io::Result<()> {
        if !is_mount()? {
            return Err(io::Error::other("nothing is mounted there"));
        }
        // Entered by everyone, listed by nobody: what lies below has owners and modes of its own.
        fs::set_permissions(&target, Permissions::from_mode(0o711))?;
        copy_all(&source, &target)
    };
    put().map_err(|error| {
        Failure::failed(format!("cannot put secrets into {}", target.display())).because(&error)
    })
}

/// Copies what is not there yet. An entry appears whole: a supervisor that comes back after a crash finishes the work
/// of its former life and leaves the rest as the box has it now.
fn copy_all(source: &Path, target: &Path) -> io::Result<()> {
    for entry in fs::read_dir(source)? {
        let name = entry?.file_name();
        let place = target.join(&name);
        if place.symlink_metadata().is_ok() {
            continue;
        }
        let mut aside = std::ffi::OsString::from(".new-");
        aside.push(&name);
        let aside = target.join(aside);
        match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        copy(&source.join(&name), &aside)?;
        fs::rename(&aside, &place)?;
    }
    Ok(())
}

/// Copies a file, a link or a tree with owners and modes. Nobody but root can open a part before it has them.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = from.symlink_metadata()?;
    if metadata.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if metadata.is_dir() {
        DirBuilder::new().mode(0o700).create(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
    } else {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(to)?;
        io::copy(&mut fs::File::open(from)?, &mut file)?;
    }
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    if !metadata.is_symlink() {
        fs::set_permissions(to, Permissions::from_mode(metadata.mode() & 0o777))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_arrive_whole_and_what_is_there_stays() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("secrets"), root.path().join("run"));
        for directory in [&source.join("one/.aws"), &source.join("two"), &target] {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(source.join("one/.aws/credentials"), "key").unwrap();
        symlink("credentials", source.join("one/.aws/link")).unwrap();
        fs::write(source.join("two/token"), "t").unwrap();
        fs::set_permissions(source.join("two/token"), Permissions::from_mode(0o640)).unwrap();
        // What a crash left half-way.
        fs::create_dir(target.join(".new-two")).unwrap();
        fs::write(target.join(".new-two/token"), "half").unwrap();

        copy_all(&source, &target).unwrap();
        assert_eq!(fs::read(target.join("one/.aws/link")).unwrap(), b"key");
        let token = target.join("two/token");
        assert_eq!(fs::read(&token).unwrap(), b"t");
        assert_eq!(fs::metadata(&token).unwrap().mode() & 0o7777, 0o640);
        fs::write(&token, "new").unwrap();
        copy_all(&source, &target).unwrap();
        assert_eq!(fs::read(&token).unwrap(), b"new");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
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
