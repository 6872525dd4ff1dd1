//! The JSON Schema of `agentbox.yaml`, for editors.
//!
//! ```text
//! template.json ─► a description for each key, from the tables that the walker reads by ─► settings by section ─► schema
//! ```
//!
//! It accepts and rejects what the walker does, but for rules that compare places of the file (names, cycles,
//! `max_ms`), rules about how something is written (`0644`, a regular expression, a URL) and duplicate keys. Tests hold
//! the template to the tables and to the walker's limits, and run one set of documents through both. It is text
//! because code that builds it takes several times its size in the supervisor.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::keys::{self, Key};
use super::settings;

/// Where the schema is published.
pub const URL: &str = "https://agentbox.dev/schema/agentbox.json";

/// The schema without descriptions of keys. `$defs.settings` has those that `defaults` is made of, by their full names.
const TEMPLATE: &str = include_str!("template.json");

/// The tables by the definitions whose keys they describe.
const TABLES: [(&str, &[Key]); 9] = [
    ("service", keys::SERVICE),
    ("task", keys::TASK),
    ("image", keys::IMAGE),
    ("envFileEntry", keys::ENV_FILE_ENTRY),
    ("carryEntry", keys::CARRY),
    ("backoff", keys::BACKOFF),
    ("readyWhen", keys::READY_WHEN),
    ("expose", keys::EXPOSE),
    ("runOnceRules", keys::RUN_ONCE),
];

/// The schema: JSON Schema, draft 2020-12.
pub fn document() -> Value {
    let mut root: Value = serde_json::from_str(TEMPLATE).expect("the template is JSON, a test reads it");
    for key in keys::FILE {
        describe(&mut root, key.name, key.description);
    }
    for (name, table) in TABLES {
        for key in table {
            describe(&mut root["$defs"][name], key.name, key.description);
        }
    }
    // In sections, and beside the sections in one word each.
    let mut all = root["$defs"]["settings"].take();
    for key in settings::KEYS {
        describe(&mut all, key.name, key.description);
    }
    let mut properties = all["properties"].take();
    for key in settings::KEYS.iter().filter(|key| key.is_of_user()) {
        if let Some(properties) = properties.as_object_mut() {
            properties.remove(key.name);
        }
    }
    // Those of the user alone are not for a repository.
    let sections = settings::SECTIONS.into_iter();
    for (section, description) in sections.filter(|(name, _)| !settings::OF_USER.contains(name)) {
        let inside: Map<_, _> = settings::section(section)
            .map(|(name, key)| (name.to_owned(), properties[key.name].clone()))
            .collect();
        properties[section] = json!({
            "type": ["object", "null"],
            "description": description,
            "properties": inside,
            "additionalProperties": false,
        });
    }
    root["properties"]["defaults"]["properties"] = properties;
    if let Some(definitions) = root["$defs"].as_object_mut() {
        definitions.remove("settings");
    }
    root
}

/// The line that tells editors where the schema is: the first of a new file.
pub fn modeline(url: &str) -> String {
    format!("# yaml-language-server: $schema={url}")
}

fn describe(object: &mut Value, key: &str, description: &str) {
    object["properties"][key]["description"] = description.into();
}
