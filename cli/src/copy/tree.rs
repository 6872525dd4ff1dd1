//! A directory of this machine that a hostile archive is unpacked into. Every name is opened relative to a directory that
//! is held open, and no symbolic link below the root is ever followed: where the root is, all of it stays.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, fstat, futimens, linkat,
    mkdirat, open, openat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

/// Opens a directory itself, and no link to one.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The root, and the directory below it that was used last.
#[derive(Debug)]
pub(super) struct Tree {
    root: OwnedFd,
    last: Option<(Vec<OsString>, OwnedFd)>,
    /// Counts temporary names.
    count: u64,
}

/// Device and inode.
pub(super) type FileId = (u64, u64);

/// What is at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    Nothing,
    Directory,
    /// A regular file or a link: it can be replaced.
    File,
    /// A device, a pipe, a socket.
    Special,
}

/// Something under a temporary name. Dropped before it is put in place, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    directory: OwnedFd,
    name: OsString,
    placed: bool,
}

impl Tree {
    /// Opens the root; links on the way to it are the user's own and are followed.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            root: open(root, flags, Mode::empty())?,
            last: None,
            count: 0,
        })
    }

    /// The directory at these components below the root.
    pub(super) fn directory(&mut self, components: &[OsString]) -> io::Result<OwnedFd> {
        let (begin, rest) = match &self.last {
            Some((known, directory)) if components.starts_with(known) => {
                (directory.try_clone()?, &components[known.len()..])
            }
            _ => (self.root.try_clone()?, components),
        };
        let mut directory = begin;
        for component in rest {
            directory = openat(&directory, component.as_os_str(), DIRECTORY, Mode::empty())?;
        }
        self.last = Some((components.to_vec(), directory.try_clone()?));
        Ok(directory)
    }

    /// A file under a temporary name in a directory, readable by its owner alone.
    pub(super) fn temporary_file(&mut self, directory: &OwnedFd) -> io::Result<(Temporary, File)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let (temporary, file) = self.temporary(directory, |at, name| openat(at, name, flags, mode))?;
        Ok((temporary, File::from(file)))
    }

    /// A symbolic link under a temporary name.
    pub(super) fn temporary_link(&mut self, directory: &OwnedFd, target: &[u8]) -> io::Result<Temporary> {
        Ok(self
            .temporary(directory, |at, name| symlinkat(target, at, name))?
            .0)
    }

    /// A further name, a temporary one, of the file `name` in `from`.
    pub(super) fn temporary_name(
        &mut self,
        directory: &OwnedFd,
        from: &OwnedFd,
        original: &OsStr,
    ) -> io::Result<Temporary> {
        // Without a flag to follow, a link gets a second name itself.
        Ok(self
            .temporary(directory, |at, name| {
                linkat(from, original, at, name, AtFlags::empty())
            })?
            .0)
    }

    fn temporary<T>(
        &mut self,
        directory: &OwnedFd,
        make: impl Fn(BorrowedFd<'_>, &OsStr) -> Result<T, Errno>,
    ) -> io::Result<(Temporary, T)> {
        loop {
            self.count += 1;
            let name = OsString::from(format!(".agentbox-cp-{}-{}", std::process::id(), self.count));
            match make(directory.as_fd(), &name) {
                Ok(made) => {
                    let directory = directory.try_clone()?;
                    let temporary = Temporary {
                        directory,
                        name,
                        placed: false,
                    };
                    return Ok((temporary, made));
                }
                // Left by a process of this number that was killed.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Temporary {
    /// Gives it its name. What has that name is replaced, at once, and never followed.
    pub(super) fn place(mut self, name: &OsStr) -> io::Result<()> {
        renameat(&self.directory, self.name.as_os_str(), &self.directory, name)?;
        // Where both were names of one file, nothing was renamed and the temporary one is still there.
        self.placed = identity(&self.directory, &self.name).is_none();
        Ok(())
    }

    /// Sets the modification time of a link.
    pub(super) fn set_link_time(&self, seconds: i64) -> io::Result<()> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(utimensat(
            &self.directory,
            self.name.as_os_str(),
            &times(seconds),
            flags,
        )?)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // Whatever keeps it from being removed keeps everything else from it too.
            let _ = unlinkat(&self.directory, self.name.as_os_str(), AtFlags::empty());
        }
    }
}

/// What is at a name of a directory.
pub(super) fn present(directory: &OwnedFd, name: &OsStr) -> io::Result<Present> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Present::Directory,
            FileType::RegularFile | FileType::Symlink => Present::File,
            _ => Present::Special,
        }),
        Err(Errno::NOENT) => Ok(Present::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Makes a directory for its owner alone; `false` where there is one.
pub(super) fn make_directory(directory: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    match mkdirat(directory, name, Mode::RWXU) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => match present(directory, name)? {
            Present::Directory => Ok(false),
            _ => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is something else of that name, and a directory does not replace it",
            )),
        },
        Err(error) => Err(error.into()),
    }
}

/// Sets mode and modification time of what is open.
pub(super) fn finish(file: impl AsFd, mode: u32, seconds: i64) -> io::Result<()> {
    fchmod(&file, Mode::from_raw_mode(mode))?;
    Ok(futimens(&file, &times(seconds))?)
}

/// Which file a name means; `None` where there is none.
pub(super) fn identity(directory: &OwnedFd, name: &OsStr) -> Option<FileId> {
    let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// Which file this is.
pub(super) fn identity_of(file: &File) -> io::Result<FileId> {
    let stat = fstat(file)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn times(seconds: i64) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        },
    }
}
