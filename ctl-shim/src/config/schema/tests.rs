//! The schema against the walker. The validator knows only the keywords that the schema uses, and panics at any other.

use regex::Regex;
use serde_json::{Map, Number, Value};

use super::*;
use crate::config::walk::limits;
use crate::config::yaml::{self, Content, Document, Node, scalar};
use crate::config::{LoadOptions, limit, load, signal};

/// A document as an editor's YAML library sees it: the core schema decides what a plain scalar is.
fn to_json(document: &Document<'_>, node: &Node<'_>) -> Value {
    match &node.content {
        Content::Scalar { .. } if node.is_null() => Value::Null,
        Content::Scalar { text, plain: true } => {
            if let Ok(value) = scalar::boolean(text) {
                Value::Bool(value)
            } else if let Ok(value) = scalar::whole_number(text) {
                Value::from(value)
            } else if let Some(value) = scalar::number(text).ok().and_then(Number::from_f64) {
                Value::Number(value)
            } else {
                Value::from(text.as_ref())
            }
        }
        Content::Scalar { text, plain: false } => Value::from(text.as_ref()),
        Content::Sequence(items) => items
            .iter()
            .map(|&id| to_json(document, document.node(id)))
            .collect(),
        Content::Mapping(entries) => {
            let mut map = Map::new();
            for entry in document.entries(entries, &mut Vec::new()) {
                let Content::Scalar { text, .. } = &entry.key.content else {
                    panic!("a key that is not text")
                };
                map.insert(text.to_string(), to_json(document, entry.value));
            }
            Value::Object(map)
        }
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("type {other}"),
    }
}

fn names(value: &Value) -> Vec<&str> {
    match value {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        other => panic!("{other}"),
    }
}

fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else {
        return schema.as_bool().unwrap();
    };
    let all = |schemas: &Value| -> Vec<bool> {
        schemas
            .as_array()
            .unwrap()
            .iter()
            .map(|schema| accepts(root, schema, value))
            .collect()
    };
    let matches = |pattern: &Value, text: &str| Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text);
    keywords
        .iter()
        .all(|(keyword, wanted)| match (keyword.as_str(), value) {
            ("$schema" | "$id" | "$defs" | "title" | "description", _) => true,
            ("$ref", _) => {
                let name = wanted.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                accepts(root, &root["$defs"][name], value)
            }
            ("type", _) => names(wanted).into_iter().any(|name| has_type(value, name)),
            ("const", _) => value.as_f64() == wanted.as_f64() && value.is_number(),
            ("enum", _) => wanted.as_array().unwrap().contains(value),
            ("anyOf", _) => all(wanted).contains(&true),
            ("oneOf", _) => all(wanted).into_iter().filter(|&accepted| accepted).count() == 1,
            ("not", _) => !accepts(root, wanted, value),
            ("minimum", Value::Number(number)) => number.as_f64() >= wanted.as_f64(),
            ("maximum", Value::Number(number)) => number.as_f64() <= wanted.as_f64(),
            ("pattern", Value::String(text)) => matches(wanted, text),
            ("minItems", Value::Array(items)) => items.len() as u64 >= wanted.as_u64().unwrap(),
            ("prefixItems", Value::Array(items)) => {
                let schemas = wanted.as_array().unwrap();
                items
                    .iter()
                    .zip(schemas)
                    .all(|(item, schema)| accepts(root, schema, item))
            }
            ("items", Value::Array(items)) => {
                let before = keywords
                    .get("prefixItems")
                    .map_or(0, |prefix| prefix.as_array().unwrap().len());
                items.iter().skip(before).all(|item| accepts(root, wanted, item))
            }
            ("uniqueItems", Value::Array(items)) => items
                .iter()
                .enumerate()
                .all(|(index, item)| !items[..index].contains(item)),
            ("properties", Value::Object(map)) => wanted
                .as_object()
                .unwrap()
                .iter()
                .all(|(name, schema)| map.get(name).is_none_or(|value| accepts(root, schema, value))),
            ("patternProperties", Value::Object(map)) => map.iter().all(|(name, value)| {
                wanted.as_object().unwrap().iter().all(|(pattern, schema)| {
                    !Regex::new(pattern).unwrap().is_match(name) || accepts(root, schema, value)
                })
            }),
            ("additionalProperties", Value::Object(map)) => map
                .iter()
                .filter(|(name, _)| {
                    let is_named = keywords
                        .get("properties")
                        .is_some_and(|known| known.get(name).is_some());
                    let patterns = keywords.get("patternProperties").and_then(Value::as_object);
                    !is_named
                        && !patterns
                            .into_iter()
                            .flatten()
                            .any(|(pattern, _)| Regex::new(pattern).unwrap().is_match(name))
                })
                .all(|(_, value)| accepts(root, wanted, value)),
            ("propertyNames", Value::Object(map)) => map
                .keys()
                .all(|name| accepts(root, wanted, &Value::from(name.as_str()))),
            ("required", Value::Object(map)) => names(wanted).into_iter().all(|name| map.contains_key(name)),
            ("minProperties", Value::Object(map)) => map.len() as u64 >= wanted.as_u64().unwrap(),
            ("maxProperties", Value::Object(map)) => map.len() as u64 <= wanted.as_u64().unwrap(),
            // A keyword for another type than the value's has nothing to say.
            (
                "minimum"
                | "maximum"
                | "pattern"
                | "minItems"
                | "prefixItems"
                | "items"
                | "uniqueItems"
                | "properties"
                | "patternProperties"
                | "additionalProperties"
                | "propertyNames"
                | "required"
                | "minProperties"
                | "maxProperties",
                _,
            ) => true,
            (other, _) => panic!("keyword {other}"),
        })
}

