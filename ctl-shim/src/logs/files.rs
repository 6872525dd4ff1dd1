//! Names of log files: the present one, and the rotated ones by age.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::paths::DOCKER_DAEMON;

/// Rotated files that are kept.
pub(super) const ROTATED: u32 = 5;

/// The log of a unit, `age` rotations ago; 0 is the present one.
pub(super) fn log(directory: &Path, unit: &str, age: u32) -> PathBuf {
    aged(directory, &format!("{unit}.log"), age)
}

/// The times that belong to [`log`].
pub(super) fn times(directory: &Path, unit: &str, age: u32) -> PathBuf {
    aged(directory, &format!("{unit}.times"), age)
}

fn aged(directory: &Path, name: &str, age: u32) -> PathBuf {
    if age == 0 {
        directory.join(name)
    } else {
        directory.join(format!("{name}.{age}"))
    }
}

/// Refuses what cannot be a unit's name: it is about to become part of a path.
pub(super) fn check_name(unit: &str) -> io::Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=63).contains(&unit.len()) && unit.bytes().all(plain) || unit == DOCKER_DAEMON {
        return Ok(());
    }
    let message = format!("`{unit}` is no unit's name");
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

/// Metadata of a regular file; `None` for nothing and for anything else. What is read may have come out of a box: a link
/// could lead to any file of the host, a pipe would block for ever.
pub(super) fn regular(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata).filter(Metadata::is_file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether anything is kept of a unit's log, be the unit there or not.
pub fn is_kept(directory: &Path, unit: &str) -> bool {
    let is_there = |age| matches!(regular(&log(directory, unit, age)), Ok(Some(_)));
    check_name(unit).is_ok() && (0..=ROTATED).any(is_there)
}

/// Opens a regular file; `None` where there is none.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    match regular(path)? {
        Some(_) => File::open(path).map(Some),
        None => Ok(None),
    }
}
