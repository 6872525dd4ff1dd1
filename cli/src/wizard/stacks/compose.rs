//! Compose files: services with an `image` become containers in the box; what is built from the project stays the
//! project's own program, which gets its environment and needs from here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Run, Unit};
use super::compose_value::{self as value, Binding, Host, Variables};
use super::scalar;

/// Names under which a compose file is looked for, in Compose's own order.
const FILES: &[&str] = &[
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
];

/// Most services that are taken over.
const LIMIT: usize = 60;

/// Images of well-known services, each with its port: without one published, nothing in the box could reach it.
const KNOWN: &[(&str, u16)] = &[
    ("postgres", 5432),
    ("postgis", 5432),
    ("pgvector", 5432),
    ("timescaledb", 5432),
    ("redis", 6379),
    ("valkey", 6379),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("mongo", 27017),
    ("rabbitmq", 5672),
    ("memcached", 11211),
    ("elasticsearch", 9200),
    ("opensearch", 9200),
    ("minio", 9000),
    ("nats", 4222),
    ("mailpit", 8025),
    ("mailhog", 8025),
    ("localstack", 4566),
];

/// Keys that say nothing that a box would have to know.
const SILENT: &[&str] = &[
    "build",
    "command",
    "container_name",
    "depends_on",
    "env_file",
    "environment",
    "expose",
    "healthcheck",
    "hostname",
    "image",
    "init",
    "labels",
    "logging",
    "platform",
    "ports",
    "profiles",
    "pull_policy",
    "restart",
    "stdin_open",
    "stop_grace_period",
    "tty",
    "working_dir",
];

/// A service that is built from a directory of the project.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) name: String,
    /// The directory, empty for the root.
    pub(crate) directory: String,
    pub(crate) env: Vec<(String, String)>,
    /// From the project's root.
    pub(crate) env_files: Vec<String>,
    pub(crate) needs: Vec<String>,
    pub(crate) command: Option<String>,
    /// Whether others wait for its successful end, so that it is a task.
    pub(crate) one_off: bool,
    /// The port it listens on in its container.
    pub(crate) port: Option<u16>,
}

/// What a compose file describes.
pub(crate) fn propose(part: Part<'_>) -> Option<(Proposal, Vec<Built>)> {
    let file = part.first_of(FILES)?;
    let content = match super::super::yaml::read(part.text(file)?) {
        Ok(content) => content,
        Err(error) => {
            let mut proposal = Proposal::new(file, part.path);
            proposal.note(format!("{file} cannot be read: {error}"));
            return Some((proposal, Vec::new()));
        }
    };
    let mut proposal = Proposal::new(file, part.path);
    let services = &extended(&mut proposal, file, content["services"].as_object()?);
    let mut built = Vec::new();
    if services.len() > LIMIT {
        proposal.note(format!(
            "{file} has {} services: only the first {LIMIT} are proposed",
            services.len()
        ));
    }
    let hosts: Vec<Host> = services
        .iter()
        .take(LIMIT)
        .map(|(name, service)| Host::new(name, &published(service).0))
        .collect();
    let one_offs = one_offs(services);
    for (name, service) in services.iter().take(LIMIT) {
        let Some(service) = service.as_object() else {
            continue;
        };
        let mut variables = Variables::default();
        let env = value::environment(service.get("environment"), &hosts, &mut variables);
        let needs = value::names(service.get("depends_on"));
        let env_files = env_files(&mut proposal, file, name, service);
        if !service.contains_key("build") && !service.contains_key("image") {
            // What it extends was named, and nothing else says what it is.
            proposal.note(format!(
                "{file}: {name} has neither an image nor a build here, so it was left out"
            ));
        } else if service.contains_key("build") {
            built.push(Built {
                name: name.clone(),
                directory: context(service),
                env,
                env_files,
                needs,
                one_off: one_offs.contains(&name.as_str()),
                command: service.get("command").and_then(super::command_text),
                port: value::bindings(service.get("ports"))
                    .first()
                    .and_then(|binding| binding.inside),
            });
        } else if let Some(mut unit) = container(&mut proposal, file, name, service, env, needs) {
            unit.env_files = env_files;
            proposal.units.push(unit);
        }
        variables.note(&mut proposal, file, name);
    }
    if proposal
        .units
        .iter()
        .any(|unit| matches!(unit.run, Run::Image { .. }))
    {
        proposal.note(format!(
            "services with an image (from {file}) need a box with Docker inside, which defaults ask for: whoever makes one is asked whether that is allowed"
        ));
    }
    for (key, what) in [
        ("secrets", "secrets"),
        ("configs", "configs"),
        ("include", "included files"),
    ] {
        if content.get(key).is_some() {
            proposal.note(format!("{file}: no counterpart for its {what}"));
        }
    }
    Some((proposal, built))
}

