//! Whole files, read as a user's would be.

mod containers;
mod errors;
mod good;
mod hostile;
mod properties;
mod reference;
mod settings;

use super::{Config, LoadOptions, Loaded, load, render};

/// The rendered mistakes of a file that must have some. A line break at the start of `source` is dropped.
fn errors(source: &str) -> String {
    let source = source.strip_prefix('\n').unwrap_or(source);
    let Loaded { config, diagnostics } = load(source, &LoadOptions::default());
    assert!(
        config.is_none() && !diagnostics.is_empty(),
        "no mistake found in {source}"
    );
    render("agentbox.yaml", source, &diagnostics)
}

/// The configuration of a file that must be good.
fn good(source: &str) -> Config {
    let Loaded { config, diagnostics } = load(source, &LoadOptions::default());
    assert_eq!(
        diagnostics,
        [],
        "{}",
        render("agentbox.yaml", source, &diagnostics)
    );
    config.expect("a file without mistakes has a configuration")
}
