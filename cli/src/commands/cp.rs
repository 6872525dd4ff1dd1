//! `agentbox cp`.

use std::ffi::OsString;

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::copy::{self, Request};
use crate::interrupt::{self, Interrupt, Stopped};
use crate::target::Target;
use crate::ui::{files_and_bytes, size};

/// Arguments of `cp`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "One side is BOX:PATH, or :PATH for the project's only box; relative paths begin at /workspace. A file of
yours with a colon in its name is ./a:b. `SRC/.` means what is in the directory. `-` is a tar archive on stdin or stdout.

Examples:
  agentbox cp notes.md mybox:docs/
  agentbox cp mybox:/var/log/nginx .
  agentbox cp assets/. mybox:public
  agentbox cp mybox:dist - | tar -tf -"
)]
pub struct Arguments {
    /// What to copy: BOX:PATH, a path here, or -
    #[arg(value_name = "SRC")]
    source: OsString,
    /// Where to: BOX:PATH, a path here, or -
    #[arg(value_name = "DST")]
    destination: OsString,
    /// Follow SRC where it is a symbolic link
    #[arg(short = 'L', long)]
    follow_link: bool,
}

/// Copies files into a box or out of it.
///
/// # Errors
/// Two sides in boxes or none (2), no such box (3), a source that is missing or cannot be read, a destination that
/// cannot take it (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let request = Request::parse(&arguments.source, &arguments.destination, arguments.follow_link)?;
    on_runtime(async {
        let mut interrupt = Interrupt::new()?;
        let copied = async {
            let target = interrupt
                .guard(Target::resolve(context, request.name.as_deref()))
                .await?;
            copy::copy(context, &target, &request, &mut interrupt).await
        };
        let outcome = match copied.await {
            Ok(outcome) => outcome,
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Interrupted) => return Ok(interrupt::EXIT),
        };
        if context.json {
            context.ui.json(&outcome)?;
        } else if outcome.destination != "-" {
            let amount = match outcome.files {
                Some(files) => files_and_bytes(files, outcome.bytes),
                None => format!("an archive of {}", size(outcome.bytes)),
            };
            context
                .ui
                .status(&format!("copied {amount} to {}", outcome.destination));
        }
        Ok(Exit::SUCCESS)
    })
}
