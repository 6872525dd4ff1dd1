//! `agentbox app create`.

use agentbox_ctl::failure::Failure;

use super::super::on_runtime;
use super::show;
use crate::Exit;
use crate::app;
use crate::context::Context;
use crate::target::Target;

/// Arguments of `app create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The box need not run, and nothing has to listen on the port yet.

Examples:
  agentbox app create --name my-web-app --port 3000
  curl \"$(agentbox app create mybox --name api --port 8000)\""
)]
pub(super) struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// The app's name: the first label of its URL
    #[arg(long = "name", value_name = "NAME")]
    app: String,
    /// The TCP port on the box's loopback
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// Makes an app and prints its URL.
///
/// # Errors
/// A name that is taken (1) or cannot be one (2), no such box (3).
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve(context, arguments.name.as_deref()).await?;
        let made = app::create(
            context,
            &target.docker,
            &target.info,
            &arguments.app,
            arguments.port,
        )
        .await?;
        show::made(context, &target, made).await?;
        Ok(Exit::SUCCESS)
    })
}