fn schema_accepts(schema: &Value, source: &str) -> bool {
    let mut problems = Vec::new();
    let document = yaml::build(source, &mut problems).unwrap();
    assert_eq!(problems, [], "{source}");
    let value = document
        .root()
        .map_or(Value::Null, |root| to_json(&document, root));
    accepts(schema, schema, &value)
}

/// Service bodies, and whether they are good.
const SERVICES: &[(&str, bool)] = &[
    ("{command: a}", true),
    ("{command: [a, '', 3, true]}", true),
    ("{command: 12}", true),
    ("{command: true}", true),
    ("{command: ''}", false),
    ("{command: ' '}", false),
    ("{command: []}", false),
    ("{command: ['', a]}", false),
    ("{command: [[a]]}", false),
    ("{command: [a, null]}", false),
    ("{command: null}", false),
    ("{command: {a: b}}", false),
    ("{}", false),
    ("[]", false),
    ("text", false),
    ("null", false),
    ("{command: a, image: {name: b}}", false),
    ("{image: {name: b}}", true),
    (
        "{image: {name: b, ports: ['5432:5432', 80], args: [-c, ''], container_name: db-1}}",
        true,
    ),
    ("{image: {name: 'a b'}}", false),
    ("{image: {name: '-b'}}", false),
    ("{image: {ports: []}}", false),
    ("{image: {name: b, ports: 80}}", false),
    ("{image: {name: b, ports: ['']}}", false),
    ("{image: {name: b, container_name: x}}", false),
    ("{image: {name: b, container_name: '-xy'}}", false),
    ("{image: {name: b, tag: x}}", false),
    ("{image: b}", false),
    ("{command: a, cwd: apps}", true),
    ("{command: a, cwd: ''}", false),
    (
        "{command: a, env: {A: 1.10, B: 0o644, C: yes, D: true, E: ''}}",
        true,
    ),
    ("{command: a, env: {A: null}}", false),
    ("{command: a, env: {A: [b]}}", false),
    ("{command: a, env: {'A=': b}}", false),
    ("{command: a, env: {'': b}}", false),
    ("{command: a, env: [A=b]}", false),
    ("{command: a, env_file: .env}", true),
    ("{command: a, env_file: [.env, {path: b, optional: true}]}", true),
    ("{command: a, env_file: {path: b}}", true),
    ("{command: a, env_file: []}", true),
    ("{command: a, env_file: {optional: true}}", false),
    ("{command: a, env_file: {path: b, optional: yes}}", false),
    ("{command: a, env_file: [[b]]}", false),
    ("{command: a, env_file: null}", false),
    ("{command: a, user: postgres}", true),
    ("{command: a, user: 1000}", true),
    ("{command: a, user: 'a:b'}", false),
    ("{command: a, user: 'a b'}", false),
    ("{command: a, needs: [other]}", true),
    ("{command: a, needs: []}", true),
    ("{command: a, needs: other}", false),
    ("{command: a, needs: [other, other]}", false),
    ("{command: a, needs: [null]}", false),
    ("{command: a, autostart: false}", true),
    ("{command: a, autostart: yes}", false),
    ("{command: a, autostart: 'true'}", false),
    ("{command: a, autostart: 1}", false),
    ("{command: a, restart: no}", true),
    ("{command: a, restart: 'no'}", true),
    ("{command: a, restart: on-failure}", true),
    ("{command: a, restart: false}", false),
    ("{command: a, restart: on_failure}", false),
    ("{command: a, backoff: {}}", true),
    (
        "{command: a, backoff: {initial_ms: 1, max_ms: 2, factor: 1.5}}",
        true,
    ),
    ("{command: a, backoff: {initial_ms: 0}}", false),
    ("{command: a, backoff: {initial_ms: 1.5}}", false),
    ("{command: a, backoff: {initial_ms: 2147483648}}", false),
    ("{command: a, backoff: {factor: 0.5}}", false),
    ("{command: a, backoff: {factor: 1001}}", false),
    ("{command: a, backoff: {factor: '2'}}", false),
    ("{command: a, backoff: {jitter: 1}}", false),
    ("{command: a, stop_signal: SIGINT}", true),
    ("{command: a, stop_signal: INT}", true),
    ("{command: a, stop_signal: 15}", true),
    ("{command: a, stop_signal: '15'}", true),
    ("{command: a, stop_signal: SIGRTMIN+3}", true),
    ("{command: a, stop_signal: SIGRTMIN+31}", false),
    ("{command: a, stop_signal: 32}", false),
    ("{command: a, stop_signal: 65}", false),
    ("{command: a, stop_signal: '33'}", false),
    ("{command: a, stop_signal: sigint}", false),
    ("{command: a, stop_signal: true}", false),
    ("{command: a, stop_timeout_ms: 0}", true),
    ("{command: a, stop_timeout_ms: -1}", false),
    ("{command: a, stop_timeout_ms: 10s}", false),
    ("{command: a, stop_timeout_ms: 1_000}", false),
    ("{command: a, expose: {port: 3000}}", true),
    ("{command: a, expose: {port: 0x1F90, as: 80}}", true),
    ("{command: a, expose: {port: 3000, as: 81}}", false),
    ("{command: a, expose: {as: 80}}", false),
    ("{command: a, expose: {port: 0}}", false),
    ("{command: a, expose: {port: 65536}}", false),
    ("{command: a, expose: {port: '3000'}}", false),
    ("{command: a, expose: 3000}", false),
    ("{command: a, ide: {anything: [goes]}}", true),
    ("{command: a, ide: code}", false),
    ("{command: a, run_once: true}", false),
    ("{command: a, colour: red}", false),
    ("{command: a, ready_when: {port: 1}}", true),
    (
        "{command: a, ready_when: {port: 1, host: '::1', interval_ms: 1, initial_delay_ms: 0}}",
        true,
    ),
    (
        "{command: a, ready_when: {http: 'http://x/', expect_status: 204, timeout_ms: 5, on_timeout: kill}}",
        true,
    ),
    (
        "{command: a, ready_when: {log_match: ready, timeout_ms: 5, on_timeout: mark_unhealthy}}",
        true,
    ),
    ("{command: a, ready_when: {}}", false),
    ("{command: a, ready_when: {port: 1, http: 'http://x/'}}", false),
    ("{command: a, ready_when: {port: 1, log_match: x}}", false),
    (
        "{command: a, ready_when: {http: 'http://x/', log_match: x}}",
        false,
    ),
    ("{command: a, ready_when: {timeout_ms: 5}}", false),
    ("{command: a, ready_when: {port: 8080.7}}", false),
    ("{command: a, ready_when: {port: 1, expect_status: 200}}", false),
    ("{command: a, ready_when: {http: 'http://x/', host: y}}", false),
    (
        "{command: a, ready_when: {http: 'http://x/', expect_status: 99}}",
        false,
    ),
    (
        "{command: a, ready_when: {http: 'http://x/', expect_status: [200]}}",
        false,
    ),
    ("{command: a, ready_when: {log_match: x, interval_ms: 5}}", false),
    (
        "{command: a, ready_when: {log_match: x, initial_delay_ms: 5}}",
        false,
    ),
    ("{command: a, ready_when: {log_match: ''}}", false),
    ("{command: a, ready_when: {port: 1, timeout_ms: 0}}", false),
    ("{command: a, ready_when: {port: 1, on_timeout: restart}}", false),
    ("{command: a, ready_when: 3000}", false),
];

