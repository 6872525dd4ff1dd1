//! `agentbox validate`. Needs no engine, and starts no runtime.

use std::io::Read;
use std::path::PathBuf;

use agentbox_ctl::config::{self, LoadOptions, Loaded, ValidationReport};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;

use crate::Exit;
use crate::context::Context;
use crate::project::Project;

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 the file is right, 2 it has mistakes. All of them are reported in one run.

Examples:
  agentbox validate
  agentbox validate --json docs/agentbox.yaml
  generate | agentbox validate -"
)]
pub struct Arguments {
    /// The file, - for stdin; else the project's agentbox.yaml
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Checks a file.
///
/// # Errors
/// A file with mistakes (2), or that cannot be read (2).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, bytes) = match &arguments.file {
        Some(file) => (file.display().to_string(), read(file)?),
        None => project_file(context)?,
    };
    if context.json {
        let loaded = load(&bytes);
        let report = ValidationReport::new(&name, &loaded.diagnostics);
        context.ui.json(&report)?;
        return Ok(if report.ok { Exit::SUCCESS } else { Exit(2) });
    }
    check(&name, &bytes)?;
    context.ui.status(&format!("{name} is valid"));
    Ok(Exit::SUCCESS)
}

/// Checks the bytes of a file that the user knows as `name`.
///
/// # Errors
/// Every mistake in it, rendered (2).
pub fn check(name: &str, bytes: &[u8]) -> Result<(), Failure> {
    let loaded = load(bytes);
    if loaded.diagnostics.is_empty() {
        return Ok(());
    }
    let mut failure = Failure::usage(format!("{name} has mistakes"));
    let source = String::from_utf8_lossy(bytes);
    failure.rendered = Some(config::render(name, &source, &loaded.diagnostics));
    Err(failure)
}

fn load(bytes: &[u8]) -> Loaded {
    config::load_bytes(bytes, &LoadOptions::default())
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let result = if file.as_os_str() == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    result.map_err(|error| Failure::usage(format!("cannot read {}", file.display())).because(&error))
}

/// The project's file by the name it has from here. A project without one is as good as one with an empty file.
fn project_file(context: &Context) -> Result<(String, Vec<u8>), Failure> {
    let project = Project::find(&context.directory)?;
    if !project.has_config {
        return Ok((CONFIG_NAME.to_owned(), Vec::new()));
    }
    let path = project.config_path();
    let here = context
        .directory
        .canonicalize()
        .is_ok_and(|here| here == project.root);
    let name = if here {
        CONFIG_NAME.to_owned()
    } else {
        path.display().to_string()
    };
    Ok((name, read(&path)?))
}
