//! The end of a log: a program that fails says why there.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::files;

/// What is looked at; a longer line is shown from the middle on.
const TAIL: i64 = 1024;

/// The last line that a unit wrote; `None` where it wrote nothing.
pub fn last_line(directory: &Path, unit: &str) -> Option<String> {
    let mut log = files::open(&files::log(directory, unit, 0)).ok()??;
    // A log that is shorter is read from its beginning.
    let _ = log.seek(SeekFrom::End(-TAIL));
    let mut tail = Vec::new();
    log.read_to_end(&mut tail).ok()?;
    let line = tail.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
    Some(line).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_what_was_said_last() {
        let directory = tempfile::tempdir().unwrap();
        let last = |text: &str| {
            std::fs::write(directory.path().join("web.log"), text).unwrap();
            last_line(directory.path(), "web")
        };
        assert_eq!(last_line(directory.path(), "web"), None);
        assert_eq!(last(""), None);
        assert_eq!(last("\n \n"), None);
        assert_eq!(last("one\r\ntwo\r\n\n").as_deref(), Some("two"));
        let text = format!("{}\nno iptables", "x".repeat(3000));
        assert_eq!(last(&text).as_deref(), Some("no iptables"));
        assert_eq!(last(&"x".repeat(3000)).map(|line| line.len()), Some(1024));
    }
}
