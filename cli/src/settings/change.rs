//! What `agentbox config set` and `unset` do to the entries of a file, and reading the value of `set`.

use agentbox_ctl::config::settings::{Entry, SettingKey, SettingKind};
use agentbox_ctl::config::{limit, load_settings};
use agentbox_ctl::failure::Failure;

use super::yaml::scalar;
use crate::ui::one_line;

/// A change of one file's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Gives a setting these entries and no others; none unsets it.
    Whole {
        /// Which setting.
        key: &'static SettingKey,
        /// Names, as [`Entry::name`] has them, and texts.
        values: Vec<(Option<String>, String)>,
    },
    /// Gives one entry of a mapping or list this text, or removes it.
    One {
        /// Which setting.
        key: &'static SettingKey,
        /// The entry's name.
        name: String,
        /// Its text; `None` removes it.
        text: Option<String>,
    },
}

impl Change {
    /// What `set KEY VALUE` means: of a mapping VALUE is a mapping in YAML, of a list its items between commas.
    ///
    /// # Errors
    /// A value that is none of this setting (2).
    pub fn set(key: &'static SettingKey, name: Option<String>, value: &str) -> Result<Self, Failure> {
        let named = match &name {
            Some(name) => format!("{}.{name}", key.name),
            None => key.name.to_owned(),
        };
        let wrong = |text: String| Failure::usage(format!("{}: {}", one_line(&named), one_line(&text)));
        let single = |text: Result<String, String>| text.map(|text| vec![(None, text)]).map_err(wrong);
        if let Some(name) = name {
            if key.kind.is_list() {
                return Err(Failure::usage(format!("{} is a list, set as a whole", key.name))
                    .hint(format!("agentbox config set {} {name},ANOTHER", key.name)));
            }
            let text = entry(key.kind, &name, value).map_err(wrong)?;
            return Ok(Self::One {
                key,
                name,
                text: Some(text),
            });
        }
        let trimmed = value.trim().to_owned();
        let values = match key.kind {
            SettingKind::Boolean => single(boolean(&trimmed)),
            SettingKind::Cpus => single(limit::cpus(&trimmed).map(cpus)),
            SettingKind::Pids => single(limit::pids(&trimmed).map(|number| number.to_string())),
            SettingKind::Depth => single(limit::depth(&trimmed).map(|number| number.to_string())),
            SettingKind::Duration => single(limit::duration(&trimmed).map(|_| trimmed)),
            SettingKind::Port => single(limit::port(&trimmed).map(|number| number.to_string())),
            SettingKind::Memory => single(limit::memory(&trimmed).map(|_| trimmed)),
            SettingKind::Size => single(limit::size(&trimmed).map(|_| trimmed)),
            SettingKind::Reference => single(limit::reference(&trimmed)),
            SettingKind::Network => single(limit::network(&trimmed)),
            SettingKind::Capabilities | SettingKind::Names => list(key.kind, &trimmed).map_err(wrong),
            SettingKind::Environment | SettingKind::Volumes | SettingKind::Templates => {
                mapping(key, &trimmed)
            }
        }?;
        if values.is_empty() {
            return Err(Failure::usage(format!("no value for {}", key.name))
                .hint(format!("agentbox config unset {}", key.name)));
        }
        Ok(Self::Whole { key, values })
    }

    /// What `unset KEY` means.
    pub fn unset(key: &'static SettingKey, name: Option<String>) -> Self {
        match name {
            Some(name) => Self::One {
                key,
                name,
                text: None,
            },
            None => Self::Whole {
                key,
                values: Vec::new(),
            },
        }
    }

    /// Which setting is changed.
    pub fn key(&self) -> &'static SettingKey {
        match self {
            Self::Whole { key, .. } | Self::One { key, .. } => key,
        }
    }

    /// The entries after the change.
    pub(super) fn apply(&self, before: &[Entry]) -> Vec<Entry> {
        let mut after = before.to_vec();
        let entry = |name: &Option<String>, text: &str| Entry {
            key: self.key(),
            name: name.clone(),
            text: text.to_owned(),
            line: 0,
        };
        match self {
            Self::Whole { key, values } => {
                after.retain(|entry| entry.key != *key);
                after.extend(values.iter().map(|(name, text)| entry(name, text)));
            }
            Self::One { key, name, text } => {
                let is_meant = |entry: &Entry| entry.key == *key && entry.name.as_ref() == Some(name);
                match (text, after.iter_mut().find(|entry| is_meant(entry))) {
                    (Some(text), Some(entry)) => entry.text.clone_from(text),
                    (Some(text), None) => after.push(entry(&Some(name.clone()), text)),
                    (None, _) => after.retain(|entry| !is_meant(entry)),
                }
            }
        }
        after
    }
}

fn boolean(text: &str) -> Result<String, String> {
    match text {
        "true" | "false" => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is neither true nor false")),
    }
}

/// A number of CPUs as it is written in a file.
fn cpus(billionths: i64) -> String {
    (billionths as f64 / 1e9).to_string()
}

fn list(kind: SettingKind, text: &str) -> Result<Vec<(Option<String>, String)>, String> {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let mut values: Vec<(Option<String>, String)> = Vec::new();
    let items = inside.unwrap_or(text).split(',').map(str::trim);
    for item in items.filter(|item| !item.is_empty()) {
        let item = kind.item(item)?;
        if !values.iter().any(|(_, known)| *known == item) {
            values.push((Some(item.clone()), item));
        }
    }
    Ok(values)
}

