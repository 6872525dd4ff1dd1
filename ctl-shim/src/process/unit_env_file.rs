//! Files with variables as systemd's `EnvironmentFile=` has them.
//!
//! `NAME=value` lines; `#` and `;` begin a comment where a line begins. A value may be in quotes of either sort, in pieces,
//! and over several lines; a backslash keeps the next character, and takes a line break away; in double quotes it does so for
//! `"`, `\`, `` ` `` and `$` alone, and in single quotes for none. Nothing is expanded. What is no variable is passed over.

use std::io;
use std::path::Path;

use super::regular;

/// Largest file that is read, in bytes.
const SIZE_LIMIT: u64 = 1 << 20;

/// Reads a file. `None` when it does not exist.
///
/// # Errors
/// `FILE: why` where it cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<(String, String)>>, String> {
    match regular::read(path, SIZE_LIMIT) {
        Ok(bytes) => Ok(Some(parse(&bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// Where in a file we are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Line,
    Comment,
    Name,
    /// Before a value, or after a quoted piece of one.
    Gap,
    Value,
    Single,
    Double,
}

/// Reads the variables of a text.
pub fn parse(text: &[u8]) -> Vec<(String, String)> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut variables = Vec::new();
    let mut state = State::Line;
    let (mut name, mut value) = (Vec::new(), Vec::new());
    // How much of the value stays where blanks at its end go.
    let mut kept = 0;
    let mut at = 0;
    // A line break at the end, so that the last line has one.
    while let Some(&byte) = text.get(at).or((at == text.len()).then_some(&b'\n')) {
        at += 1;
        let is_break = matches!(byte, b'\n' | b'\r');
        let is_blank = is_break || matches!(byte, b' ' | b'\t');
        match state {
            State::Line if matches!(byte, b'#' | b';') => state = State::Comment,
            State::Line if is_blank => {}
            State::Line | State::Name if byte == b'=' => state = State::Gap,
            State::Comment if is_break => state = State::Line,
            State::Comment => {}
            State::Name if is_break => {
                name.clear();
                state = State::Line;
            }
            State::Line | State::Name => {
                name.push(byte);
                state = State::Name;
            }
            State::Gap | State::Value if is_break => {
                value.truncate(kept);
                note(&mut name, &mut value, &mut variables);
                kept = 0;
                state = State::Line;
            }
            State::Gap if byte == b'\'' => state = State::Single,
            State::Gap if byte == b'"' => state = State::Double,
            State::Gap if is_blank => {}
            State::Gap | State::Value if byte == b'\\' => {
                if let Some(&escaped) = text.get(at).filter(|escaped| !matches!(escaped, b'\n' | b'\r')) {
                    value.push(escaped);
                }
                // Both bytes of a line break as Windows writes it.
                at += 1 + usize::from(text.get(at..at + 2) == Some(b"\r\n"));
                kept = value.len();
                state = State::Value;
            }
            State::Gap | State::Value => {
                value.push(byte);
                if !is_blank {
                    kept = value.len();
                }
                state = State::Value;
            }
            State::Single | State::Double if at > text.len() => {
                note(&mut name, &mut value, &mut variables);
            }
            State::Single if byte == b'\'' => state = State::Gap,
            State::Double if byte == b'"' => state = State::Gap,
            State::Double if byte == b'\\' => {
                match text.get(at) {
                    Some(b'\n') | None => {}
                    Some(escaped @ (b'"' | b'\\' | b'`' | b'$')) => value.push(*escaped),
                    Some(other) => value.extend([b'\\', *other]),
                }
                at += 1;
                kept = value.len();
            }
            State::Single | State::Double => {
                value.push(byte);
                kept = value.len();
            }
        }
    }
    variables
}

/// Takes a variable over, where it is one.
fn note(name: &mut Vec<u8>, value: &mut Vec<u8>, variables: &mut Vec<(String, String)>) {
    let name = String::from_utf8(std::mem::take(name));
    let value = String::from_utf8(std::mem::take(value));
    if let (Ok(name), Ok(value)) = (name, value) {
        let name = name.trim_end();
        if crate::spec::is_variable(name) && !value.contains('\0') {
            variables.push((name.to_owned(), value));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let variables = parse(text.as_bytes());
        let lines = variables.iter().map(|(name, value)| format!("{name}={value}"));
        lines.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn lines_as_systemd_reads_them() {
        let text =
            "\u{feff}# comment\n; another\n\nA=1\r\n  B =  two words \t\nC=a # no comment\nD=\nE=x=y\nlast=l";
        assert_eq!(shown(text), "A=1|B=two words|C=a # no comment|D=|E=x=y|last=l");
        assert_eq!(shown("export A=1\n2B=x\nno variable\n=x\nA-B=1\nC=1\n"), "C=1");
        assert_eq!(shown("A=$HOME ${B} %h"), "A=$HOME ${B} %h");
        assert_eq!(shown("# ends in a backslash \\\nA=1"), "A=1");
        assert_eq!(parse(b"A=\xff\nB=1\0\nC=2"), [("C".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn quotes_and_backslashes() {
        assert_eq!(
            shown("A='a \\n \"b\"'\nB=\"c\\n \\\" \\\\ \\$ \\` 'd'\""),
            "A=a \\n \"b\"|B=c\\n \" \\ $ ` 'd'"
        );
        assert_eq!(
            shown("A='one\ntwo'\nB=\"one \\\ntwo\"\nC=one\\\n  two"),
            "A=one\ntwo|B=one two|C=one  two"
        );
        assert_eq!(
            shown("A='a' 'b'\"c\"  d\nB=it's\nC=a\\ \\ \nD=\\\"x\\\""),
            "A=abcd|B=it's|C=a  |D=\"x\""
        );
        assert_eq!(shown("A=' x '  \nB=one\\\r\ntwo"), "A= x |B=onetwo");
        // Without an end they go to the end of the file.
        assert_eq!(shown("A='x\nB=1"), "A=x\nB=1");
        assert_eq!(shown("A=\"x\\"), "A=x");
        assert_eq!(shown("A=x\\"), "A=x");
    }

    #[test]
    fn files_that_are_not_there_or_never_end() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("none")), Ok(None));
        assert!(read(directory.path()).unwrap_err().contains("directory"));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in prop::collection::vec(prop::sample::select(b"Ab=#; \t\n\r\\'\"$\0\xff".to_vec()), 0..40)) {
            for (name, value) in parse(&text) {
                prop_assert!(crate::spec::is_variable(&name) && !value.contains('\0'));
            }
        }

        #[test]
        fn quoted_values_come_back(value in "[^'\0]{0,20}") {
            let text = format!("B=1\nA='{value}'\nC=1");
            let expected = [("B", "1"), ("A", &*value), ("C", "1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
            prop_assert_eq!(parse(text.as_bytes()), expected);
        }
    }
}
