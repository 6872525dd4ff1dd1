//! Text from a box, made safe to print.
//!
//! What a box says (names, reasons, errors) is hostile input to the terminal that shows it: an escape sequence
//! could recolour, retitle or rewrite the screen. Everything but `logs`, `exec`, `shell` and `cp` goes through here.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// `text` without escape sequences, control characters and bidirectional overrides; line ends and tabs stay.
pub fn strip_controls(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unwanted) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => skip_escape(&mut rest),
            '\u{9b}' => skip_control_sequence(&mut rest),
            '\u{90}' | '\u{9d}' | '\u{98}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
            other if is_unwanted(other) => {}
            other => clean.push(other),
        }
    }
    Cow::Owned(clean)
}

/// As [`strip_controls`], on one line: each run of line ends and tabs becomes one space.
pub fn one_line(text: &str) -> Cow<'_, str> {
    let clean = strip_controls(text);
    if !clean.contains(['\n', '\t']) {
        return clean;
    }
    let parts: Vec<&str> = clean
        .split(['\n', '\t'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    Cow::Owned(parts.join(" "))
}

/// Whether a character could do something to a terminal: controls and bidirectional overrides; line ends and tabs do
/// nothing.
pub fn is_unwanted(character: char) -> bool {
    (character.is_control() && !matches!(character, '\n' | '\t'))
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// After ESC: a control sequence, a string with its terminator, or one more character.
fn skip_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        Some(' '..='/') => {
            while rest
                .next_if(|character| (' '..='/').contains(character))
                .is_some()
            {}
            rest.next_if(|character| ('0'..='~').contains(character));
        }
        Some('0'..='~') => {
            rest.next();
        }
        _ => {}
    }
}

/// Parameters and intermediates up to the final byte; a character that cannot belong to it ends it.
fn skip_control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest
        .next_if(|character| (' '..='?').contains(character))
        .is_some()
    {}
    rest.next_if(|character| ('@'..='~').contains(character));
}

/// An operating system command and its kin, up to BEL or ST; a line end ends it too, so that a missing terminator
/// does not swallow everything.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(&next) = rest.peek() {
        match next {
            '\n' => return,
            '\u{7}' | '\u{9c}' => {
                rest.next();
                return;
            }
            '\u{1b}' => {
                rest.next();
                rest.next_if_eq(&'\\');
                return;
            }
            _ => {
                rest.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_go_and_text_stays() {
        assert_eq!(strip_controls("plain ünïcode\n\ttext"), "plain ünïcode\n\ttext");
        assert_eq!(strip_controls("\u{1b}[31mred\u{1b}[0m"), "red");
        assert_eq!(strip_controls("\u{1b}]0;title\u{7}after"), "after");
        assert_eq!(strip_controls("\u{1b}]8;;http://x\u{1b}\\link"), "link");
        assert_eq!(strip_controls("\u{1b}(Bx\r\u{8}y\u{9b}2Jz"), "xyz");
        assert_eq!(strip_controls("a\u{202e}b"), "ab");
        assert_eq!(strip_controls("\u{1b}]open\nnext"), "\nnext");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("a\n  b\r\n\tc"), "a b c");
        assert_eq!(one_line("a"), "a");
    }

    proptest! {
        #[test]
        fn nothing_unwanted_is_left(text in any::<String>()) {
            prop_assert!(!strip_controls(&text).chars().any(is_unwanted));
            prop_assert!(!one_line(&text).contains('\n'));
        }
    }
}
