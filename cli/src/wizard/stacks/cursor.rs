//! `.cursor/environment.json`: `install`, `start`, `terminals`, `ports`.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Unit};
use super::{command_text, port_in_command};

/// What Cursor's background agents are told.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    const FILE: &str = ".cursor/environment.json";
    let file = part.json(FILE).filter(Value::is_object)?;
    let mut proposal = Proposal::new(FILE, part.path);
    let mut needs: Vec<String> = Vec::new();
    if let Some(command) = file.get("install").and_then(command_text) {
        proposal.units.push(Unit::task("install", Role::Install, command));
        needs = vec!["install".to_owned()];
    }
    if let Some(command) = file.get("start").and_then(command_text) {
        let mut task = Unit::task("start", Role::Prepare, command);
        task.needs.clone_from(&needs);
        proposal
            .units
            .push(task.comment("Runs at every start of the box."));
        needs = vec!["start".to_owned()];
    }
    let ports: Vec<u16> = file["ports"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(port)
        .collect();
    let terminals: Vec<&Value> = file["terminals"].as_array().into_iter().flatten().collect();
    for (index, terminal) in terminals.iter().enumerate() {
        let Some(command) = terminal.get("command").and_then(command_text) else {
            continue;
        };
        let name = terminal["name"].as_str().unwrap_or("terminal");
        let mut unit = Unit::service(name, command.clone());
        unit.needs.clone_from(&needs);
        let said = port_in_command(&command);
        // Terminals and ports are not tied to each other: one of each is the only case without a doubt.
        let only = (terminals.len() == 1 && ports.len() == 1).then(|| ports[0]);
        if let Some(port) = said.or(only) {
            unit = unit
                .port(port, PortSetting::Fixed, true)
                .web(if index == 0 { 80 } else { 70 });
        }
        proposal.units.push(unit);
    }
    for (key, what) in [
        ("build", "the image it builds: give `agentbox create --image` one"),
        ("snapshot", "its snapshot: a checkpoint serves for that"),
        ("agentCanUpdateSnapshot", ""),
        ("user", "its user: units run as the box user"),
        ("env", ""),
        ("repositoryDependencies", "its other repositories"),
    ] {
        if file.get(key).is_some() && !what.is_empty() {
            proposal.note(format!("{FILE}: no counterpart for {what}"));
        }
    }
    (!proposal.units.is_empty()).then_some(proposal)
}

fn port(value: &Value) -> Option<u16> {
    let number = value.get("port").unwrap_or(value);
    match number {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
    .filter(|port| *port > 0)
}
