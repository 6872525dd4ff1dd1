//! `agentbox schema`. Needs no engine, and starts no runtime.

use std::path::{Path, PathBuf};

use agentbox_ctl::config::schema;
use agentbox_ctl::failure::Failure;

use crate::Exit;
use crate::context::Context;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox schema > agentbox.schema.json
  agentbox schema --modeline --file agentbox.schema.json")]
pub struct Arguments {
    /// Print the comment for the first line of an agentbox.yaml, which tells editors the schema
    #[arg(long)]
    modeline: bool,
    /// With --modeline: where a copy of the schema lies, for use without a network
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Prints the JSON Schema of `agentbox.yaml`, or the comment that leads editors to it.
///
/// # Errors
/// Stdout that cannot be written, a path that cannot be made absolute.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.modeline {
        let url = match &arguments.file {
            Some(file) => file_url(&context.directory.join(file)),
            None => schema::URL.to_owned(),
        };
        context.ui.line(schema::modeline(&url).trim_end())?;
    } else {
        let text = serde_json::to_string_pretty(&schema::document())
            .map_err(|error| Failure::failed("cannot encode the schema as JSON").because(&error))?;
        context.ui.line(&text)?;
    }
    Ok(Exit::SUCCESS)
}

/// `file://` with everything but the plainest characters percent-encoded.
fn file_url(path: &Path) -> String {
    let mut url = "file://".to_owned();
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_url() {
        assert_eq!(file_url(Path::new("/a b/ü.json")), "file:///a%20b/%C3%BC.json");
    }
}