/// Task bodies, and whether they are good.
const TASKS: &[(&str, bool)] = &[
    ("{command: a}", true),
    (
        "{command: a, cwd: b, env: {A: 1}, env_file: c, user: d, needs: [other], run_once: true}",
        true,
    ),
    ("{command: a, run_once: false}", true),
    ("{command: a, run_once: {inputs: [a, b*]}}", true),
    ("{command: a, run_once: {creates: [a]}}", true),
    ("{command: a, run_once: {inputs: [a], creates: [b]}}", true),
    ("{command: a, run_once: {check: test -f x}}", true),
    ("{command: a, run_once: {check: [test, -f, x]}}", true),
    ("{command: a, run_once: {}}", false),
    ("{command: a, run_once: {inputs: []}}", false),
    ("{command: a, run_once: {inputs: a}}", false),
    ("{command: a, run_once: {check: a, inputs: [b]}}", false),
    ("{command: a, run_once: {check: ''}}", false),
    ("{command: a, run_once: {once: true}}", false),
    ("{command: a, run_once: yes}", false),
    ("{command: a, run_once: [a]}", false),
    ("{command: a, restart: always}", false),
    ("{command: a, autostart: true}", false),
    ("{command: a, backoff: {}}", false),
    ("{command: a, ready_when: {port: 1}}", false),
    ("{command: a, expose: {port: 1}}", false),
    ("{command: a, stop_signal: TERM}", false),
    ("{command: a, stop_timeout_ms: 1}", false),
    ("{command: a, ide: {}}", false),
    ("{image: {name: a}}", false),
    ("{}", false),
];

