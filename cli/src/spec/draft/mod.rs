//! What people and clients give, read and checked: to the fields of a service spec or a setup script, or to everything
//! that is wrong with it.
//!
//! ```text
//! HTTP ──► json ──────────┐
//! -f FILE ─┬► json ───────┼─► Members ─► Reader ─► Fields ─► check ─► Fields, or every mistake
//!          └► YAML reader ┘
//! flags ─────────────────────────────► Fields ─► checked ─┘
//! ```
//!
//! A file, or the body of a request, has the fields of the object as `--json` prints it, so that what was printed can be
//! given back: `id` and the times are ours, and passed over.

mod file;
mod json;
mod kinds;
mod reader;
#[cfg(test)]
mod tests;

pub use file::from_file;
pub use kinds::Drafted;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::Invalid;

use crate::ui::one_line;
use reader::{Form, Reader};

/// Why bytes are no draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DraftError {
    /// They are no JSON; why not.
    Malformed(String),
    /// They are, but not what is wanted: everything that is wrong.
    Invalid(Vec<Invalid>),
}

/// Reads and checks an object that is JSON.
///
/// # Errors
/// Text that is no JSON, or everything that is wrong with it.
pub fn from_json<K: Drafted>(bytes: &[u8]) -> Result<K::Fields, DraftError> {
    let members = json::members(bytes)?;
    let mut reader = Reader::new(&members, reader::NOWHERE, Form::Json);
    let fields = reader.take::<K>();
    if reader.mistakes.is_empty() {
        return Ok(fields);
    }
    Err(DraftError::Invalid(
        reader.mistakes.into_iter().map(Invalid::from).collect(),
    ))
}

/// Checks fields that came from somewhere else, such as a command line.
///
/// # Errors
/// Everything that is wrong with them, one `error:` line each (2).
pub fn checked<K: Drafted>(fields: K::Fields) -> Result<K::Fields, Failure> {
    let wrong = K::check(&fields);
    if wrong.is_empty() {
        return Ok(fields);
    }
    let lines: Vec<String> = wrong
        .iter()
        .map(|Invalid { field, message }| format!("error: {}: {}", one_line(field), one_line(message)))
        .collect();
    let mut failure = Failure::usage(format!("this is no {}", K::WORD));
    failure.rendered = Some(lines.join("\n"));
    Err(failure)
}
