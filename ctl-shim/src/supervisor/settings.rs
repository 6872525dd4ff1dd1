//! Reading the configuration, and writing small files whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use super::attached::Attached;
use super::launch::Launcher;
use crate::config::{self, Config, LoadOptions};
use crate::process::regular;

/// A configuration file, read.
pub(super) struct Read {
    /// Its content, where it is without errors.
    pub(super) config: Option<Config>,
    /// What is wrong with it, rendered.
    pub(super) errors: Vec<String>,
}

/// Reads and validates a file. One that is missing is an empty configuration.
pub(super) fn read(options: &super::Options) -> Read {
    let path = &options.config;
    let bytes = match regular::read(path, config::SIZE_LIMIT as u64) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Read {
                config: None,
                errors: vec![format!("error: cannot read {}: {error}", path.display())],
            };
        }
    };
    let load = LoadOptions {
        workspace: options.workspace.to_string_lossy().into_owned(),
        ..LoadOptions::default()
    };
    let loaded = config::load_bytes(&bytes, &load);
    let name = path
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let errors = if loaded.diagnostics.is_empty() {
        Vec::new()
    } else {
        vec![config::render(
            &name,
            &String::from_utf8_lossy(&bytes),
            &loaded.diagnostics,
        )]
    };
    Read {
        config: loaded.config,
        errors,
    }
}

/// Makes a file's configuration that of the box: with what is attached to it, and with dockerd where it has one. Dockerd comes
/// last, since all others need it.
pub(super) fn complete(config: &mut Config, attached: &Attached, launcher: &Launcher) {
    attached.add_to(config);
    launcher.add_docker(config);
}

/// Writes a file beside its place and renames it there: readers see the old content or the new.
///
/// # Errors
/// Those of the file system.
pub(super) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    File::create(&aside)?.write_all(content)?;
    std::fs::rename(&aside, path)
}