/// Entries of `carry`, and whether they are good.
const CARRIES: &[(&str, bool)] = &[
    ("~/.npmrc", true),
    ("./.env.local", true),
    ("./a=/b", true),
    ("~//a/./b/", true),
    ("/a=~/b", true),
    ("/a", false),
    ("a", false),
    ("~", false),
    ("~a/b", false),
    ("../a=/b", false),
    ("./a/../b", false),
    ("./a=/b/..", false),
    ("./a=/b=c", true),
    ("./a=b", false),
    ("./a=./b", false),
    ("./a=", false),
    ("=/a", false),
    ("/", false),
    ("3", false),
    ("true", false),
    ("[a]", false),
    ("null", false),
    ("{}", false),
    ("{dest: /a}", false),
    ("{src: ./a}", true),
    (
        "{src: ~/a, dest: /b, mode: '0600', user: app, exclude: ['*.log', a/b], optional: true, secret: true}",
        true,
    ),
    ("{src: ./a, mode: '640'}", true),
    ("{src: ./a, mode: 640}", false),
    ("{src: ./a, mode: '4755'}", false),
    ("{src: ./a, mode: '+755'}", false),
    ("{src: ./a, mode: '07'}", false),
    ("{src: ./a, mode: '00600'}", false),
    ("{src: ./a, mode: '0o600'}", false),
    ("{src: ./a, mode: '0800'}", false),
    ("{src: ./a, mode: rw}", false),
    ("{src: ./a, mode: true}", false),
    ("{src: ./a, user: 1000}", true),
    ("{src: ./a, user: 'a:b'}", false),
    ("{src: ./a, exclude: []}", true),
    ("{src: ./a, exclude: a}", false),
    ("{src: ./a, exclude: ['']}", false),
    ("{src: ./a, optional: yes}", false),
    ("{src: ./a, secret: 'true'}", false),
    ("{src: ./a, from: b}", false),
    ("{src: ./}", false),
    ("{src: ''}", false),
    ("{src: null}", false),
    ("{src: 3}", false),
    ("{src: /proc/self/environ, dest: /a}", false),
    ("{src: /sys, dest: /a}", false),
    ("{src: /dev/null, dest: /a}", false),
    ("{src: /device, dest: /a}", true),
    ("{src: ./a, dest: /proc/a}", false),
    ("{src: ./a, dest: /workspace}", false),
    ("{src: ./a, dest: /workspace/}", false),
    ("{src: ./a, dest: /workspaces}", true),
    ("{src: ./agentbox.yaml, dest: /a}", true),
    ("{src: ./a, dest: /workspace/agentbox.yaml}", false),
    ("{src: ./a, dest: /workspace/.git/hooks/pre-commit}", false),
    ("{src: ./a, dest: /workspace/.gitconfig}", true),
    ("{src: ./a, dest: /var/lib/agentbox/private/x}", false),
    ("{src: ./a, dest: /usr/local/bin/agentbox-ctl}", false),
    ("{src: ./a, dest: /run/agentbox}", false),
    ("{src: ./a, dest: /var/log/agentbox/x}", false),
    ("{src: ./a, dest: a}", false),
    ("{src: ./a, dest: /}", false),
    ("{src: ./a, dest: ~}", false),
    ("{src: ./a, dest: ~/..}", false),
];

