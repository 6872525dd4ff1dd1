//! Names of log files: the present one, and the rotated ones by age.

use std::path::{Path, PathBuf};

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