fn container(
    proposal: &mut Proposal,
    file: &str,
    name: &str,
    service: &Map<String, Value>,
    env: Vec<(String, String)>,
    needs: Vec<String>,
) -> Option<Unit> {
    let mut variables = Variables::default();
    let image = variables.fill(service["image"].as_str()?);
    if variables.is_any_missing()
        || image.is_empty()
        || image.contains(char::is_whitespace)
        || image.starts_with('-')
    {
        proposal.note(format!(
            "{file}: the image of {name} is not known here, so it was left out"
        ));
        return None;
    }
    let known = known_port(&image);
    let (bindings, is_ours) = published(&Value::Object(service.clone()));
    let comment = is_ours.then(|| "Published, so that the other units reach it at localhost.".to_owned());
    let mut unit = Unit::new(
        name,
        Role::Backing,
        Run::Image {
            name: image,
            ports: bindings.iter().map(|binding| binding.text.clone()).collect(),
            args: value::words(service.get("command")),
        },
    );
    unit.comment.extend(comment);
    unit.env = env;
    unit.needs = needs;
    if let Some(binding) = bindings.iter().find(|binding| binding.outside.is_some()) {
        let outside = binding.outside.unwrap_or_default();
        unit = unit.port(outside, PortSetting::Fixed, true);
        if known.is_none() && matches!(binding.inside, Some(80 | 3000 | 8000 | 8080)) {
            unit = unit.web(30);
        }
    }
    health(proposal, file, &mut unit, service.get("healthcheck"), &bindings);
    if matches!(
        service.get("restart").and_then(Value::as_str),
        Some("always" | "unless-stopped")
    ) {
        unit.restart = Some("always");
    }
    unit.autostart = !service.contains_key("profiles");
    let unknown: Vec<&str> = service
        .keys()
        .map(String::as_str)
        .filter(|key| !SILENT.contains(key) && !key.starts_with("x-") && *key != "networks")
        .collect();
    if !unknown.is_empty() {
        proposal.note(format!(
            "{file}: no counterpart for {} of {name}",
            unknown.join(", ")
        ));
    }
    Some(unit)
}

/// The env files of a service that lie in the project.
fn env_files(proposal: &mut Proposal, file: &str, name: &str, service: &Map<String, Value>) -> Vec<String> {
    let mut inside = Vec::new();
    for path in value::strings(service.get("env_file")) {
        let path = path.trim_start_matches("./").to_owned();
        let is_nothing = path.split('/').all(|name| matches!(name.trim(), "" | "."));
        if path.starts_with(['/', '~']) || path.split('/').any(|name| name == "..") || is_nothing {
            proposal.note(format!(
                "{file}: the env_file of {name} lies outside of the project"
            ));
        } else {
            inside.push(path);
        }
    }
    inside
}

