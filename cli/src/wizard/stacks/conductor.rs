//! `conductor.json`: scripts `setup`, `run` and `archive`.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Unit};
use super::{command_text, port_in_command};

/// Port that `CONDUCTOR_PORT` stands for in a box; each box has its own network, so any will do.
const PORT: u16 = 3000;

/// What Conductor is told.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    const FILE: &str = "conductor.json";
    let file = part.json(FILE).filter(Value::is_object)?;
    let scripts = &file["scripts"];
    let mut proposal = Proposal::new(FILE, part.path);
    let setup = scripts.get("setup").and_then(command_text);
    let run = scripts.get("run").and_then(command_text);
    let has_setup = setup.is_some();
    if let Some(command) = setup {
        if command.contains("CONDUCTOR_ROOT_PATH") {
            proposal.note(format!(
                "{FILE}: setup takes files from the main checkout, which no box can reach: `carry:` brings them instead"
            ));
        }
        proposal.units.push(with_variables(
            Unit::task("setup", Role::Install, command.clone()).once_done(),
            &command,
        ));
    }
    if let Some(command) = run {
        let mut unit = Unit::service("run", command.clone()).needs(if has_setup { &["setup"] } else { &[] });
        unit = with_variables(unit, &command);
        if command.contains("CONDUCTOR_PORT") {
            unit = unit.port(PORT, PortSetting::Fixed, true).web(90);
        } else if let Some(port) = port_in_command(&command) {
            unit = unit.port(port, PortSetting::Fixed, true).web(90);
        }
        proposal.units.push(unit);
    }
    if scripts.get("archive").is_some() {
        proposal.note(format!(
            "{FILE}: no counterpart for the archive script: a box goes with all that is in it"
        ));
    }
    (!proposal.units.is_empty()).then_some(proposal)
}

/// Sets those of Conductor's variables that a command uses.
fn with_variables(mut unit: Unit, command: &str) -> Unit {
    let port = PORT.to_string();
    for (name, value) in [
        ("CONDUCTOR_PORT", port.as_str()),
        ("CONDUCTOR_WORKSPACE_PATH", "/workspace"),
        ("CONDUCTOR_ROOT_PATH", "/workspace"),
    ] {
        if command.contains(name) {
            unit = unit.env(name, value);
        }
    }
    unit
}
