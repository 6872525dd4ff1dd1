//! `agentbox spec create`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{RestartPolicy, ServiceSpec, ServiceSpecFields};

use super::super::kept;
use super::{policy, warn};
use crate::Exit;
use crate::context::Context;
use crate::plan::limit;
use crate::spec::{Library, checked, from_file};

/// Arguments of `spec create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the spec's id. The command is split as systemd's ExecStart= is: quotes, no shell. Exit codes: 1 the
name is taken, 2 something is wrong with it.

Examples:
  agentbox spec create api --exec-start '/usr/bin/node /home/developer/app/server.js' --env PORT=3000 --auto-enable
  agentbox spec create -f api.yaml
  agentbox spec show api --json | jq '.name = \"api-2\"' | agentbox spec create -f -"
)]
pub(super) struct Arguments {
    /// Its name: letters, digits, _ and -; the unit is rigbox-svc-NAME
    #[arg(value_name = "NAME", required_unless_present = "file")]
    name: Option<String>,
    /// The command to run; use absolute paths
    #[arg(
        long,
        value_name = "CMD",
        allow_hyphen_values = true,
        required_unless_present = "file"
    )]
    exec_start: Option<String>,
    /// A variable of the service; KEY alone takes its value from here. Can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = limit::variable)]
    env: Vec<(String, String)>,
    /// When it starts again: always, on-failure (the default) or no
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    restart: Option<RestartPolicy>,
    /// Start it with the box, after the setup scripts
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = limit::switch)]
    auto_enable: Option<bool>,
    /// A file of the box with more variables; a leading - makes it optional
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    environment_file: Option<String>,
    /// All of it as JSON or YAML, instead of the flags; - is stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["name", "exec_start", "env", "restart", "auto_enable", "environment_file"])]
    file: Option<PathBuf>,
}

/// Keeps a new spec, and prints its id.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let fields = match &arguments.file {
        Some(path) => {
            let (name, content) = kept::read(path, context)?;
            from_file::<ServiceSpec>(&name, &content)?
        }
        None => checked::<ServiceSpec>(ServiceSpecFields {
            name: arguments.name.clone().unwrap_or_default(),
            exec_start: arguments.exec_start.clone().unwrap_or_default(),
            env_vars: arguments.env.iter().cloned().collect(),
            environment_file: arguments.environment_file.clone(),
            restart_policy: arguments.restart.unwrap_or_default(),
            auto_enable: arguments.auto_enable.unwrap_or_default(),
        })?,
    };
    warn(&fields, context);
    let spec = Library::of(context)?.service_specs.create(fields)?;
    let name = &spec.fields.name;
    context.ui.status(&format!(
        "service spec `{name}` is kept: agentbox create --service-spec {name}, or agentbox spec attach BOX {name}"
    ));
    if context.json {
        context.ui.json(&spec)?;
    } else {
        context.ui.line(&spec.id)?;
    }
    Ok(Exit::SUCCESS)
}
