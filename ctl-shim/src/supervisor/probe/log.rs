//! `log_match`: a regular expression over the lines of a unit's output.

use regex::bytes::Regex;

/// Bytes of a line that are looked at together.
pub(crate) const WINDOW: usize = 64 * 1024;

/// Looks for a match in output that arrives in pieces.
#[derive(Debug)]
pub(crate) struct Matcher {
    expression: Regex,
    /// The line that has not ended, its last [`WINDOW`] bytes.
    line: Vec<u8>,
}

impl Matcher {
    /// A matcher for a pattern that validation has accepted; `None` where it does not compile.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        Regex::new(pattern).ok().map(|expression| Self {
            expression,
            line: Vec::new(),
        })
    }

    /// Takes more output; true once a line, ended or not, matches.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let ended = piece.last() == Some(&b'\n');
            self.line
                .extend_from_slice(if ended { &piece[..piece.len() - 1] } else { piece });
            let surplus = self.line.len().saturating_sub(WINDOW);
            self.line.drain(..surplus);
            let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            if self.expression.is_match(line) {
                return true;
            }
            if ended {
                self.line.clear();
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_match_may_be_torn_over_pieces_and_lines_end_it() {
        let mut matcher = Matcher::new("listening on \\d+").unwrap();
        assert!(!matcher.feed(b"liste"));
        assert!(!matcher.feed(b"ning on "));
        assert!(matcher.feed(b"80"));
        let mut matcher = Matcher::new("a.b").unwrap();
        assert!(!matcher.feed(b"a\nb"));
    }

    #[test]
    fn anchors_are_those_of_a_line_and_bytes_may_be_anything() {
        let mut matcher = Matcher::new("^ready$").unwrap();
        assert!(!matcher.feed(b"\xff\xfe not ready\n"));
        assert!(matcher.feed(b"ready\r\n"));
    }

    #[test]
    fn a_long_line_is_seen_through_a_window() {
        let mut matcher = Matcher::new("xyz$").unwrap();
        for _ in 0..100 {
            assert!(!matcher.feed(&[b'-'; 10_000]));
        }
        assert!(matcher.line.len() <= WINDOW);
        assert!(matcher.feed(b"xyz"));
    }
}
