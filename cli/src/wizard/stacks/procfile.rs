//! `Procfile` and `Procfile.dev`: a process on each line.

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Unit};
use super::{is_command, port_in_command};

/// The port that a `web` process is told, as Heroku and foreman tell it.
const PORT: u16 = 5000;

/// What a Procfile describes. That for development wins.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let file = part.first_of(&["Procfile.dev", "Procfile"])?;
    let mut proposal = Proposal::new(file, part.path);
    for line in part.text(file)?.lines() {
        let line = line.trim();
        let Some((name, command)) = line.split_once(':').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let (name, command) = (name.trim(), command.trim());
        let is_name = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_name || name.is_empty() || !is_command(command) {
            proposal.note(format!("{file}: a line that names no process was left out"));
            continue;
        }
        if name == "release" {
            // A platform runs it before each release, so before what it releases.
            proposal.units.push(Unit::task(name, Role::Prepare, command));
            continue;
        }
        let mut unit = Unit::service(name, command);
        if name == "web" {
            unit = unit.web(100);
        }
        if let Some(port) = port_in_command(command) {
            unit = unit.port(port, PortSetting::Fixed, true);
        } else if command.contains("$PORT") || command.contains("${PORT") || name == "web" {
            let sure = command.contains("PORT");
            unit = unit
                .env("PORT", PORT.to_string())
                .port(PORT, PortSetting::Variable("PORT"), sure);
        }
        proposal.units.push(unit);
    }
    (!proposal.units.is_empty()).then_some(proposal)
}
