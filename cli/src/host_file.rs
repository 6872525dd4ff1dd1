//! Files of this machine that somebody may replace while they are looked at.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a file for reading: a link at its end is not followed, and nobody is waited for, as at a pipe. Whether it is a
/// file at all is for the caller to ask of what was opened.
///
/// # Errors
/// As those of any opening; a link is one, too.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed_and_pipes_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link, pipe) = (
            directory.path().join("file"),
            directory.path().join("link"),
            directory.path().join("pipe"),
        );
        std::fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR).unwrap();
        assert!(open(&file).unwrap().metadata().unwrap().is_file());
        assert!(open(&link).is_err());
        assert!(!open(&pipe).unwrap().metadata().unwrap().is_file());
    }
}