/// Whole files, and whether they are good.
const FILES: &[(&str, bool)] = &[
    ("", true),
    ("# nothing\n", true),
    ("~", true),
    ("{}", true),
    ("services:\ntasks:\ncarry:\nide:\ndefaults:\n", true),
    ("x-anything: [1, {a: b}]\n", true),
    (
        "x-a: &a {command: b}\nservices: {web: *a, db: {<<: *a, cwd: c}, all: {<<: [*a, {user: d}]}}\n",
        true,
    ),
    (
        "carry: [~/.npmrc, ./a=/b, /c=~/d, {src: /e, dest: /f, user: 7}]\ndefaults: {box: {memory: 4g}}\nide: {a: [b]}\n",
        true,
    ),
    ("carry: []\n", true),
    ("carry: a\n", false),
    ("carry: [[a]]\n", false),
    ("carry: [null]\n", false),
    ("defaults: [a]\n", false),
    ("ide: 3\n", false),
    ("services: []\n", false),
    ("services: text\n", false),
    ("service: {}\n", false),
    ("x: 1\n", false),
    ("[]", false),
    ("text", false),
    ("services: {'a b': {command: c}}\n", false),
    ("services: {'': {command: c}}\n", false),
    ("services: {rigbox-svc-a: {command: c}}\n", false),
    ("tasks: {setup-a: {command: c}}\n", false),
    ("tasks: {setup: {command: c}}\n", true),
    ("tasks: {1: {command: c}, _-: {command: d}}\n", true),
    (
        "tasks: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {command: c}}\n",
        true,
    ),
    (
        "tasks: {aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: {command: c}}\n",
        false,
    ),
];

