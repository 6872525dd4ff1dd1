//! The list of what hosts have sent so far, which a checkpoint takes along: what is written to it, and read from it.

use std::fs::File;
use std::path::Path;

use super::buffered;
use crate::protocol::seed::{Modified, Record};

/// Gives each path of a list, and of a file the time with which it was sent last. Where the list is missing or cut, less
/// is known.
pub(super) fn read(list: &Path, mut take: impl FnMut(Vec<u8>, Option<Modified>)) {
    if let Ok(mut list) = File::open(list)
        && let Ok(mut decoder) = buffered(&mut list)
    {
        while let Ok(record) = decoder.record() {
            match record {
                Record::File { path, modified, .. } => take(path, Some(modified)),
                Record::Keep { path } => take(path, None),
                _ => break,
            }
        }
    }
}

/// What a record says of the list of what hosts have sent; `None` for what is none of the project's files.
pub(super) fn noted(record: &Record) -> Option<Record> {
    let noted = match record {
        Record::Offer {
            path, mode, modified, ..
        }
        | Record::File { path, mode, modified } => Record::File {
            path: path.clone(),
            mode: *mode,
            modified: *modified,
        },
        Record::Directory { path, .. }
        | Record::Link { path, .. }
        | Record::Keep { path }
        | Record::Ask { path } => Record::Keep { path: path.clone() },
        _ => return None,
    };
    let (Record::File { path, .. } | Record::Keep { path }) = &noted else {
        return None;
    };
    // A git directory is one thing, whatever is in it.
    let mut above = path.split(|byte| *byte == b'/').rev().skip(1);
    let is_inside = above.any(|part| part == b".git");
    (!is_inside).then_some(noted)
}
