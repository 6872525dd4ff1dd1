//! `work`: what the host wants to know of the repository in the workspace, and to have of it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::failure::Failure;
use crate::work;

#[derive(Debug, Args)]
pub(super) struct WorkArguments {
    /// Top level of the repository
    directory: PathBuf,
    /// `report`; `diff` with flags of git's; `bundle` with the box's name and commits that the host has
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

pub(super) fn work(arguments: &WorkArguments, context: &Context) -> Result<u8, Failure> {
    let directory = &arguments.directory;
    let words: Vec<&str> = arguments.words.iter().filter_map(|word| word.to_str()).collect();
    match words.as_slice() {
        ["report"] => {
            let report = work::inspect(directory)?;
            context.output.json(&report)?;
        }
        ["diff", flags @ ..] => work::diff(directory, flags)?,
        ["bundle", name, known @ ..] => work::bundle(directory, name, known, &work::inspect(directory)?)?,
        _ => return Err(Failure::usage("expected `report`, `diff` or `bundle`")),
    }
    Ok(0)
}
