//! The JSON Schema of `agentbox.yaml`, for editors.
//!
//! It accepts and rejects what the walker does, but for rules that compare places of the file (names, cycles,
//! `max_ms`), rules about how something is written (`0644`, a regular expression, a URL) and duplicate keys. Keys and
//! descriptions come from the tables that the walker reads by; a test runs one set of documents through both.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use super::keys::{self, Key};
use super::limit;
use super::settings::{self, SettingKey, SettingKind};
use super::signal;
use super::walk::limits;

/// Where the schema is published.
pub const URL: &str = "https://agentbox.dev/schema/agentbox.json";

/// The schema: JSON Schema, draft 2020-12.
pub fn document() -> Value {
    let mut root = object(keys::FILE, |key| match key {
        "services" => units("service"),
        "tasks" => units("task"),
        "carry" => json!({"type": ["array", "null"], "items": reference("carry")}),
        "defaults" => defaults(),
        _ => json!({"type": ["object", "null"]}),
    });
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["$id"] = json!(URL);
    root["title"] = json!("agentbox.yaml");
    root["description"] = json!("Services and tasks of a box.");
    root["type"] = json!(["object", "null"]);
    root["patternProperties"] =
        json!({"^x-": {"description": "Ignored; a place for anchors and for other tools."}});
    root["$defs"] = json!({
        "text": {"type": ["string", "number", "boolean"], "pattern": "\\S"},
        "textOrEmpty": {"type": ["string", "number", "boolean"]},
        "texts": {"type": "array", "items": {"$ref": "#/$defs/text"}},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "carry": carry(),
        "command": command(),
        "envFile": env_file(),
        "service": service(),
        "task": task(),
        "image": image(),
        "backoff": backoff(),
        "readyWhen": ready_when(),
        "expose": expose(),
        "runOnce": run_once(),
    });
    root
}

/// The line that tells editors where the schema is: the first of a new file.
pub fn modeline(url: &str) -> String {
    format!("# yaml-language-server: $schema={url}")
}

/// Settings by section, and beside the sections in one word each.
fn defaults() -> Value {
    let mut properties: Map<_, _> = settings::KEYS
        .iter()
        .map(|key| (key.name.to_owned(), setting(key)))
        .collect();
    for (section, description) in settings::SECTIONS {
        let keys: Map<_, _> = settings::section(section)
            .map(|(name, key)| (name.to_owned(), setting(key)))
            .collect();
        properties.insert(
            section.to_owned(),
            json!({
                "type": ["object", "null"],
                "description": description,
                "properties": keys,
                "additionalProperties": false,
            }),
        );
    }
    json!({"type": ["object", "null"], "properties": properties, "additionalProperties": false})
}

fn setting(key: &SettingKey) -> Value {
    let text = |pattern: &str| json!({"type": ["string", "number", "boolean"], "pattern": pattern});
    let mut value = match key.kind {
        SettingKind::Boolean => json!({"type": "boolean"}),
        SettingKind::Cpus => json!({"type": "number"}),
        SettingKind::Pids => json!({"type": "integer"}),
        SettingKind::Memory | SettingKind::Size => json!({
            "type": ["string", "number"],
            "pattern": "^\\s*([0-9]+\\.?[0-9]*|\\.[0-9]+)[kKmMgGtT]?([iI]?[bB])?\\s*$",
        }),
        SettingKind::Reference => text("^[^\\s-]\\S*$"),
        SettingKind::Network => text("^[A-Za-z0-9_.-]+$"),
        SettingKind::Environment => unit_key("env"),
        SettingKind::Volumes => json!({
            "type": "object",
            "propertyNames": {"pattern": format!("^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{}}}$", limit::LONGEST_VOLUME_NAME - 1)},
            "additionalProperties": {"type": "string", "pattern": "^/[^:]*$"},
        }),
        SettingKind::Capabilities => json!({"type": "array", "items": text("^[A-Za-z_]+$")}),
    };
    match key.kind {
        SettingKind::Cpus => {
            value["minimum"] = json!(limit::CPUS.start());
            value["maximum"] = json!(limit::CPUS.end());
        }
        SettingKind::Pids => {
            value["minimum"] = json!(limit::PIDS.start());
            value["maximum"] = json!(limit::PIDS.end());
        }
        SettingKind::Memory => value["minimum"] = json!(limit::LEAST_MEMORY),
        SettingKind::Size => value["minimum"] = json!(0),
        SettingKind::Network => value["not"] = json!({"enum": ["host"]}),
        SettingKind::Environment => value["propertyNames"]["pattern"] = json!("^[^=\\s]+$"),
        _ => {}
    }
    value["description"] = json!(key.description);
    value
}

