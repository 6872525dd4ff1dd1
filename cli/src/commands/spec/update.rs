//! `agentbox spec update`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{RestartPolicy, ServiceSpec, ServiceSpecFields};

use super::super::kept;
use super::{policy, warn};
use crate::Exit;
use crate::context::Context;
use crate::plan::limit;
use crate::spec::{Library, checked, from_file};
use crate::ui::one_line;

/// Arguments of `spec update`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Flags change what they name and nothing else; -f replaces all of it. Boxes that have the spec get the new one at
their next `agentbox start`. Exit codes: 1 the new name is taken, 2 something is wrong with it, 3 there is no such service spec.

Examples:
  agentbox spec update api --env LOG_LEVEL=debug --unset-env OLD
  agentbox spec update api --name api-server
  agentbox spec update api -f api.yaml"
)]
pub(super) struct Arguments {
    /// Its name or id
    #[arg(value_name = "NAME")]
    which: String,
    /// A new name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The command to run; use absolute paths
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    exec_start: Option<String>,
    /// A variable to add or change; KEY alone takes its value from here. Can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = limit::variable)]
    env: Vec<(String, String)>,
    /// A variable to remove. Can be given several times
    #[arg(long, value_name = "KEY")]
    unset_env: Vec<String>,
    /// When it starts again: always, on-failure or no
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    restart: Option<RestartPolicy>,
    /// Start it with the box, after the setup scripts; --auto-enable=false does not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = limit::switch)]
    auto_enable: Option<bool>,
    /// A file of the box with more variables; a leading - makes it optional, empty text removes it
    #[arg(long, value_name = "PATH", allow_hyphen_values = true)]
    environment_file: Option<String>,
    /// All of it as JSON or YAML, instead of the flags; - is stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["name", "exec_start", "env", "unset_env", "restart", "auto_enable", "environment_file"])]
    file: Option<PathBuf>,
}

impl Arguments {
    fn says_nothing(&self) -> bool {
        self.name.is_none()
            && self.exec_start.is_none()
            && self.env.is_empty()
            && self.unset_env.is_empty()
            && self.restart.is_none()
            && self.auto_enable.is_none()
            && self.environment_file.is_none()
            && self.file.is_none()
    }

    /// The fields that these make of others.
    fn apply(&self, old: &ServiceSpecFields) -> Result<ServiceSpecFields, Failure> {
        let mut fields = old.clone();
        fields.name = self.name.clone().unwrap_or(fields.name);
        fields.exec_start = self.exec_start.clone().unwrap_or(fields.exec_start);
        fields.restart_policy = self.restart.unwrap_or(fields.restart_policy);
        fields.auto_enable = self.auto_enable.unwrap_or(fields.auto_enable);
        if let Some(file) = &self.environment_file {
            fields.environment_file = Some(file.clone()).filter(|file| !file.is_empty());
        }
        for name in &self.unset_env {
            if fields.env_vars.remove(name).is_none() {
                return Err(Failure::failed(format!(
                    "service spec `{}` has no variable {}",
                    old.name,
                    one_line(name)
                ))
                .hint(format!("agentbox spec show {}", old.name)));
            }
        }
        fields.env_vars.extend(self.env.iter().cloned());
        checked::<ServiceSpec>(fields)
    }
}

/// Changes a spec.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if arguments.says_nothing() {
        return Err(Failure::usage("nothing to change").hint("agentbox spec update --help"));
    }
    let whole = match &arguments.file {
        Some(path) => {
            let (name, content) = kept::read(path, context)?;
            Some(from_file::<ServiceSpec>(&name, &content)?)
        }
        None => None,
    };
    let store = Library::of(context)?.service_specs;
    let spec = store.update(&arguments.which, |old| match whole {
        Some(fields) => Ok(fields),
        None => arguments.apply(old),
    })?;
    warn(&spec.fields, context);
    context.ui.status(&format!(
        "service spec `{}` is changed; boxes that have it get it at their next start",
        spec.fields.name
    ));
    if context.json {
        context.ui.json(&spec)?;
    }
    Ok(Exit::SUCCESS)
}
