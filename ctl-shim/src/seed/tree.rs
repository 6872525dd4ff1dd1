//! Changes to what lies in the workspace already. The box user makes them; where that user may not, since root made it or
//! its directory is closed, root does.
//!
//! ```text
//! remove ─► as the user ─ not permitted ─► as root ─┐
//! take ─────────────────────────────────► as root ──┴─ each directory on the way is opened by itself: never a link,
//!                                                      never another mount
//! ```
//!
//! A file that has further names, outside of the workspace, is only removed and never given to anybody.

use std::ffi::CString;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{
    Gid, Uid, UnlinkatFlags, fchownat, getegid, geteuid, seteuid, setgroups, setresgid, setresuid, unlinkat,
};

/// A directory itself, and nothing that a link leads to.
const DIRECTORY: OFlag = OFlag::O_DIRECTORY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
/// The same without a look into it, which a mode may forbid.
const WAY: OFlag = DIRECTORY.union(OFlag::O_PATH);
/// Whatever it is.
const ANYTHING: OFlag = OFlag::O_PATH.union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);

/// Makes this process one of the user, that can be root again for [`remove`] and [`take`] alone. What it starts cannot:
/// a program begins with the user's ids only.
///
/// # Errors
/// A process that is not root's.
pub fn become_user(user: u32, group: u32) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    setgroups(&[])?;
    setresgid(group, group, group)?;
    setresuid(user, user, Uid::from_raw(0))?;
    Ok(())
}

/// Removes whatever lies at a path below the workspace, a directory with everything in it; what a link leads to stays.
pub(super) fn remove(workspace: &Path, path: &[u8]) -> io::Result<()> {
    insist(|is_root| {
        let place = Place::find(workspace, path, is_root)?;
        Ok(remove_all(&place.directory, &place.name, place.device)?)
    })
}

/// Removes a file, a link or an empty directory.
pub(super) fn remove_one(workspace: &Path, path: &[u8]) -> io::Result<()> {
    insist(|is_root| {
        let place = Place::find(workspace, path, is_root)?;
        let remove = |how| unlinkat(&place.directory, place.name.as_c_str(), how);
        match remove(UnlinkatFlags::NoRemoveDir) {
            Err(Errno::EISDIR) => Ok(remove(UnlinkatFlags::RemoveDir)?),
            result => Ok(result?),
        }
    })
}

/// Gives a directory to the user, or a file that has no further name.
pub(super) fn take(workspace: &Path, path: &[u8]) -> io::Result<()> {
    let (user, group) = (geteuid(), getegid());
    as_root(|| {
        let place = Place::find(workspace, path, true)?;
        let taken = openat(&place.directory, place.name.as_c_str(), ANYTHING, Mode::empty())?;
        same_mount(&taken, place.device)?;
        let status = fstat(&taken)?;
        match SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT {
            SFlag::S_IFDIR => {}
            SFlag::S_IFREG if status.st_nlink == 1 => {}
            _ => return Err(Errno::EPERM.into()),
        }
        fchownat(&taken, c"", Some(user), Some(group), AtFlags::AT_EMPTY_PATH)?;
        Ok(())
    })
}

/// A name in an open directory.
struct Place {
    directory: OwnedFd,
    name: CString,
    /// That of the directory.
    device: u64,
}

impl Place {
    /// Goes down a path; where `is_root`, it ends at another mount.
    fn find(workspace: &Path, path: &[u8], is_root: bool) -> io::Result<Self> {
        let mut directory = open(workspace, WAY, Mode::empty())?;
        let device = fstat(&directory)?.st_dev;
        let (above, name) = match path.iter().rposition(|byte| *byte == b'/') {
            Some(slash) => path.split_at(slash),
            None => (&path[..0], path),
        };
        for part in above.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            directory = openat(&directory, part, WAY, Mode::empty())?;
            if is_root {
                same_mount(&directory, device)?;
            }
        }
        Ok(Self {
            device: fstat(&directory)?.st_dev,
            name: CString::new(name.strip_prefix(b"/").unwrap_or(name))?,
            directory,
        })
    }
}

fn same_mount(directory: impl AsFd, device: u64) -> Result<(), Errno> {
    if fstat(directory)?.st_dev == device {
        Ok(())
    } else {
        Err(Errno::EXDEV)
    }
}

fn remove_all(directory: impl AsFd, name: &std::ffi::CStr, device: u64) -> Result<(), Errno> {
    match unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir) {
        Err(Errno::EISDIR) => {}
        result => return result,
    }
    let mut inner = Dir::openat(&directory, name, DIRECTORY, Mode::empty())?;
    same_mount(&inner, device)?;
    let names: Result<Vec<CString>, Errno> = inner
        .iter()
        .map(|entry| Ok(entry?.file_name().to_owned()))
        .collect();
    for name in names? {
        if !matches!(name.as_bytes(), b"." | b"..") {
            remove_all(&inner, &name, device)?;
        }
    }
    unlinkat(&directory, name, UnlinkatFlags::RemoveDir)
}

/// Does something as the user, and as root where that is not permitted; `work` is told which.
fn insist(work: impl Fn(bool) -> io::Result<()>) -> io::Result<()> {
    match work(false) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => match as_root(|| work(true)) {
            // Why the user may not is what counts where nobody may, or root does not want to.
            Err(root)
                if matches!(
                    root.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::CrossesDevices
                ) =>
            {
                Err(error)
            }
            result => result,
        },
        result => result,
    }
}

/// Does something as root, in a process of [`become_user`]'s.
fn as_root(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let user = geteuid();
    seteuid(Uid::from_raw(0))?;
    let result = work();
    if seteuid(user).is_err() {
        // Whatever came next would be done as root.
        std::process::abort();
    }
    result
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_on_the_way_are_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let (workspace, outside) = (root.path().join("w"), root.path().join("outside"));
        for directory in [&workspace, &outside, &outside.join("inner")] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(outside.join("file"), "precious").unwrap();
        symlink(&outside, workspace.join("link")).unwrap();
        for path in [&b"link/file"[..], b"link/inner", b"link/none"] {
            let results = [
                remove(&workspace, path),
                remove_one(&workspace, path),
                take(&workspace, path),
            ];
            assert!(results.iter().all(Result::is_err), "{results:?}");
        }
        fs::hard_link(outside.join("file"), workspace.join("further")).unwrap();
        for path in [&b"link"[..], b"further"] {
            assert!(take(&workspace, path).is_err());
        }
        remove(&workspace, b"link").unwrap();
        assert!(outside.join("file").exists() && outside.join("inner").exists());
        assert!(!workspace.join("link").is_symlink());
    }

    #[test]
    fn whatever_lies_there_goes() {
        let root = tempfile::tempdir().unwrap();
        let closed = root.path().join("a/closed");
        fs::create_dir_all(closed.join("deep")).unwrap();
        fs::write(closed.join("deep/file"), "").unwrap();
        symlink("/", closed.join("link")).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        assert_eq!(
            remove_one(root.path(), b"a").unwrap_err().kind(),
            ErrorKind::DirectoryNotEmpty
        );
        // Whoever runs the tests may be root, whom no mode keeps out, or somebody who cannot become root.
        if geteuid().is_root() {
            remove(root.path(), b"a/closed").unwrap();
            assert!(!closed.exists());
            remove_one(root.path(), b"a").unwrap();
        } else {
            assert_eq!(
                remove(root.path(), b"a").unwrap_err().kind(),
                ErrorKind::PermissionDenied
            );
            fs::set_permissions(&closed, Permissions::from_mode(0o755)).unwrap();
        }
    }
}
