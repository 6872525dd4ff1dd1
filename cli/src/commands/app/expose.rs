//! `agentbox app expose`.

use agentbox_ctl::failure::Failure;

use super::super::on_runtime;
use super::show;
use crate::Exit;
use crate::app::{self, ports};
use crate::context::Context;
use crate::target::Target;

/// Arguments of `app expose`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox app expose [OPTIONS] [BOX] PORT",
    after_help = "The app is called like the unit that listens on the port, else like the program, with -2, -3 and so on where
that name is taken.

Examples:
  agentbox app expose 3000
  agentbox app expose mybox 3000"
)]
pub(super) struct Arguments {
    /// The box: name, index or id, else the project's only one; then the port
    #[arg(value_name = "BOX | PORT", required = true, num_args = 1..=2)]
    words: Vec<String>,
}

/// Makes an app for a port and prints its URL.
///
/// # Errors
/// A port on which nobody listens, a box that does not run (1), no such box (3).
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, port) = match arguments.words.as_slice() {
        [port] => (None, port),
        [name, port, ..] => (Some(name.as_str()), port),
        [] => return Err(Failure::usage("which port?")),
    };
    let port = port.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| {
        Failure::usage(format!("`{}` is not a port", crate::ui::one_line(port)))
            .hint("agentbox app expose [BOX] PORT")
    })?;
    on_runtime(async {
        let target = Target::resolve_settled(context, name).await?;
        target.require_running()?;
        let name = &target.info.name;
        let all = ports(&target).await?;
        let listens = app::listener(&all, port).ok_or_else(|| {
            Failure::failed(format!("nobody listens on port {port} of box `{name}`"))
                .hint(format!("agentbox ports {name}"))
                .hint(format!("agentbox app create {name} --name NAME --port {port}"))
        })?;
        let made = app::expose(context, &target.docker, &target.info, listens).await?;
        show::made(context, &target, made).await?;
        Ok(Exit::SUCCESS)
    })
}
