//! `agentbox forward`.

use agentbox_ctl::failure::Failure;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::forward::{self, Forward};
use crate::interrupt::{self, Interrupt, Stopped};
use crate::target::Target;

/// Arguments of `forward`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox forward [OPTIONS] [BOX] [LOCAL:]PORT...",
    after_help = "A first word that is a port is no box: where boxes have an index, name them here.

Examples:
  agentbox forward mybox 3000
  agentbox forward mybox 8080:3000 0:5432"
)]
pub struct Arguments {
    /// The box: name or id, else the project's only one; then ports of it, LOCAL:PORT for another port here, 0 for any
    #[arg(value_name = "BOX | [LOCAL:]PORT", required = true)]
    words: Vec<String>,
}

/// What `--json` prints for each forward.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "box")]
    name: &'a str,
    port: u16,
    local: u16,
    addresses: Vec<String>,
    url: String,
}

/// Forwards ports of a box until a signal comes or the box is gone.
///
/// # Errors
/// No such box, or one that is gone (3), one that does not run, a port that is taken here (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, specs) = forward::split(&arguments.words)?;
    on_runtime(async {
        let mut interrupt = Interrupt::new()?;
        let forwarding = async {
            let target = Target::resolve_settled(context, name).await?;
            target.require_running()?;
            let forwards = forward::all(&specs).await?;
            for forward in &forwards {
                show(context, &target.info.name, forward)?;
            }
            forward::serve(context, &target, &forwards).await
        };
        match interrupt.guard(forwarding).await {
            Ok(never) => match never {},
            Err(Stopped::Interrupted) => Ok(interrupt::EXIT),
            Err(Stopped::Failed(failure)) => Err(failure),
        }
    })
}

fn show(context: &Context, name: &str, forward: &Forward) -> Result<(), Failure> {
    let spec = forward.spec;
    let url = format!("http://127.0.0.1:{}", spec.local);
    if !context.json {
        return context.ui.line(&format!("{url} -> {name}:{}", spec.port));
    }
    let addresses = forward.listeners.iter();
    let addresses = addresses.filter_map(|listener| Some(listener.local_addr().ok()?.ip().to_string()));
    context.ui.json(&Document {
        name,
        port: spec.port,
        local: spec.local,
        addresses: addresses.collect(),
        url,
    })
}
