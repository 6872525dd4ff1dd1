//! `agentbox shell`.

use agentbox_ctl::failure::Failure;

use super::exec;
use crate::Exit;
use crate::context::Context;
use crate::session::Request;

/// Arguments of `shell`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox shell
  agentbox shell mybox -u root")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Run as this user: a name or a uid
    #[arg(short, long, value_name = "USER")]
    user: Option<String>,
}

/// Opens a login shell in a box.
///
/// # Errors
/// As `exec`.
pub fn run(arguments: Arguments, context: &Context) -> Result<Exit, Failure> {
    let look = context.ui.look();
    let request = Request {
        user: arguments.user,
        ..Request::default()
    };
    let terminal = look.stdin_terminal && look.stdout_terminal;
    exec::enter(context, arguments.name.as_deref(), request, terminal)
}
