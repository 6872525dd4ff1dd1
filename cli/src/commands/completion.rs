//! `agentbox completion SHELL`.

use agentbox_ctl::failure::Failure;
use clap_complete::Shell;

use crate::Exit;
use crate::context::Context;

/// Arguments of `completion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox completion bash > /etc/bash_completion.d/agentbox
  agentbox completion zsh > ~/.zfunc/_agentbox
  agentbox completion fish > ~/.config/fish/completions/agentbox.fish")]
pub struct Arguments {
    /// The shell to complete in
    shell: Shell,
}

/// Prints the completion script.
///
/// # Errors
/// Stdout that cannot be written.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::command(), "agentbox", &mut script);
    context.ui.data_bytes(&script)?;
    Ok(Exit::SUCCESS)
}
