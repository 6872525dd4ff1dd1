//! A file that a person wrote: JSON or YAML, every mistake with its place.

use agentbox_ctl::config::{Diagnostic, load_object, render};
use agentbox_ctl::failure::Failure;

use super::json::{self, Places};
use super::reader::{Form, Mistake, Reader};
use super::{DraftError, Drafted};

/// Reads and checks a file; `file_name` is what it is called.
///
/// # Errors
/// Every mistake of the file in one run, each as `FILE:LINE:COLUMN` (2).
pub fn from_file<K: Drafted>(file_name: &str, bytes: &[u8]) -> Result<K::Fields, Failure> {
    read::<K>(file_name, bytes).map_err(|diagnostics| {
        let count = diagnostics.len();
        let mistakes = if count == 1 { "mistake" } else { "mistakes" };
        let mut failure = Failure::usage(format!("{file_name} has {count} {mistakes}"));
        let source = String::from_utf8_lossy(bytes);
        failure.rendered = Some(render(file_name, &source, &diagnostics));
        failure
    })
}

fn read<K: Drafted>(file_name: &str, bytes: &[u8]) -> Result<K::Fields, Vec<Diagnostic>> {
    if let Some(result) = read_json::<K>(file_name, bytes) {
        return result;
    }
    load_object(bytes, |members, whole, diagnostics| {
        let mut reader = Reader::new(&members, whole, Form::Yaml);
        let fields = reader.take::<K>();
        diagnostics.extend(reader.mistakes.into_iter().map(Diagnostic::from));
        Some(fields)
    })
}

/// The file as JSON, where it is some or is called so. YAML has most of JSON in it, but not all, and other words for what
/// is wrong with it.
fn read_json<K: Drafted>(file_name: &str, bytes: &[u8]) -> Option<Result<K::Fields, Vec<Diagnostic>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let members = match json::members(text.as_bytes()) {
        Ok(members) => members,
        Err(DraftError::Malformed(_)) if is_json(file_name) && !text.trim().is_empty() => {
            return Some(Err(vec![syntax_error(text)]));
        }
        Err(_) => return None,
    };
    let start = text.len() - text.trim_start().len();
    let whole = Places::new(text).at(start, "{");
    let mut reader = Reader::new(&members, whole, Form::Json);
    let fields = reader.take::<K>();
    if reader.mistakes.is_empty() {
        return Some(Ok(fields));
    }
    let mut diagnostics: Vec<_> = reader.mistakes.into_iter().map(Mistake::into).collect();
    diagnostics.sort();
    Some(Err(diagnostics))
}

fn is_json(file_name: &str) -> bool {
    let ending = std::path::Path::new(file_name).extension();
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("json"))
}

fn syntax_error(text: &str) -> Diagnostic {
    let error = match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let (line, column) = error
        .as_ref()
        .map_or((1, 1), |error| (error.line(), error.column()));
    let message = error.map_or_else(|| "a text in it is none".to_owned(), |error| error.to_string());
    // Its columns are bytes, and count from 1 but where a line has just begun.
    let in_line = text.split('\n').nth(line.saturating_sub(1)).unwrap_or_default();
    let before = in_line.get(..column.saturating_sub(1)).unwrap_or(in_line);
    Diagnostic {
        line: line.max(1),
        column: before.chars().count() + 1,
        length: 1,
        message: match message.split_once(" at line ") {
            Some((what, _)) => format!("this is no JSON: {what}"),
            None => format!("this is no JSON: {message}"),
        },
        hint: None,
    }
}
