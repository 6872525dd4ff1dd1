//! `env_file`: `KEY=VALUE` lines as docker and dotenv users write them.
//!
//! Blank lines and `#` comments are passed over, `export ` in front is allowed. A value ends at the line's end or
//! at ` #`; in single quotes it is taken as it is, in double quotes `\n`, `\r`, `\t`, `\"`, `\\` and `\$` are
//! replaced, and in either it may span lines. Nothing is expanded: `$HOME` stays `$HOME`.

use std::io;
use std::path::Path;

use super::regular;

/// Largest file that is read, in bytes.
const SIZE_LIMIT: u64 = 1 << 20;

/// Reads a file. `None` when it does not exist. What is no regular file is refused: reading it might never end.
///
/// # Errors
/// `FILE: why` where it cannot be read, `FILE:LINE: what is wrong` where it cannot be understood.
pub fn read(path: &Path) -> Result<Option<Vec<(String, String)>>, String> {
    let wrong = |why: String| format!("{}: {why}", path.display());
    let bytes = match regular::read(path, SIZE_LIMIT) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error.to_string())),
    };
    match String::from_utf8(bytes) {
        Ok(text) => parse(&text, &path.display().to_string()).map(Some),
        Err(_) => Err(wrong("it is not UTF-8".to_owned())),
    }
}

/// Parses the text of a file called `name`.
///
/// # Errors
/// `NAME:LINE: what is wrong`, for the first line that is wrong.
pub fn parse(text: &str, name: &str) -> Result<Vec<(String, String)>, String> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line_number = 1;
    let mut variables = Vec::new();
    while !rest.is_empty() {
        let (line, after) = match rest.split_once('\n') {
            Some((line, after)) => (line, after),
            None => (rest, ""),
        };
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            rest = after;
            line_number += 1;
            continue;
        }
        let wrong = |what: String| format!("{name}:{line_number}: {what}");
        let content = match content.strip_prefix("export") {
            Some(after_export) if after_export.starts_with([' ', '\t']) => after_export.trim_start(),
            _ => content,
        };
        let Some((key, value)) = content.split_once('=') else {
            return Err(wrong(format!("`{content}` is not of the form KEY=VALUE")));
        };
        let key = key.trim_end();
        if !is_name(key) {
            return Err(wrong(format!("`{key}` is not a variable's name")));
        }
        if content.contains('\0') {
            return Err(wrong("a NUL byte cannot be in a variable".to_owned()));
        }
        let value = value.trim_start();
        match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                // The value is part of `rest`; from its quote on, lines no longer matter.
                let start = value.as_ptr() as usize - rest.as_ptr() as usize + 1;
                let (text, length) = quoted(&rest[start..], quote)
                    .ok_or_else(|| wrong(format!("the value of {key} has no closing {quote}")))?;
                let (tail, after) = match rest[start + length..].split_once('\n') {
                    Some((tail, after)) => (tail, after),
                    None => (&rest[start + length..], ""),
                };
                if !tail.trim().is_empty() && !tail.trim_start().starts_with('#') {
                    return Err(wrong(format!(
                        "unexpected text after the value of {key}: `{}`",
                        tail.trim()
                    )));
                }
                if text.contains('\0') {
                    return Err(wrong("a NUL byte cannot be in a variable".to_owned()));
                }
                line_number += rest[..rest.len() - after.len()].matches('\n').count();
                variables.push((key.to_owned(), text));
                rest = after;
            }
            _ => {
                let end = (0..value.len())
                    .find(|at| {
                        value.as_bytes()[*at] == b'#'
                            && (*at == 0 || value.as_bytes()[at - 1].is_ascii_whitespace())
                    })
                    .unwrap_or(value.len());
                variables.push((key.to_owned(), value[..end].trim_end().to_owned()));
                rest = after;
                line_number += 1;
            }
        }
    }
    Ok(variables)
}

fn is_name(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// The text up to the closing quote, and how many bytes that took with the quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            return Some((value, at + 1));
        }
        if character != '\\' || quote == '\'' {
            value.push(character);
            continue;
        }
        match characters.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\' | '$') => value.push(escaped),
            other => {
                value.push('\\');
                value.push(other);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text, ".env").unwrap()
    }

    fn one(text: &str) -> String {
        let mut variables = parsed(text);
        assert_eq!(variables.len(), 1, "{text}");
        variables.remove(0).1
    }

    #[test]
    fn lines_as_people_write_them() {
        let text = "\u{feff}# comment\n\nA=1\r\nexport B=two words  \n  C = spaced # why\nD=a#b\nE=\nF=x=y\nexport=1\n";
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "spaced"),
            ("D", "a#b"),
            ("E", ""),
            ("F", "x=y"),
            ("export", "1"),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        assert_eq!(parsed(text), expected);
    }

    #[test]
    fn quotes() {
        assert_eq!(one("A='a # $b \\n \"c\"' # d"), "a # $b \\n \"c\"");
        assert_eq!(
            one(r#"A="a\tb\n\"c\" \\ \$d \e $HOME""#),
            "a\tb\n\"c\" \\ $d \\e $HOME"
        );
        assert_eq!(one("A=\"one\ntwo\"\n"), "one\ntwo");
        assert_eq!(one("A=''"), "");
        assert_eq!(one("A=it's"), "it's");
        assert_eq!(one("A=# only a comment"), "");
    }

    #[test]
    fn mistakes_name_file_and_line() {
        let mistake = |text: &str| parse(text, "/workspace/.env").unwrap_err();
        assert_eq!(
            mistake("A=1\nB\n"),
            "/workspace/.env:2: `B` is not of the form KEY=VALUE"
        );
        assert_eq!(
            mistake("A='x\ny'\n\n1B=2"),
            "/workspace/.env:4: `1B` is not a variable's name"
        );
        assert_eq!(
            mistake("A=\"x\nB=2\n"),
            "/workspace/.env:1: the value of A has no closing \""
        );
        assert_eq!(
            mistake("A='x' y"),
            "/workspace/.env:1: unexpected text after the value of A: `y`"
        );
        assert_eq!(mistake("=x"), "/workspace/.env:1: `` is not a variable's name");
    }

    #[test]
    fn a_missing_file_is_not_an_error_here() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(&directory.path().join("none")), Ok(None));
        assert!(read(directory.path()).unwrap_err().contains("directory"));
    }

    #[test]
    fn a_pipe_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&path).unwrap_err().contains("not a regular file"));
    }
}