/// Bodies of `defaults`, and whether they are good.
const DEFAULTS: &[(&str, bool)] = &[
    ("{}", true),
    ("{box: , carry: }", true),
    (
        "{box: {memory: 4g, env: {A: b, B: 1, C: ''}}, carry: {max_bytes: 50m}}",
        true,
    ),
    ("{box.memory: 4g, box.env: {A: b}, carry.max_bytes: 0}", true),
    (
        "{box: {image: 'node:22', from: warm, cpus: 0.5, pids: 100, network: none, docker: true, wait: true}}",
        true,
    ),
    (
        "{box: {cap_add: [SYS_PTRACE, net_raw], volumes: {cache: /cache}}}",
        true,
    ),
    (
        "{box: {service_specs: [api, svc_0123456789ab, 1], setup_scripts: [deps, deps]}}",
        true,
    ),
    ("{box: {memory: 4294967296, cpus: 2, network: 12}}", true),
    ("{box: {memory: 4x}}", false),
    ("{box: {memory: 1024}}", false),
    ("{box: {memory: true}}", false),
    ("{box: {memory: null}}", false),
    ("{box: {memory: -1}}", false),
    ("{box: {cpus: 0}}", false),
    ("{box: {cpus: '2'}}", false),
    ("{box: {cpus: 9000}}", false),
    ("{box: {pids: 10}}", false),
    ("{box: {pids: 1.5}}", false),
    ("{box: {pids: 5000000}}", false),
    ("{box: {docker: yes}}", false),
    ("{box: {wait: 1}}", false),
    ("{box: {image: ''}}", false),
    ("{box: {image: 'a b'}}", false),
    ("{box: {image: '-a'}}", false),
    ("{box: {image: [a]}}", false),
    ("{box: {network: host}}", false),
    ("{box: {network: 'container:x'}}", false),
    ("{box: {service_specs: api}}", false),
    ("{box: {service_specs: ['a b']}}", false),
    ("{box: {setup_scripts: [null]}}", false),
    ("{box: {cap_add: SYS_PTRACE}}", false),
    ("{box: {cap_add: ['a b']}}", false),
    ("{box: {cap_add: [null]}}", false),
    ("{box: {volumes: [a]}}", false),
    ("{box: {volumes: {a: b}}}", false),
    ("{box: {volumes: {/a: /b}}}", false),
    ("{box: {volumes: {a: '/b:ro'}}}", false),
    ("{box: {env: [A=b]}}", false),
    ("{box: {env: {A: null}}}", false),
    ("{box: {env: {'A B': c}}}", false),
    ("{box: {env: {'A=': c}}}", false),
    ("{box: {color: red}}", false),
    ("{box: [memory]}", false),
    ("{memory: 4g}", false),
    ("{relay: {}}", false),
    ("{api: {templates: {a: b}}}", false),
    ("{api.templates: {a: b}}", false),
    ("{relay: {port: 7081}}", false),
    ("{relay.port: 7081}", false),
    ("{carry: {max_bytes: much}}", false),
    ("{checkpoint: {max_depth: 0}}", true),
    ("{checkpoint: {max_depth: 51}}", false),
    ("[]", false),
];

fn documents() -> impl Iterator<Item = (String, bool)> {
    let services = SERVICES.iter().map(|(body, good)| {
        (
            format!("services:\n  web: {body}\n  other: {{command: x}}\n"),
            *good,
        )
    });
    let tasks = TASKS
        .iter()
        .map(|(body, good)| (format!("tasks:\n  one: {body}\n  other: {{command: x}}\n"), *good));
    let files = FILES.iter().map(|(source, good)| ((*source).to_owned(), *good));
    let defaults = DEFAULTS
        .iter()
        .map(|(body, good)| (format!("defaults: {body}\n"), *good));
    let carries = CARRIES
        .iter()
        .map(|(entry, good)| (format!("carry:\n  - {entry}\n"), *good));
    services.chain(tasks).chain(files).chain(carries).chain(defaults)
}

