//! Reading and validating `agentbox.yaml`.
//!
//! ```text
//! bytes ─► yaml (a tree with places) ─► walk (every key, every mistake) ─► Config
//!                     │                     │
//!                     └─────────────────────┴──► Diagnostic ─► render, ValidationReport
//! keys, settings ─► walk, schema
//! ```
//!
//! Everything here is pure: the same text always gives the same result, and no text makes it panic or take more
//! than time and memory in proportion to its length.

mod diagnostic;
mod http_target;
mod keys;
pub mod limit;
mod lines;
pub mod model;
mod object;
mod pattern;
mod published_port;
mod render;
pub mod schema;
pub mod settings;
mod signal;
mod suggest;
#[cfg(test)]
mod tests;
mod text;
mod walk;
mod yaml;

pub use diagnostic::{ConfigError, Diagnostic, ValidationReport};
pub use http_target::HttpTarget;
pub use model::Config;
pub use object::{Member, Spot, Value, load_object};
pub use pattern::compile_log_match;
pub use published_port::is_published_port;
pub use render::render;
pub use signal::signal_number;
pub use suggest::nearest;
pub use yaml::scalar::boolean;

use crate::failure::Failure;
use lines::Lines;
use yaml::Place;

/// Largest file that is read, in bytes: four times what 5,000 services take. Reading takes memory many times
/// a file's size, and the file of a box is the box's to choose.
pub const SIZE_LIMIT: usize = 4 << 20;

/// What validation depends on besides the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// Where the box has the project, absolute. `env_file` must stay below it.
    pub workspace: String,
    /// Whether the box can run containers, as far as is known; services that are some are mistakes in one that cannot.
    pub containers: bool,
    /// Names of the service specs that are attached, where that is known; needs on others are mistakes then.
    pub service_specs: Option<Vec<String>>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            workspace: crate::paths::WORKSPACE.to_owned(),
            containers: true,
            service_specs: None,
        }
    }
}

/// What came of reading a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration, exactly when there are no diagnostics.
    pub config: Option<Config>,
    /// Every mistake of the file, in its order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Loaded {
    /// The configuration, or the failure that shows every mistake and ends a command with exit code 2.
    /// `file_name` and `source` are what was read.
    ///
    /// # Errors
    /// A [`Failure`] of kind `Usage` whose rendered text is that of [`render`].
    pub fn into_result(self, file_name: &str, source: &str) -> Result<Config, Failure> {
        match self.config {
            Some(config) => Ok(config),
            None => {
                let count = self.diagnostics.len();
                let mistakes = if count == 1 { "mistake" } else { "mistakes" };
                let mut failure = Failure::usage(format!("{file_name} has {count} {mistakes}"));
                failure.rendered = Some(render(file_name, source, &self.diagnostics));
                Err(failure)
            }
        }
    }
}

/// Reads the text of an `agentbox.yaml`. Empty text is an empty configuration.
pub fn load(source: &str, options: &LoadOptions) -> Loaded {
    let (config, diagnostics) = read(source, |document, diagnostics| {
        walk::walk(document, options, diagnostics)
    });
    Loaded { config, diagnostics }
}

/// Reads the bytes of an `agentbox.yaml`; text that is not UTF-8 is a mistake with a place.
pub fn load_bytes(bytes: &[u8], options: &LoadOptions) -> Loaded {
    match text_of(bytes) {
        Ok(source) => load(source, options),
        Err(diagnostic) => Loaded {
            config: None,
            diagnostics: vec![diagnostic],
        },
    }
}

/// Reads the bytes of a settings file. Empty text has no settings.
///
/// # Errors
/// Every mistake of the file, in its order.
pub fn load_settings(bytes: &[u8]) -> Result<Vec<settings::Entry>, Vec<Diagnostic>> {
    let source = text_of(bytes).map_err(|diagnostic| vec![diagnostic])?;
    match read(source, walk::walk_settings) {
        (Some(entries), _) => Ok(entries),
        (None, diagnostics) => Err(diagnostics),
    }
}

/// Reads a document. There is a value exactly when there are no diagnostics.
fn read<T>(
    source: &str,
    walk: impl FnOnce(&yaml::Document<'_>, &mut Vec<Diagnostic>) -> Option<T>,
) -> (Option<T>, Vec<Diagnostic>) {
    if source.len() > SIZE_LIMIT {
        return (None, vec![too_large(source.len())]);
    }
    let source = lines::without_mark(source);
    let mut diagnostics = Vec::new();
    let value = match yaml::build(source, &mut diagnostics) {
        Ok(document) => walk(&document, &mut diagnostics),
        Err(fatal) => {
            diagnostics.push(fatal);
            None
        }
    };
    if !diagnostics.is_empty() {
        settle(&mut diagnostics, source);
    }
    (value.filter(|_| diagnostics.is_empty()), diagnostics)
}

/// The text of a file, or where and why it is none.
fn text_of(bytes: &[u8]) -> Result<&str, Diagnostic> {
    if bytes.len() > SIZE_LIMIT {
        return Err(too_large(bytes.len()));
    }
    let error = match std::str::from_utf8(bytes) {
        Ok(source) => return Ok(source),
        Err(error) => error,
    };
    let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
    let valid = lines::without_mark(&valid);
    let (line, column) = lines::position(valid, valid.len());
    let place = Place::new(line, column, 1);
    let is_utf_16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let found = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
    let message = if is_utf_16 {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        format!("the file is not UTF-8: byte \\x{found:02x}")
    };
    Err(Diagnostic::at(place, message).with_hint("save it as UTF-8"))
}

fn too_large(size: usize) -> Diagnostic {
    let message = format!("the file has {size} bytes, more than {SIZE_LIMIT}");
    Diagnostic::at(Place::new(1, 1, 1), message)
}

/// Puts diagnostics into the order of the file, drops what an alias made double, and keeps places inside it.
fn settle(diagnostics: &mut Vec<Diagnostic>, source: &str) {
    let lines = Lines::new(source);
    for diagnostic in diagnostics.iter_mut() {
        diagnostic.line = diagnostic.line.clamp(1, lines.count());
        let line = lines.get(diagnostic.line).trim_end();
        let width = line.chars().count();
        diagnostic.column = diagnostic.column.clamp(1, width + 1);
        diagnostic.length = diagnostic.length.clamp(1, (width + 1 - diagnostic.column).max(1));
    }
    diagnostics.sort();
    diagnostics.dedup();
}
