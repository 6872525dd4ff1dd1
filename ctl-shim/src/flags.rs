//! What the command lines of both binaries have in common.

use clap::ArgAction;
use clap::builder::FalseyValueParser;

/// Binds each `--x-y` to `AGENTBOX_X_Y`. For switches `0`, `false`, `no`, `off` and the empty text mean off.
pub fn with_environment(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let Some(variable) = argument.get_long().map(environment_name) else {
                return argument;
            };
            let switch = matches!(argument.get_action(), ArgAction::SetTrue);
            let argument = argument.env(variable).hide_env(true);
            if switch {
                argument.value_parser(FalseyValueParser::new())
            } else {
                argument
            }
        })
        .mut_subcommands(|inner| {
            // Hidden commands are for programs, which say what they mean: no variable of an image changes it.
            if inner.is_hide_set() {
                inner
            } else {
                with_environment(inner)
            }
        })
}

/// `AGENTBOX_X_Y` of `x-y`.
fn environment_name(flag: &str) -> String {
    format!("AGENTBOX_{}", flag.to_ascii_uppercase().replace('-', "_"))
}
