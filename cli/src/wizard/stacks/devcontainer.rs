//! `devcontainer.json`: the commands of its life cycle and the ports it forwards.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{Proposal, Role, Unit};
use super::{command_text, scalar};

/// What a development container describes, and the ports it forwards, the first one being the web's.
pub(crate) fn propose(part: Part<'_>) -> Option<(Proposal, Vec<u16>)> {
    let file = part.first_of(&[".devcontainer/devcontainer.json", ".devcontainer.json"])?;
    let content = part.json(file).filter(Value::is_object)?;
    let mut proposal = Proposal::new(file, part.path);
    let environment = environment(&mut proposal, file, &content);
    let mut needs: Option<String> = None;
    // In the order in which a development container runs them; the last one at every start.
    for (key, name) in [
        ("onCreateCommand", "on-create"),
        ("updateContentCommand", "update-content"),
        ("postCreateCommand", "post-create"),
        ("postStartCommand", "post-start"),
    ] {
        let Some(value) = content.get(key) else { continue };
        let role = if key == "postStartCommand" {
            Role::Prepare
        } else {
            Role::Install
        };
        let commands = commands(name, value);
        if commands.is_empty() {
            continue;
        }
        let before = needs.take();
        for (name, command) in &commands {
            let mut task = Unit::task(name, role, command.clone()).comment(format!("{key} of {file}."));
            task.needs.extend(before.clone());
            task.env.clone_from(&environment);
            if role == Role::Install {
                task = task.once_done();
            }
            proposal.units.push(task);
        }
        needs = commands.last().map(|(name, _)| name.clone());
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
            "postAttachCommand",
            "postAttachCommand: nothing attaches to a box",
        ),
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
                Some(text) if !text.contains("${") => variables.push((name.clone(), text)),
                _ => proposal.note(format!(
                    "{file}: {kind} {name} refers to its own surroundings and was left out"
                )),
            }
        }
    }
    variables.dedup_by(|one, other| one.0 == other.0);
    variables
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
