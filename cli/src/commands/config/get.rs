//! `agentbox config get`.

use agentbox_ctl::config::settings::SettingKind;
use agentbox_ctl::failure::Failure;

use super::row::JsonSetting;
use super::{Whose, full_name};
use crate::Exit;
use crate::context::Context;
use crate::settings::{Row, find};
use crate::ui::strip_controls;

/// Arguments of `config get`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 1 the setting has no value, 2 there is no such setting, or a file has mistakes.

Examples:
  agentbox config get box.memory
  agentbox config get box.env.API_URL"
)]
pub(super) struct Arguments {
    /// The setting; of a mapping or list also one entry, such as box.env.NAME
    #[arg(value_name = "KEY")]
    key: String,
    #[command(flatten)]
    whose: Whose,
}

/// Prints what is in effect.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (key, entry) = find(&arguments.key)?;
    let (layers, root) = arguments.whose.layers(context)?;
    let mut rows = layers.rows(key);
    if let Some(entry) = &entry {
        rows.retain(|row| row.name.as_ref() == Some(entry));
    }
    if context.json {
        context.ui.json(&match (&entry, rows.first()) {
            (Some(_), Some(row)) => JsonSetting::of(row, root.as_deref()),
            (Some(entry), None) => JsonSetting::missing(format!("{}.{entry}", key.name)),
            (None, _) => JsonSetting::whole(key, &rows, root.as_deref()),
        })?;
        return Ok(if rows.is_empty() {
            Exit::FAILURE
        } else {
            Exit::SUCCESS
        });
    }
    if rows.is_empty() {
        let name = full_name(key, entry.as_deref());
        return Err(
            Failure::failed(format!("{name} has no value")).hint(format!("agentbox config set {name} VALUE"))
        );
    }
    for row in rows {
        let text = if entry.is_some() {
            row.text.clone()
        } else {
            line(row)
        };
        // A repository's text is not for a terminal to obey; a program gets it as it is.
        if context.ui.look().stdout_terminal {
            context.ui.line(&strip_controls(&text))?;
        } else {
            context.ui.line(&text)?;
        }
    }
    Ok(Exit::SUCCESS)
}

/// A value, or an entry as the flag of `create` takes it.
fn line(row: &Row) -> String {
    match (&row.name, row.key.kind) {
        (Some(name), SettingKind::Environment | SettingKind::Templates) => format!("{name}={}", row.text),
        (Some(name), SettingKind::Volumes) => format!("{name}:{}", row.text),
        _ => row.text.clone(),
    }
}
