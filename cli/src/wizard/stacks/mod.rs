//! One file for each kind of project, and what they share.
//!
//! Guesses (what a manifest implies) give the same for any directory; explicit descriptions (what somebody wrote
//! down for this very purpose) are looked for at the root alone and win over guesses.

pub(crate) mod compose;
mod compose_value;
pub(crate) mod conductor;
pub(crate) mod cursor;
pub(crate) mod devcontainer;
mod elixir;
mod go;
mod java;
pub(crate) mod makefile;
pub(crate) mod monorepo;
pub(crate) mod node;
mod node_framework;
mod node_manager;
mod php;
pub(crate) mod procfile;
mod python;
mod ruby;
mod rust;

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use self::node_manager::Manager;
use super::look::Part;
use super::proposal::{Proposal, Unit};

/// What the manifests in a directory imply, in the order in which the units should come. A member of a JavaScript
/// workspace has the package manager of that.
pub(crate) fn guesses(part: Part<'_>, workspace: Option<Manager>) -> Vec<Proposal> {
    let stacks: [fn(Part<'_>) -> Option<Proposal>; 7] = [
        python::propose,
        ruby::propose,
        php::propose,
        elixir::propose,
        java::propose,
        go::propose,
        rust::propose,
    ];
    let mut proposals: Vec<Proposal> = stacks.iter().filter_map(|stack| stack(part)).collect();
    proposals.extend(node::propose(part, workspace));
    for proposal in &mut proposals {
        for unit in &mut proposal.units {
            settle(unit, part);
        }
    }
    proposals
}

/// Makes a unit that was written for the root one of its directory.
fn settle(unit: &mut Unit, part: Part<'_>) {
    if part.is_root() {
        return;
    }
    unit.cwd.get_or_insert_with(|| part.path.to_owned());
    if let Some(super::proposal::RunOnce::Files { inputs, creates }) = &mut unit.run_once {
        for input in inputs {
            *input = format!("{}/{input}", as_glob(part.path));
        }
        for created in creates {
            *created = part.path_of(created);
        }
    }
}

/// A path as a glob that matches it alone.
fn as_glob(path: &str) -> String {
    let mut glob = String::new();
    for character in path.chars() {
        match character {
            '[' | ']' | '*' | '?' => {
                glob.push('[');
                glob.push(character);
                glob.push(']');
            }
            other => glob.push(other),
        }
    }
    glob
}

/// A value as text: a string, or what a number or boolean is written as.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A command as others write it: a string, or a list of words.
pub(crate) fn command_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => {
            words
                .first()
                .and_then(scalar)
                .filter(|program| is_command(program))?;
            let words: Vec<String> = words
                .iter()
                .filter_map(scalar)
                .map(|word| shell_word(&word))
                .collect();
            words.join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => return None,
    };
    is_command(&text).then_some(text)
}

/// Whether text can be a command: something is there, and no process argument is cut short by a NUL.
pub(crate) fn is_command(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains('\0')
}

/// A word as a shell reads it back.
pub(crate) fn shell_word(word: &str) -> String {
    let plain = !word.is_empty()
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=@%+,~".contains(&byte));
    if plain {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Whether a command is one program with its arguments, and nothing that only a shell could take apart.
pub(crate) fn is_simple(command: &str) -> bool {
    !command.contains(['&', ';', '|', '<', '>', '`', '\n', '(', '#'])
}

/// The port that a command line names.
pub(crate) fn port_in_command(command: &str) -> Option<u16> {
    static PORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?:^|\s)(?:http\.server(?:\s+(?:-b|--bind)\s+\S+)?\s+|(?:--?(?:port|http-port|server-port)(?:[= ]\s*)|-p[ =]?|PORT=|-Dserver\.port=)"?|(?:\S*\s+)*?(?:-b|--bind|-l|--listen|--addr|-S|runserver)[ =]?(?:\[?[0-9A-Za-z.:]*\]?:)?)(\d{2,5})(?:$|[\s"';])"#,
        )
        .ok()
    });
    first_port(PORT.as_ref(), command)
}

/// The port that a program listens on, by its source.
fn port_in_source(source: &str) -> Option<u16> {
    static PORT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?x)
            (?: [Pp][Oo][Rr][Tt]["'\])]* \s* (?:\|\||\?\?|,|:=|=|:|\)\s*,) \s* (?:Number\(|int\()?["']?:?
              | \(\s* ["'][\w.]*["'] \s*,\s*
              | listen\( \s* ["']? (?:[0-9.]+|localhost)? :?
              | ["'\ ](?:127\.0\.0\.1|0\.0\.0\.0|localhost|\[::\]|\[::1\])?:
              | \[\s*(?:127,\s*0,\s*0,\s*1|0,\s*0,\s*0,\s*0)\s*\]\s*,\s*
            ) (\d{4,5}) \b"#,
        )
        .ok()
    });
    let uncommented: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', '/', '*']) && line.len() < 2000)
        .flat_map(|line| [line, "\n"])
        .collect();
    first_port(PORT.as_ref(), &uncommented)
}

fn first_port(pattern: Option<&Regex>, text: &str) -> Option<u16> {
    pattern?
        .captures_iter(text)
        .filter_map(|found| found.get(1)?.as_str().parse().ok())
        .find(|port| *port >= 80)
}

/// The port in the first of these files that names one.
fn port_in_files(part: Part<'_>, files: &[&str]) -> Option<u16> {
    files.iter().find_map(|name| port_in_source(part.text(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_commands() {
        for (command, port) in [
            ("vite --port 4000", Some(4000)),
            ("next dev -p 3001", Some(3001)),
            ("next dev -p3001", Some(3001)),
            ("PORT=8081 node server.js", Some(8081)),
            ("gunicorn app:app --bind 0.0.0.0:8000", Some(8000)),
            ("python manage.py runserver 0.0.0.0:8080", Some(8080)),
            ("php -S localhost:9000 -t public", Some(9000)),
            ("bin/rails server -b 127.0.0.1 -p 3005", Some(3005)),
            ("bundle exec puma -p ${PORT:-3000}", None),
            ("docker run -p 99999:80 x", None),
            ("sleep 3000", None),
            ("python3 -m http.server 8001", Some(8001)),
            ("python3 -m http.server --bind 127.0.0.1 8200", Some(8200)),
            ("mkdir -p 2024", Some(2024)),
        ] {
            assert_eq!(port_in_command(command), port, "{command}");
        }
    }

    #[test]
    fn ports_of_sources() {
        for (source, port) in [
            ("const port = process.env.PORT || 4000;", Some(4000)),
            ("app.listen(8080)", Some(8080)),
            ("server.listen(process.env.PORT ?? 3333, () => {})", Some(3333)),
            ("http.ListenAndServe(\":8090\", nil)", Some(8090)),
            ("TcpListener::bind(\"127.0.0.1:3100\")", Some(3100)),
            ("SocketAddr::from(([127, 0, 0, 1], 3200))", Some(3200)),
            ("app.run(host='0.0.0.0', port=5050)", Some(5050)),
            ("port = int(os.environ.get('PORT', 8123))", Some(8123)),
            ("HTTPServer((\"127.0.0.1\", 8124), Handler)", Some(8124)),
            ("// listen(9999)\nlet year = 2024;", None),
        ] {
            assert_eq!(port_in_source(source), port, "{source}");
        }
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word("a-b/c.d:1"), "a-b/c.d:1");
        assert_eq!(shell_word("it's"), "'it'\\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
