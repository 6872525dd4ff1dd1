//! `devcontainer.json`: the commands of its life cycle and the ports it forwards.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Unit};
use super::{command_text, port_in_command, scalar};

/// The file: one of the two usual places, else the first of those in directories of their own, with what is passed over.
fn find(part: Part<'_>) -> Option<(String, Vec<String>)> {
    if let Some(file) = part.first_of(&[".devcontainer/devcontainer.json", ".devcontainer.json"]) {
        return Some((file.to_owned(), Vec::new()));
    }
    let mut files: Vec<String> = part
        .below(".devcontainer")?
        .children()
        .filter(|directory| directory.has("devcontainer.json"))
        .map(|directory| directory.path_of("devcontainer.json"))
        .collect();
    if files.is_empty() {
        return None;
    }
    let others = files.split_off(1);
    Some((files.pop()?, others))
}

/// What a development container describes, and the ports it forwards, the first one being the web's. `running` are the
/// programs that other files imply: a command that starts one of them is a service.
pub(crate) fn propose(part: Part<'_>, running: &[Unit]) -> Option<(Proposal, Vec<u16>)> {
    let (file, others) = find(part)?;
    let file = file.as_str();
    let content = part.json(file).filter(Value::is_object)?;
    let mut proposal = Proposal::new(file, part.path);
    if !others.is_empty() {
        proposal.note(format!("{file} is followed, and not {}", others.join(", ")));
    }
    let environment = environment(&mut proposal, file, &content);
    let mut needs: Vec<String> = Vec::new();
    // In the order in which a development container runs them; the last one at every start.
    for (key, name) in [
        ("onCreateCommand", "on-create"),
        ("updateContentCommand", "update-content"),
        ("postCreateCommand", "post-create"),
        ("postStartCommand", "post-start"),
        ("postAttachCommand", "post-attach"),
    ] {
        let Some(value) = content.get(key) else { continue };
        let role = if matches!(key, "postStartCommand" | "postAttachCommand") {
            Role::Prepare
        } else {
            Role::Install
        };
        let before = needs.clone();
        let mut tasks: Vec<String> = Vec::new();
        for (name, command) in commands(name, value) {
            let Some(command) = filled(&command) else {
                proposal.note(format!(
                    "{file}: {key} refers to the environment of this machine and was left out: {command}"
                ));
                continue;
            };
            let port = port_in_command(&command);
            // A task that never ends would keep everything behind it waiting.
            let is_server = role == Role::Prepare
                && (port.is_some() || running.iter().any(|unit| unit.is_named_in(&command)));
            if key == "postAttachCommand" && !is_server {
                proposal.note(format!(
                    "{file}: no counterpart for {key}: nothing attaches to a box"
                ));
                continue;
            }
            let mut unit = if is_server {
                let unit = Unit::service(&name, command);
                port.map_or(unit.clone(), |port| {
                    unit.port(port, PortSetting::Fixed, true).web(60)
                })
            } else {
                tasks.push(name.clone());
                Unit::task(&name, role, command)
            };
            unit = unit.comment(format!("{key} of {file}."));
            unit.needs.clone_from(&before);
            unit.env.clone_from(&environment);
            if role == Role::Install {
                unit = unit.once_done();
            }
            proposal.units.push(unit);
        }
        if !tasks.is_empty() {
            needs = tasks;
        }
    }
    let ports = content["forwardPorts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(port)
        .collect();
    for (key, what) in [
        (
            "image",
            "its image: give `agentbox create --image` one with the same tools",
        ),
        (
            "build",
            "the image it builds: give `agentbox create --image` one with the same tools",
        ),
        (
            "features",
            "its features: install what they bring in a task, or take an image that has it",
        ),
        (
            "dockerComposeFile",
            "its own compose file, where it is not the project's",
        ),
        (
            "mounts",
            "its mounts: `agentbox create --volume` makes one of the box's own",
        ),
        ("runArgs", "its runArgs"),
        (
            "initializeCommand",
            "initializeCommand: nothing of a project runs on this machine",
        ),
        ("remoteUser", "its user: units run as the box user"),
    ] {
        if content.get(key).is_some() {
            proposal.note(format!("{file}: no counterpart for {what}"));
        }
    }
    Some((proposal, ports))
}

/// A command is text, a list of words, or several by name that run side by side.
fn commands(name: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Object(several) => several
            .iter()
            .filter_map(|(key, value)| Some((format!("{name}-{key}"), command_text(value)?)))
            .collect(),
        other => command_text(other)
            .map(|command| (name.to_owned(), command))
            .into_iter()
            .collect(),
    }
}

/// What `containerEnv` and `remoteEnv` set, but for what only a development container can fill in.
fn environment(proposal: &mut Proposal, file: &str, content: &Value) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for kind in ["containerEnv", "remoteEnv"] {
        for (name, value) in content[kind].as_object().into_iter().flatten() {
            match scalar(value) {
                Some(text) if filled(&text).is_some_and(|text| !text.contains("${")) => {
                    variables.push((name.clone(), filled(&text).unwrap_or_default()));
                }
                _ => proposal.note(format!(
                    "{file}: {kind} {name} refers to its own surroundings and was left out"
                )),
            }
        }
    }
    variables.dedup_by(|one, other| one.0 == other.0);
    variables
}

/// A text with what a box knows too in the place of a development container's variables. `None` where one refers to the
/// machine outside.
fn filled(text: &str) -> Option<String> {
    static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r"\$\{(?:(?:container|local)WorkspaceFolder(Basename)?|(containerEnv|localEnv):([A-Za-z_]\w*)[^}]*)\}",
        )
        .ok()
    });
    let pattern = VARIABLE.as_ref()?;
    let is_outside = pattern
        .captures_iter(text)
        .any(|found| found.get(2).is_some_and(|kind| kind.as_str() == "localEnv"));
    let fill = |found: &Captures<'_>| match (found.get(1), found.get(3)) {
        (_, Some(name)) => format!("${{{}}}", name.as_str()),
        (Some(_), None) => "workspace".to_owned(),
        (None, None) => "/workspace".to_owned(),
    };
    (!is_outside).then(|| pattern.replace_all(text, fill).into_owned())
}

/// `3000`, `"3000"`, or `"localhost:3000"`; another host is another container.
fn port(value: &Value) -> Option<u16> {
    let text = scalar(value)?;
    let port = match text.rsplit_once(':') {
        Some(("localhost" | "127.0.0.1", port)) => port,
        Some(_) => return None,
        None => &text,
    };
    port.parse().ok().filter(|port| *port > 0)
}
