//! `agentbox spec show`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{ServiceSpec, unit_file};
use serde::Serialize;

use super::super::kept;
use crate::Exit;
use crate::context::Context;
use crate::spec::Library;
use crate::ui::one_line;

/// Arguments of `spec show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 3 there is no such service spec.

Examples:
  agentbox spec show api
  agentbox spec show api --unit > rigbox-svc-api.service")]
pub(super) struct Arguments {
    /// Its name or id
    #[arg(value_name = "NAME")]
    name: String,
    /// Print the equivalent systemd unit file
    #[arg(long)]
    unit: bool,
}

/// A unit file as `--json` has it.
#[derive(Debug, Serialize)]
struct UnitFile<'a> {
    name: &'a str,
    unit: &'a str,
}

/// Shows a spec.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let spec = Library::of(context)?.service_specs.find(&arguments.name)?;
    if arguments.unit {
        // As in agentbox's own image; what other images call the user is theirs.
        let unit = unit_file(&spec.fields, "developer", "/home/developer");
        if context.json {
            let name = format!("{}.service", spec.fields.unit_name());
            context.ui.json(&UnitFile {
                name: &name,
                unit: &unit,
            })?;
        } else {
            context.ui.data(&unit)?;
        }
    } else if context.json {
        context.ui.json(&spec)?;
    } else {
        context.ui.data(&text(&spec))?;
    }
    Ok(Exit::SUCCESS)
}

fn text(spec: &ServiceSpec) -> String {
    let fields = &spec.fields;
    let mut rows = vec![
        ("name", fields.name.clone()),
        ("id", spec.id.clone()),
        ("unit", fields.unit_name()),
        ("exec_start", one_line(&fields.exec_start).into_owned()),
    ];
    let mut label = "env_vars";
    for (name, value) in &fields.env_vars {
        rows.push((label, one_line(&format!("{name}={value}")).into_owned()));
        label = "";
    }
    if let Some(file) = &fields.environment_file {
        rows.push(("environment_file", one_line(file).into_owned()));
    }
    rows.push(("restart_policy", fields.restart_policy.to_string()));
    rows.push(("auto_enable", fields.auto_enable.to_string()));
    rows.push(("created_at", spec.created_at.to_string()));
    rows.push(("updated_at", spec.updated_at.to_string()));
    kept::details(&rows)
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::spec::ServiceSpecFields;
    use agentbox_ctl::time::Timestamp;

    use super::*;
    use crate::spec::Kept;

    #[test]
    fn details_are_in_two_columns() {
        let fields = ServiceSpecFields {
            name: "api".into(),
            exec_start: "/bin/api --port\n3000".into(),
            env_vars: [("A", "1"), ("B", "\u{1b}[2J2")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..ServiceSpecFields::default()
        };
        let spec = ServiceSpec::new("svc_a".into(), fields, Timestamp::from_millis(0));
        insta::assert_snapshot!(text(&spec), @r"
        name:            api
        id:              svc_a
        unit:            rigbox-svc-api
        exec_start:      /bin/api --port 3000
        env_vars:        A=1
                         B=2
        restart_policy:  on-failure
        auto_enable:     false
        created_at:      1970-01-01T00:00:00.000Z
        updated_at:      1970-01-01T00:00:00.000Z
        ");
    }
}
