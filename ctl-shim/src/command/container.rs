//! `container`: what a service with `image` runs in the box.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::supervisor::docker::{self, Wanted};

/// What a process ends with that could not make its container, as `docker run` has it.
const NO_CONTAINER: u8 = 125;

#[derive(Debug, Args)]
pub(super) struct ContainerArguments {
    /// Name of the container
    name: String,
    /// What tells definitions apart
    definition: String,
    /// Reference of the image
    image: String,
    /// File that gets the container's id
    note: PathBuf,
    /// What `docker create` gets
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Returns only where there is no container.
pub(super) fn container(arguments: &ContainerArguments, context: &Context) -> u8 {
    let wanted = Wanted {
        name: &arguments.name,
        definition: &arguments.definition,
        image: &arguments.image,
        note: &arguments.note,
        arguments: &arguments.arguments,
    };
    let Err(why) = docker::run(&wanted);
    context.output.complain(&format!("{why}\n"));
    NO_CONTAINER
}
