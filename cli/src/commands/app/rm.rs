//! `agentbox app rm`.

use agentbox_ctl::failure::Failure;

use super::super::on_runtime;
use crate::Exit;
use crate::app;
use crate::context::Context;
use crate::target::Target;

/// Arguments of `app rm`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox app rm [OPTIONS] [BOX] NAME...",
    after_help = "A first word that names no box is an app of the project's only one.

Examples:
  agentbox app rm my-web-app
  agentbox app rm mybox api admin"
)]
pub(super) struct Arguments {
    /// The box: name, index or id, else the project's only one; then names or ids of apps
    #[arg(value_name = "BOX | NAME", required = true)]
    words: Vec<String>,
}

/// Removes apps, all that were named or none.
///
/// # Errors
/// No such app or box (3).
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, names) = match arguments.words.as_slice() {
            [only] => (Target::resolve(context, None).await?, vec![only.clone()]),
            [name, rest @ ..] => Target::with_words(context, Some(name), rest).await?,
            [] => return Err(Failure::usage("which app?")),
        };
        let removed = app::remove(context, &target.docker, &target.info, &names).await?;
        for app in &removed {
            context.ui.status(&format!(
                "removed app `{}` of box `{}`",
                app.name, target.info.name
            ));
        }
        if context.json {
            context.ui.json(&removed)?;
        }
        Ok(Exit::SUCCESS)
    })
}