#[test]
fn schema_and_walker_agree() {
    let schema = document();
    let mut wrong = Vec::new();
    for (source, is_good) in documents() {
        let loaded = load(&source, &LoadOptions::default());
        if loaded.config.is_some() != is_good {
            wrong.push(format!(
                "program, expected {is_good}: {source}{:?}",
                loaded.diagnostics
            ));
        }
        if schema_accepts(&schema, &source) != is_good {
            wrong.push(format!("schema, expected {is_good}: {source}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The template has exactly the keys of the tables, and the numbers and words that the walker knows.
#[test]
fn the_template_is_the_walkers() {
    let root: Value = serde_json::from_str(TEMPLATE).unwrap();
    let names = |object: &Value| -> Vec<String> {
        let mut names: Vec<_> = object["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        names.sort();
        names
    };
    let sorted = |names: &mut dyn Iterator<Item = &'static str>| {
        let mut names: Vec<_> = names.map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(root["$id"], URL);
    assert_eq!(names(&root), sorted(&mut keys::FILE.iter().map(|key| key.name)));
    let definitions = &root["$defs"];
    for (name, table) in TABLES {
        let table = sorted(&mut table.iter().map(|key| key.name));
        assert_eq!(names(&definitions[name]), table, "{name}");
    }
    let all = sorted(&mut settings::KEYS.iter().map(|key| key.name));
    assert_eq!(names(&definitions["settings"]), all);

    let longest = limits::LONGEST_MS.to_string();
    let count = |text: &str| TEMPLATE.matches(text).count();
    assert_eq!(count("_ms\":{"), count(&format!("\"maximum\":{longest},")));
    let backoff = &definitions["backoff"]["properties"];
    assert_eq!(backoff["factor"]["maximum"], limits::LARGEST_FACTOR);
    let reserved: Vec<_> = limits::RESERVED.iter().map(|(prefix, _)| *prefix).collect();
    for section in ["services", "tasks"] {
        let names = &root["properties"][section]["propertyNames"];
        let pattern = format!("^[A-Za-z0-9_-]{{1,{}}}$", limits::LONGEST_NAME);
        assert_eq!(names["pattern"], pattern);
        assert_eq!(names["not"]["pattern"], format!("^({})", reserved.join("|")));
    }
    let signals: Vec<_> = signal::names().collect();
    let signals = format!("^(SIG)?({}|RTMIN", signals.join("|"));
    assert!(TEMPLATE.contains(&signals), "{signals}");
    let kernel = limits::KERNEL.join("|");
    let own = limits::OWN.join("|").replace('.', "\\\\.");
    assert_eq!(count(&format!("^({kernel}|{own})(/|$)|^/workspace/?$")), 1);
    assert_eq!(count(&format!("^({kernel})(/|$)")), 1);
    let settings = &definitions["settings"]["properties"];
    for (key, least, most) in [
        ("box.cpus", *limit::CPUS.start(), *limit::CPUS.end()),
        ("box.pids", *limit::PIDS.start() as f64, *limit::PIDS.end() as f64),
    ] {
        assert_eq!(settings[key]["minimum"].as_f64(), Some(least), "{key}");
        assert_eq!(settings[key]["maximum"].as_f64(), Some(most), "{key}");
    }
    assert_eq!(settings["box.memory"]["minimum"], limit::LEAST_MEMORY);
    assert_eq!(
        settings["box.volumes"]["propertyNames"]["pattern"],
        format!(
            "^[A-Za-z0-9][A-Za-z0-9_.-]{{0,{}}}$",
            limit::LONGEST_VOLUME_NAME - 1
        )
    );
}

/// Every key of every table is met in a good document above, so that the walker is known to read it.
#[test]
fn every_key_is_exercised() {
    let good: String = documents()
        .filter(|(_, good)| *good)
        .map(|(source, _)| source)
        .collect();
    let tables = TABLES.iter().map(|(_, table)| *table).chain([keys::FILE]);
    for key in tables.flatten() {
        assert!(good.contains(&format!("{}:", key.name)), "{}", key.name);
    }
    for key in settings::KEYS {
        let (section, name) = key.name.split_once('.').unwrap();
        // Of a user's own settings alone.
        if settings::OF_USER.contains(&section) {
            continue;
        }
        assert!(good.contains(&format!("{name}:")), "{}", key.name);
    }
}

#[test]
fn every_key_has_a_description() {
    fn check(schema: &Value, count: &mut usize) {
        for keyword in ["properties", "patternProperties"] {
            for (name, property) in schema
                .get(keyword)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
            {
                *count += 1;
                assert!(
                    property["description"]
                        .as_str()
                        .is_some_and(|text| text.ends_with(['.', '?'])),
                    "{name}"
                );
            }
        }
        match schema {
            Value::Object(map) => map.values().for_each(|value| check(value, count)),
            Value::Array(items) => items.iter().for_each(|value| check(value, count)),
            _ => {}
        }
    }
    let mut count = 0;
    check(&document(), &mut count);
    assert!(count > 45, "{count}");
}

#[test]
fn the_modeline_is_a_comment() {
    assert_eq!(
        modeline("file:///s.json"),
        "# yaml-language-server: $schema=file:///s.json"
    );
    assert!(load(&modeline(URL), &LoadOptions::default()).config.is_some());
}