/// A mapping of exactly these keys.
fn object(table: &[Key], schema_of: impl Fn(&str) -> Value) -> Value {
    let mut properties = Map::new();
    for key in table {
        let mut property = schema_of(key.name);
        property["description"] = json!(key.description);
        properties.insert(key.name.to_owned(), property);
    }
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn milliseconds(least: i64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": limits::LONGEST_MS})
}

fn units(kind: &str) -> Value {
    let reserved: Vec<_> = limits::RESERVED.iter().map(|(prefix, _)| *prefix).collect();
    json!({
        "type": ["object", "null"],
        "propertyNames": {
            "pattern": format!("^[A-Za-z0-9_-]{{1,{}}}$", limits::LONGEST_NAME),
            "not": {"pattern": format!("^({})", reserved.join("|"))},
        },
        "additionalProperties": reference(kind),
    })
}

fn command() -> Value {
    json!({"anyOf": [
        reference("text"),
        {"type": "array", "minItems": 1, "prefixItems": [reference("text")], "items": reference("textOrEmpty")},
    ]})
}

/// What has a slash in it has no look-alikes: only text can be a path.
fn carry() -> Value {
    let no_way_up = "(^|[/=])\\.\\.(/|=|$)";
    let kernel = limits::KERNEL.join("|");
    let own = limits::OWN.join("|").replace('.', "\\.");
    let forbidden = format!("^({kernel}|{own})(/|$)|^/workspace/?$|{no_way_up}");
    let mut entry = object(keys::CARRY, |key| match key {
        "src" => json!({
            "type": "string",
            "pattern": "^[.~]?/+[^/]",
            "not": {"pattern": format!("^({kernel})(/|$)|{no_way_up}")},
        }),
        "dest" => json!({"type": "string", "pattern": "^~?/+[^/]", "not": {"pattern": forbidden}}),
        "mode" => json!({"type": "string", "pattern": "^0?[0-7]{3}$"}),
        "user" => unit_key(key),
        "exclude" => reference("texts"),
        _ => json!({"type": "boolean"}),
    });
    entry["required"] = json!(["src"]);
    json!({"anyOf": [
        {
            "type": "string",
            "pattern": "^([.~]/+[^/=][^=]*|[.~]?/+[^/=][^=]*=~?/+[^/].*)$",
            "not": {"pattern": no_way_up},
        },
        entry,
    ]})
}

fn env_file() -> Value {
    let mut entry = object(keys::ENV_FILE_ENTRY, |key| match key {
        "optional" => json!({"type": "boolean"}),
        _ => reference("text"),
    });
    entry["required"] = json!(["path"]);
    json!({"anyOf": [reference("text"), entry]})
}

/// What services and tasks have in common.
fn unit_key(key: &str) -> Value {
    match key {
        "command" => reference("command"),
        "env" => json!({
            "type": "object",
            "propertyNames": {"pattern": "^[^=]+$"},
            "additionalProperties": reference("textOrEmpty"),
        }),
        "env_file" => {
            json!({"anyOf": [reference("envFile"), {"type": "array", "items": reference("envFile")}]})
        }
        "user" => json!({"type": ["string", "number", "boolean"], "pattern": "^[^:\\s]+$"}),
        "needs" => json!({"type": "array", "items": reference("text"), "uniqueItems": true}),
        _ => reference("text"),
    }
}

fn service() -> Value {
    let mut service = object(keys::SERVICE, |key| match key {
        "image" => reference("image"),
        "autostart" => json!({"type": "boolean"}),
        "restart" => json!({"enum": ["always", "on-failure", "never", "no"]}),
        "backoff" => reference("backoff"),
        "ready_when" => reference("readyWhen"),
        "stop_signal" => stop_signal(),
        "stop_timeout_ms" => milliseconds(0),
        "expose" => reference("expose"),
        "ide" => json!({"type": "object"}),
        _ => unit_key(key),
    });
    service["oneOf"] = json!([{"required": ["command"]}, {"required": ["image"]}]);
    service
}

fn task() -> Value {
    let mut task = object(keys::TASK, |key| match key {
        "run_once" => reference("runOnce"),
        _ => unit_key(key),
    });
    task["required"] = json!(["command"]);
    task
}

fn stop_signal() -> Value {
    let names: Vec<_> = signal::names().collect();
    let offset = "([0-9]|[12][0-9]|30)";
    json!({"anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 31},
        {"type": "integer", "minimum": 34, "maximum": 64},
        {"type": "string", "pattern": "^([1-9]|[12][0-9]|3[014-9]|[45][0-9]|6[0-4])$"},
        {
            "type": "string",
            "pattern": format!("^(SIG)?({}|RTMIN(\\+{offset})?|RTMAX(-{offset})?)$", names.join("|")),
        },
    ]})
}

