//! A life without units: the host starts a stopped box only to save what is in it.
//!
//! The host puts a marker into the private volume right before the start. It counts once, and only for a short time,
//! so that a host that was killed in between makes no later start one without units.

use std::fs;
use std::path::Path;

use crate::paths;
use crate::process::regular;
use crate::time::Timestamp;

/// Longest marker that is read, in bytes.
const LIMIT: u64 = 64;
/// A marker whose time ends later than this from now was not written as agreed, in seconds.
const LONGEST: u64 = 600;
/// Remembers for the rest of this life of the box that it has none, in case the supervisor crashes.
const NOTE_NAME: &str = "without-units.now";

/// Whether this life is to be one without units. Uses the marker up.
pub(super) fn is_asked_for(private: &Path, resume: bool) -> bool {
    let note = private.join(NOTE_NAME);
    if resume {
        return note.exists();
    }
    let marker = private.join(paths::WITHOUT_UNITS_NAME);
    let content = regular::read(&marker, LIMIT);
    // Most of the time there is neither.
    let _ = fs::remove_file(&note);
    let _ = fs::remove_file(&marker);
    let asked = content
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<u64>().ok())
        .and_then(|until| until.checked_sub(Timestamp::now().as_millis() / 1000))
        .is_some_and(|left| left <= LONGEST);
    if asked {
        // Without it only a crash of the supervisor would start units.
        let _ = fs::write(&note, "");
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_counts_once_and_in_its_time() {
        let directory = tempfile::tempdir().unwrap();
        let private = directory.path();
        let now = Timestamp::now().as_millis() / 1000;
        let mark = |text: String| fs::write(private.join(paths::WITHOUT_UNITS_NAME), text).unwrap();
        assert!(!is_asked_for(private, false));
        mark((now + 60).to_string());
        assert!(is_asked_for(private, false));
        // A supervisor that crashed comes back to the same life; the next start is one as any other.
        assert!(is_asked_for(private, true));
        assert!(!is_asked_for(private, false));
        assert!(!is_asked_for(private, true));
        for text in [
            (now - 1).to_string(),
            (now + 100_000).to_string(),
            "soon".to_owned(),
        ] {
            mark(text);
            assert!(!is_asked_for(private, false));
            assert!(!private.join(paths::WITHOUT_UNITS_NAME).exists());
        }
    }
}
