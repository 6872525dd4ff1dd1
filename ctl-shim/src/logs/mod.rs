//! Logs of units: files with exactly the bytes that were written, and beside each a list of when they came.
//!
//! ```text
//! pipe ─► pump ─► writer ─► web.log  ─► web.log.1  … web.log.5       raw bytes, at most ROTATE_AT each
//!                    │
//!                    └────► .web.times ─► .web.times.1  …            12 bytes for each chunk that was read
//!                                │
//!         directory ─► reader ◄──┘   chunks, or lines with their times; one unit, or several in order of time
//! ```
//!
//! The reader needs only the directory, so the host can use it on what it took out of a stopped box.

use std::path::{Path, PathBuf};

mod chain;
mod line;
pub mod reader;
mod times;
pub mod writer;

#[cfg(feature = "supervisor")]
pub mod pump;

/// Size in bytes that no log file exceeds.
pub const ROTATE_AT: u64 = 10 * 1024 * 1024;
/// How many rotated files are kept of each log.
pub const KEPT: u32 = 5;

/// Path of a unit's log; generation 0 is the one being written, 1 the one before it.
pub fn log_path(directory: &Path, unit: &str, generation: u32) -> PathBuf {
    directory.join(numbered(format!("{unit}.log"), generation))
}

/// Path of the times that belong to a log file.
fn times_path(directory: &Path, unit: &str, generation: u32) -> PathBuf {
    directory.join(numbered(format!(".{unit}.times"), generation))
}

fn numbered(name: String, generation: u32) -> String {
    if generation == 0 {
        name
    } else {
        format!("{name}.{generation}")
    }
}

/// Whether a text can be a unit's name; whatever else never becomes part of a path.
fn is_unit_name(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
