//! `agentbox spec list`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::ServiceSpec;

use super::super::kept;
use crate::Exit;
use crate::context::Context;

/// Arguments of `spec list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox spec list
  agentbox spec list --json | jq '.[].name'")]
pub(super) struct Arguments {}

/// Lists specs by name.
pub(super) fn run(_arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let header = ["NAME", "ID", "RESTART", "AUTO-ENABLE", "EXEC-START"];
    kept::list(context, &header, |spec: &ServiceSpec| {
        vec![
            spec.fields.name.clone(),
            spec.id.clone(),
            spec.fields.restart_policy.to_string(),
            if spec.fields.auto_enable { "yes" } else { "no" }.to_owned(),
            kept::short(&spec.fields.exec_start),
        ]
    })
}
