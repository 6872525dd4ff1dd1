//! Names as they can be printed: whatever a box calls its files, a name is one visible word of one line.

use std::fmt::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use agentbox_ctl::report::is_unwanted;

/// A path with its control characters, and the bytes that are no UTF-8, escaped.
pub(super) fn shown(path: &Path) -> String {
    shown_bytes(path.as_os_str().as_bytes())
}

/// As [`shown`], for a name of an archive.
pub(super) fn shown_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_unwanted(character) || matches!(character, '\n' | '\t') {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // It writes into memory, which does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(shown(Path::new("a/é b")), "a/é b");
        assert_eq!(shown_bytes(b"a\nb\x1b[2J\xff\tc"), r"a\nb\u{1b}[2J\xff\tc");
        assert_eq!(shown(Path::new("x\u{202e}y")), r"x\u{202e}y");
    }
}