/// The services with what they extend of the same file; what lies in another file is named.
fn extended(proposal: &mut Proposal, file: &str, services: &Map<String, Value>) -> Map<String, Value> {
    /// Most steps from a service to the last one that it extends: more is a circle.
    const DEEPEST: usize = 10;
    let mut all = services.clone();
    for (name, service) in &mut all {
        let Some(service) = service.as_object_mut() else {
            continue;
        };
        for _ in 0..DEEPEST {
            let Some(extends) = service.remove("extends") else {
                break;
            };
            let other = extends["file"].as_str().filter(|other| *other != file);
            let base = extends.as_str().or(extends["service"].as_str());
            let base = base.and_then(|base| services.get(base)?.as_object());
            match (other, base) {
                (None, Some(base)) => inherit(service, base),
                (other, _) => proposal.note(format!(
                    "{file}: {name} extends what is not in this file{}",
                    other.map_or(String::new(), |other| format!(", but in {other}"))
                )),
            }
        }
        service.remove("extends");
    }
    all
}

/// What a service says wins; variables are taken together.
fn inherit(service: &mut Map<String, Value>, base: &Map<String, Value>) {
    for (key, value) in base {
        match service.get_mut(key) {
            None => {
                service.insert(key.clone(), value.clone());
            }
            Some(Value::Object(own)) if key == "environment" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    own.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            Some(Value::Array(own)) if key == "environment" => {
                // The last of a name wins.
                let mut all = value.as_array().cloned().unwrap_or_default();
                all.append(own);
                *own = all;
            }
            Some(_) => {}
        }
    }
}

/// Services whose successful end others wait for.
fn one_offs(services: &Map<String, Value>) -> Vec<&str> {
    services
        .values()
        .filter_map(|service| service.get("depends_on")?.as_object())
        .flatten()
        .filter(|(_, condition)| condition["condition"] == "service_completed_successfully")
        .map(|(name, _)| name.as_str())
        .collect()
}

/// The ports of a service with an image, and whether it is the wizard that publishes them.
fn published(service: &Value) -> (Vec<Binding>, bool) {
    let bindings = value::bindings(service.get("ports"));
    let Some(image) = service["image"].as_str().filter(|_| bindings.is_empty()) else {
        return (bindings, false);
    };
    let image = Variables::default().fill(image);
    let port = value::first_port(service.get("expose")).or(known_port(&image));
    let bindings: Vec<Binding> = port.map(Binding::same).into_iter().collect();
    let is_ours = !bindings.is_empty();
    (bindings, is_ours)
}

/// A check by curl or wget becomes a probe of the same URL; any other one of the port.
fn health(proposal: &mut Proposal, file: &str, unit: &mut Unit, check: Option<&Value>, bindings: &[Binding]) {
    let Some(check) = check.filter(|check| check.is_object()) else {
        return;
    };
    let test = value::strings(check.get("test")).join(" ");
    let is_off = check
        .get("disable")
        .and_then(scalar)
        .is_some_and(|off| off == "true");
    if is_off || test == "NONE" {
        return;
    }
    let outside: BTreeMap<u16, u16> = bindings
        .iter()
        .filter_map(|binding| Some((binding.inside?, binding.outside?)))
        .collect();
    unit.http = value::probed_url(&test, &outside);
    if unit.http.is_none() && unit.port.is_none() {
        proposal.note(format!(
            "{file}: the healthcheck of {} has no counterpart: it publishes no port",
            unit.name
        ));
    } else if unit.http.is_none() {
        unit.comment
            .push("In place of its healthcheck: ready when the port answers.".to_owned());
    }
    unit.slow |=
        scalar(&check["start_period"]).is_some_and(|time| time.contains('m') && !time.ends_with("ms"));
}

fn known_port(image: &str) -> Option<u16> {
    let name = image.rsplit('/').next()?.split([':', '@']).next()?;
    KNOWN
        .iter()
        .find(|(known, _)| name == *known || name.split('-').any(|part| part == *known))
        .map(|(_, port)| *port)
}

/// The directory a service is built from, relative to the root; `..` leads nowhere.
fn context(service: &Map<String, Value>) -> String {
    let build = service.get("build").unwrap_or(&Value::Null);
    let path = build.get("context").unwrap_or(build).as_str().unwrap_or(".");
    path.split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .collect::<Vec<_>>()
        .join("/")
}