fn image() -> Value {
    let mut image = object(keys::IMAGE, |key| match key {
        "name" => json!({"type": ["string", "number", "boolean"], "pattern": "^[^\\s-]\\S*$"}),
        "ports" => reference("texts"),
        "args" => json!({"type": "array", "items": reference("textOrEmpty")}),
        _ => json!({"type": ["string", "number", "boolean"], "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]+$"}),
    });
    image["required"] = json!(["name"]);
    image
}

fn backoff() -> Value {
    object(keys::BACKOFF, |key| match key {
        "factor" => json!({"type": "number", "minimum": 1, "maximum": limits::LARGEST_FACTOR}),
        _ => milliseconds(1),
    })
}

fn ready_when() -> Value {
    let mut probe = object(keys::READY_WHEN, |key| match key {
        "port" => reference("port"),
        "expect_status" => json!({"type": "integer", "minimum": 100, "maximum": 599}),
        "log_match" => json!({"type": ["string", "number", "boolean"], "pattern": "[\\s\\S]"}),
        "interval_ms" | "timeout_ms" => milliseconds(1),
        "initial_delay_ms" => milliseconds(0),
        "on_timeout" => json!({"enum": ["kill", "mark_unhealthy"]}),
        _ => reference("text"),
    });
    let only = |check: &str, others: &[&str]| {
        let others: Vec<_> = others.iter().map(|other| json!({"required": [other]})).collect();
        json!({"required": [check], "not": {"anyOf": others}})
    };
    probe["oneOf"] = json!([
        only("port", &["http", "log_match", "expect_status"]),
        only("http", &["port", "log_match", "host"]),
        only(
            "log_match",
            &[
                "port",
                "http",
                "host",
                "expect_status",
                "interval_ms",
                "initial_delay_ms"
            ]
        ),
    ]);
    probe
}

fn expose() -> Value {
    let mut expose = object(keys::EXPOSE, |key| match key {
        "as" => json!({"const": 80}),
        _ => reference("port"),
    });
    expose["required"] = json!(["port"]);
    expose
}

fn run_once() -> Value {
    let mut mapping = object(keys::RUN_ONCE, |key| match key {
        "check" => reference("command"),
        _ => json!({"type": "array", "minItems": 1, "items": reference("text")}),
    });
    mapping["minProperties"] = json!(1);
    mapping["oneOf"] = json!([
        {"required": ["check"], "maxProperties": 1},
        {"not": {"required": ["check"]}},
    ]);
    json!({"anyOf": [{"type": "boolean"}, mapping]})
}
