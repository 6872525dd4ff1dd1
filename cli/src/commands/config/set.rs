//! `agentbox config set`.

use agentbox_ctl::failure::Failure;

use super::{Whose, described, full_name};
use crate::Exit;
use crate::context::Context;
use crate::settings::{Change, Changed, SettingsFile, Source, find};

/// Arguments of `config set`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A list is written with commas, a mapping entry by entry or as YAML: '{A: b, C: d}'.

Examples:
  agentbox config set box.memory 4g
  agentbox config set --global box.image node:22
  agentbox config set box.env.API_URL http://localhost:9000
  agentbox config set box.cap_add SYS_PTRACE,NET_RAW"
)]
pub(super) struct Arguments {
    /// The setting; of a mapping also one entry, such as box.env.NAME
    #[arg(value_name = "KEY")]
    key: String,
    /// Its value
    #[arg(value_name = "VALUE", allow_hyphen_values = true)]
    value: String,
    #[command(flatten)]
    whose: Whose,
}

/// Writes a value, and says where.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (key, entry) = find(&arguments.key)?;
    let change = Change::set(key, entry.clone(), &arguments.value)?;
    if key.is_of_user() && arguments.whose.project(context)?.is_some() {
        return Err(
            Failure::usage(format!("{} is one setting for all projects", key.name)).hint(format!(
                "agentbox config set --global {} {}",
                key.name, arguments.value
            )),
        );
    }
    let (changed, file) = arguments.whose.change(&change, context)?;
    let name = full_name(key, entry.as_deref());
    let place = described(&file, context.home.as_deref());
    context.ui.status(&if changed == Changed::Not {
        format!("{name} was so already in {place}")
    } else {
        format!("{name} is set in {place}")
    });
    if let Some(stronger) = stronger(arguments, context, &file, &change, &name) {
        context.ui.warning(&stronger);
    }
    Ok(Exit::SUCCESS)
}

/// What wins over the value that was just written. Files that cannot be read are for the command that needs them.
fn stronger(
    arguments: &Arguments,
    context: &Context,
    file: &SettingsFile,
    change: &Change,
    name: &str,
) -> Option<String> {
    // Other entries and items are no rivals.
    let text = match change {
        Change::Whole { key, values } if !key.kind.is_list() && !key.kind.is_mapping() => {
            values.first().map(|(_, text)| text)?
        }
        Change::Whole { .. } => return None,
        Change::One { text, .. } => text.as_ref()?,
    };
    let nearby = Whose {
        global: false,
        project: arguments.whose.project.clone(),
    };
    let (layers, _) = nearby.layers(context).ok()?;
    let (key, entry) = find(&arguments.key).ok()?;
    let winner = layers
        .rows(key)
        .into_iter()
        .filter(|row| entry.is_none() || row.name == entry)
        .find(|row| match &row.source {
            Source::Defaults { .. } => true,
            Source::File { scope, .. } => {
                *scope != file.scope && file.scope == crate::settings::Scope::Global
            }
            Source::BuiltIn => false,
        })?;
    (winner.text != *text).then(|| {
        format!(
            "for this project {} says otherwise about {name}, and wins",
            winner.source.place(context.home.as_deref())
        )
    })
}
