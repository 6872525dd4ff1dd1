//! One setting as `--json` has it.

use std::path::Path;

use agentbox_ctl::config::settings::{SettingKey, SettingKind};
use agentbox_ctl::paths::CONFIG_NAME;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::settings::{Row, Scope, Source};

/// A setting, or an entry of one.
#[derive(Debug, Serialize)]
pub(super) struct JsonSetting {
    key: String,
    value: Value,
    origin: Option<&'static str>,
    file: Option<String>,
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<Vec<JsonSetting>>,
}

impl JsonSetting {
    /// A whole setting. `root` is the project's.
    pub(super) fn whole(key: &SettingKey, rows: &[&Row], root: Option<&Path>) -> Self {
        let entries: Vec<_> = rows.iter().map(|row| Self::of(row, root)).collect();
        if key.kind.is_mapping() || key.kind.is_list() {
            let texts = rows.iter().map(|row| Value::from(row.text.as_str()));
            let value = if key.kind.is_list() {
                texts.collect()
            } else {
                let names = rows.iter().filter_map(|row| row.name.clone());
                Value::Object(names.zip(texts).collect::<Map<_, _>>())
            };
            return Self {
                value,
                entries: Some(entries),
                ..Self::missing(key.name.to_owned())
            };
        }
        let missing = || Self::missing(key.name.to_owned());
        entries.into_iter().next().unwrap_or_else(missing)
    }

    /// A setting or entry without a value.
    pub(super) fn missing(key: String) -> Self {
        Self {
            key,
            value: Value::Null,
            origin: None,
            file: None,
            line: None,
            entries: None,
        }
    }

    /// One value.
    pub(super) fn of(row: &Row, root: Option<&Path>) -> Self {
        let (origin, file, line) = match &row.source {
            Source::Defaults { line } => (
                "defaults",
                root.map(|root| root.join(CONFIG_NAME).display().to_string()),
                Some(*line),
            ),
            Source::File { scope, path, line } => (
                match scope {
                    Scope::Project => "project",
                    Scope::Global => "global",
                },
                Some(path.display().to_string()),
                Some(*line),
            ),
            Source::BuiltIn => ("built-in", None, None),
        };
        Self {
            key: match &row.name {
                Some(name) => format!("{}.{name}", row.key.name),
                None => row.key.name.to_owned(),
            },
            value: typed(row.key.kind, &row.text),
            origin: Some(origin),
            file,
            line,
            entries: None,
        }
    }
}

fn typed(kind: SettingKind, text: &str) -> Value {
    let parsed = match kind {
        // A whole number of CPUs is one in JSON too, and a number that fits no double is text.
        SettingKind::Boolean
        | SettingKind::Cpus
        | SettingKind::Pids
        | SettingKind::Depth
        | SettingKind::Port => serde_json::from_str(text).ok(),
        _ => None,
    };
    parsed.unwrap_or_else(|| Value::from(text))
}
