//! Commands that need no supervisor: validate, schema.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::config::{self, LoadOptions, ValidationReport};
use crate::failure::Failure;
use crate::paths;

#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// The file, `-` for standard input; by default the box's
    #[arg(default_value = paths::CONFIG)]
    file: PathBuf,
}

pub(super) fn validate(arguments: &ValidateArguments, context: &Context) -> Result<u8, Failure> {
    let name = arguments.file.display().to_string();
    let cannot = |error: std::io::Error| Failure::usage(format!("cannot read {name}")).because(&error);
    let bytes = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(cannot)?;
        bytes
    } else {
        std::fs::read(&arguments.file).map_err(cannot)?
    };
    let loaded = config::load_bytes(&bytes, &LoadOptions::default());
    let valid = loaded.config.is_some();
    if context.json {
        context
            .output
            .json(&ValidationReport::new(&name, &loaded.diagnostics))?;
        return Ok(if valid { 0 } else { 2 });
    }
    if valid {
        context.output.status(&format!("{name}: ok"));
        return Ok(0);
    }
    let mut failure = Failure::usage("the configuration has errors");
    failure.rendered = Some(config::render(
        &name,
        &String::from_utf8_lossy(&bytes),
        &loaded.diagnostics,
    ));
    Err(failure)
}
#[derive(Debug, Args)]
pub(super) struct SchemaArguments {
    /// Print the comment line for new files instead
    #[arg(long)]
    modeline: bool,
}

pub(super) fn schema(arguments: &SchemaArguments, context: &Context) -> Result<u8, Failure> {
    if arguments.modeline {
        context
            .output
            .line(&config::schema::modeline(config::schema::URL))?;
    } else {
        let text = serde_json::to_string_pretty(&config::schema::document())
            .map_err(|error| Failure::failed("cannot write JSON").because(&error))?;
        context.output.line(&text)?;
    }
    Ok(0)
}