fn mapping(key: &SettingKey, text: &str) -> Result<Vec<(Option<String>, String)>, Failure> {
    let example = match key.kind {
        SettingKind::Volumes => "'{cache: /home/developer/.cache}'",
        SettingKind::Templates => "'{tpl_node: node:22}'",
        _ => "'{KEY: value}'",
    };
    let hint = format!(
        "agentbox config set {} {example}, or one entry: agentbox config set {}.NAME VALUE",
        key.name, key.name
    );
    if !text.starts_with('{') {
        return Err(Failure::usage(format!("{} is a mapping", key.name)).hint(hint));
    }
    // As a value of its own, so that no text can end it and go on with another key.
    match load_settings(format!("{}:\n  {}\n", key.name, text.replace('\n', "\n  ")).as_bytes()) {
        Ok(entries) if entries.iter().all(|entry| entry.key.name == key.name) => Ok(entries
            .into_iter()
            .map(|entry| (entry.name, entry.text))
            .collect()),
        Ok(_) => Err(Failure::usage(format!("{} takes one mapping", key.name)).hint(hint)),
        Err(mistakes) => {
            let mut failure = Failure::usage(format!("wrong value for {}", key.name));
            for mistake in mistakes {
                failure = failure.cause(mistake.message.replace(" in the file", ""));
            }
            Err(failure.hint(hint))
        }
    }
}

/// The text of one entry in its plainest form.
fn entry(kind: SettingKind, name: &str, text: &str) -> Result<String, String> {
    if kind == SettingKind::Volumes {
        limit::volume_name(name)?;
        return limit::volume_path(text.trim());
    }
    if kind == SettingKind::Templates {
        limit::template_name(name)?;
        return limit::reference(text.trim());
    }
    if name.contains(|character: char| "=\0".contains(character) || character.is_whitespace()) {
        return Err("a variable's name has no = and no blanks in it".to_owned());
    }
    if text.contains('\0') {
        return Err("text cannot have a NUL character in it".to_owned());
    }
    Ok(text.to_owned())
}

/// The lines of a setting's value after `indent` blanks, its key first.
pub(super) fn render(
    key: &SettingKey,
    shown_key: &str,
    values: &[(Option<String>, String)],
    indent: usize,
) -> Vec<String> {
    let margin = " ".repeat(indent);
    if key.kind.is_mapping() {
        let mut lines = vec![format!("{margin}{shown_key}:")];
        lines.extend(values.iter().map(|(name, text)| {
            let name = scalar(name.as_deref().unwrap_or_default());
            format!("{margin}  {name}: {}", scalar(text))
        }));
        return lines;
    }
    let texts: Vec<_> = values.iter().map(|(_, text)| scalar(text)).collect();
    let value = if key.kind.is_list() {
        format!("[{}]", texts.join(", "))
    } else {
        texts.join("")
    };
    vec![format!("{margin}{shown_key}: {value}")]
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentbox_ctl::config::settings::key;

    fn set(name: &str, value: &str) -> Result<Vec<(Option<String>, String)>, Failure> {
        match Change::set(key(name).unwrap(), None, value)? {
            Change::Whole { values, .. } => Ok(values),
            Change::One { .. } => panic!("one entry"),
        }
    }

    #[test]
    fn values_of_each_kind() {
        for (name, value, text) in [
            ("box.memory", " 4G", "4G"),
            ("box.cpus", "1.50", "1.5"),
            ("box.pids", "+100", "100"),
            ("box.wait", "true", "true"),
            ("box.network", "none", "none"),
            ("carry.max_bytes", "0", "0"),
            ("checkpoint.max_depth", " 7", "7"),
            ("relay.port", "8080", "8080"),
        ] {
            assert_eq!(set(name, value), Ok(vec![(None, text.to_owned())]), "{name}");
        }
        let names = |values: Vec<(Option<String>, String)>| {
            values
                .into_iter()
                .map(|(name, text)| format!("{}={text}", name.unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(set("box.cap_add", "[sys_ptrace, NET_RAW,]").unwrap()),
            ["SYS_PTRACE=SYS_PTRACE", "NET_RAW=NET_RAW"]
        );
        assert_eq!(
            names(set("box.env", "{A: 1.10, B: ''}").unwrap()),
            ["A=1.10", "B="]
        );
        assert_eq!(names(set("box.volumes", "{c: /x//y}").unwrap()), ["c=/x/y"]);
        for (name, value) in [
            ("box.memory", "4x"),
            ("box.cpus", "many"),
            ("box.pids", "1"),
            ("box.wait", "yes"),
            ("relay.port", "0"),
            ("relay.port", "65536"),
            ("box.network", "host"),
            ("box.image", ""),
            ("box.cap_add", "a b"),
            ("box.cap_add", ""),
            ("box.env", "A=b"),
            ("box.env", "{A: b"),
            ("box.env", "{}"),
            ("box.env", "{A: b}\nbox.memory: 4g"),
            ("box.env", "{A: b}\n---\n{}"),
            ("box.volumes", "{a: /x, b: /x}"),
        ] {
            assert_eq!(
                set(name, value).unwrap_err().kind.exit_code(),
                2,
                "{name} {value}"
            );
        }
    }

    #[test]
    fn entries_of_mappings() {
        let set = |name: &str, entry: &str, value: &str| {
            Change::set(key(name).unwrap(), Some(entry.to_owned()), value)
        };
        let Ok(Change::One { text, .. }) = set("box.env", "A", " b\nc ") else {
            panic!("refused")
        };
        assert_eq!(text.as_deref(), Some(" b\nc "));
        assert!(set("box.env", "A B", "c").is_err());
        assert!(set("box.env", "A=B", "c").is_err());
        assert!(set("box.volumes", "/a", "/c").is_err());
        assert!(set("box.volumes", "a", "c").is_err());
        let failure = set("box.cap_add", "NET_RAW", "x").unwrap_err();
        assert_eq!(failure.hints, ["agentbox config set box.cap_add NET_RAW,ANOTHER"]);
    }
}
