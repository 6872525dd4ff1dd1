//! `agentbox setup-script list`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::SetupScript;

use super::super::kept;
use crate::Exit;
use crate::context::Context;

/// Arguments of `setup-script list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox setup-script list
  agentbox setup-script list --json | jq '.[].name'")]
pub(super) struct Arguments {}

/// Lists scripts by name.
pub(super) fn run(_arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let header = ["NAME", "ID", "RUN-ON", "LINES", "FIRST-LINE"];
    kept::list(context, &header, |script: &SetupScript| {
        let content = &script.fields.content;
        vec![
            script.fields.name.clone(),
            script.id.clone(),
            script.fields.run_on.to_string(),
            content.lines().count().to_string(),
            kept::short(content.lines().next().unwrap_or_default()),
        ]
    })
}
