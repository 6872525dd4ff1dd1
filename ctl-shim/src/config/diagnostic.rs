//! A mistake in a configuration file, and its JSON.

use serde::{Deserialize, Serialize};

use super::yaml::Place;

/// One mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode scalar values, from 1; one past the last character where something is missing at
    /// the end of a line.
    pub column: usize,
    /// How many Unicode scalar values of that line are meant; at least 1.
    pub length: usize,
    /// What is wrong: a lowercase fragment, free of control characters.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// A mistake at this place, without a hint.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self {
            line: place.line as usize,
            column: place.column as usize,
            length: place.length as usize,
            message: message.into(),
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The outcome of a validation as JSON: `{"ok", "errors": […]}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationReport {
    /// Whether the file is free of mistakes.
    pub ok: bool,
    /// The mistakes, in the order of the file.
    pub errors: Vec<ConfigError>,
}

/// One mistake as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigError {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode scalar values, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, or `null`.
    pub hint: Option<String>,
}

impl ValidationReport {
    /// The report for `file` with these mistakes.
    pub fn new(file: &str, diagnostics: &[Diagnostic]) -> Self {
        Self {
            ok: diagnostics.is_empty(),
            errors: diagnostics
                .iter()
                .map(|diagnostic| ConfigError {
                    file: file.to_owned(),
                    line: diagnostic.line,
                    column: diagnostic.column,
                    message: diagnostic.message.clone(),
                    hint: diagnostic.hint.clone(),
                })
                .collect(),
        }
    }
}
