//! The look of `systemctl status` and `list-units`.

use super::time::{Zone, ago};
use super::unit::{Unit, full};
use crate::protocol::message::UnitDescription;
use crate::report::{one_line, strip_controls};
use crate::time::Timestamp;

/// How a page is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) zone: Zone,
    pub(super) now: Timestamp,
    /// A terminal shows it.
    pub(super) colour: bool,
}

/// The page of one unit, without its log.
pub(super) fn status(unit: &Unit, description: &UnitDescription, style: Style) -> String {
    let (on, off) = colour(unit, style);
    let mut text = format!("{on}{}{off} {}", bullet(unit), full(&unit.name));
    if let Some(about) = about(description) {
        text.push_str(&format!(" - {}", one_line(about)));
    }
    let enabled = enabled(description);
    text.push_str(&format!(
        "\n     Loaded: loaded ({}; {enabled})\n",
        one_line(&description.source)
    ));
    let sub = if unit.sub == unit.active {
        String::new()
    } else {
        format!(" ({})", unit.sub)
    };
    text.push_str(&format!("     Active: {on}{}{sub}{off}", unit.active));
    if let Some(result) = unit.result {
        text.push_str(&format!(" (Result: {result})"));
    }
    if let Some(since) = unit.since {
        let at = (style.zone)(since).long();
        text.push_str(&format!(" since {at}; {}", ago(since, style.now)));
    }
    text.push('\n');
    if let (None, Some(ending)) = (unit.pid, ending(unit)) {
        let command = value(description, "ExecStart=").unwrap_or_default();
        text.push_str(&format!(
            "    Process: ExecStart={} ({ending})\n",
            one_line(command)
        ));
    }
    if let Some(reason) = &unit.reason {
        text.push_str(&format!("     Status: \"{reason}\"\n"));
    }
    if let Some(pid) = unit.pid {
        let leader = description.processes.iter().find(|process| process.pid == pid);
        let name = leader.map(|process| format!(" ({})", program(&process.command)));
        text.push_str(&format!("   Main PID: {pid}{}\n", name.unwrap_or_default()));
    }
    let count = description.processes.len();
    if count > 0 {
        text.push_str(&format!(
            "      Tasks: {count}\n     CGroup: /{}\n",
            full(&unit.name)
        ));
    }
    for (index, process) in description.processes.iter().enumerate() {
        let branch = if index + 1 == count { "└─" } else { "├─" };
        text.push_str(&format!(
            "             {branch}{} {}\n",
            process.pid,
            one_line(&process.command)
        ));
    }
    text
}

/// What a unit file says a unit is.
fn about(description: &UnitDescription) -> Option<&str> {
    value(description, "Description=").filter(|about| *about != description.unit)
}

fn value<'a>(description: &'a UnitDescription, key: &str) -> Option<&'a str> {
    let mut lines = description.unit_file.lines();
    lines.find_map(|line| line.strip_prefix(key))
}

/// Whether a unit starts with the box, in systemd's words.
pub(super) fn enabled(description: &UnitDescription) -> &'static str {
    match description.enabled {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "static",
    }
}

fn bullet(unit: &Unit) -> &'static str {
    match unit.active {
        "failed" => "×",
        "inactive" => "○",
        _ => "●",
    }
}

fn colour(unit: &Unit, style: Style) -> (&'static str, &'static str) {
    match unit.active {
        _ if !style.colour => ("", ""),
        "active" => ("\u{1b}[0;1;32m", "\u{1b}[0m"),
        "failed" => ("\u{1b}[0;1;31m", "\u{1b}[0m"),
        _ => ("", ""),
    }
}

/// How the last run ended.
fn ending(unit: &Unit) -> Option<String> {
    if let Some(signal) = &unit.signal {
        let signal = one_line(signal);
        return Some(format!(
            "code=killed, signal={}",
            signal.strip_prefix("SIG").unwrap_or(&signal)
        ));
    }
    let code = unit.exit_code?;
    let name = match code {
        0 => "SUCCESS",
        1 => "FAILURE",
        2 => "INVALIDARGUMENT",
        _ => "n/a",
    };
    Some(format!("code=exited, status={code}/{name}"))
}

/// The name of a program from its command line.
fn program(command: &str) -> String {
    let word = command.split(' ').next().unwrap_or_default();
    let name = word.rsplit('/').next().unwrap_or_default();
    one_line(name).into_owned()
}

/// A table of units. `legend` is what stands around it, `all` whether units at rest are in it too.
pub(super) fn list(
    units: &[&Unit],
    descriptions: &[UnitDescription],
    legend: bool,
    plain: bool,
    all: bool,
) -> String {
    let mut rows = Vec::new();
    if legend && !units.is_empty() {
        rows.push([" ", "UNIT", "LOAD", "ACTIVE", "SUB", "DESCRIPTION"].map(str::to_owned));
    }
    for unit in units {
        let description = descriptions
            .iter()
            .find(|description| description.unit == unit.name);
        let about = description.and_then(about).unwrap_or(&unit.name);
        rows.push([
            if unit.is_failed() { "●" } else { " " }.to_owned(),
            full(&unit.name),
            "loaded".to_owned(),
            unit.active.to_owned(),
            unit.sub.to_owned(),
            one_line(about).into_owned(),
        ]);
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate().skip(usize::from(plain)) {
            let width = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max();
            line.push_str(&format!("{cell:<width$} ", width = width.unwrap_or(0)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    if legend {
        if !units.is_empty() {
            text.push_str(
                "\nLOAD   = Reflects whether the unit definition was properly loaded.\n\
                 ACTIVE = The high-level unit activation state, i.e. generalization of SUB.\n\
                 SUB    = The low-level unit activation state, values depend on unit type.\n",
            );
        }
        text.push_str(&format!("{} loaded units listed.", units.len()));
        if !all {
            text.push_str(" Pass --all to see loaded but inactive units, too.");
        }
        text.push('\n');
    }
    text
}

/// All units in a few lines: `systemctl status` without one.
pub(super) fn overview(host: &str, units: &[Unit]) -> String {
    let failed = units.iter().filter(|unit| unit.is_failed()).count();
    let queued = units.iter().filter(|unit| unit.active == "activating").count();
    let (bullet, state) = match (failed, queued) {
        (0, 0) => ("●", "running"),
        (0, _) => ("●", "starting"),
        _ => ("×", "degraded"),
    };
    format!(
        "{bullet} {}\n    State: {state}\n    Units: {} loaded\n     Jobs: {queued} queued\n   Failed: {failed} units\n",
        strip_controls(host),
        units.len()
    )
}

#[cfg(test)]
mod tests {
    use super::super::time::universal;
    use super::super::unit::tests::{service, task};
    use super::*;
    use crate::protocol::message::UnitProcess;
    use crate::report::{ServiceState, TaskState, UnitsReport};

    fn style() -> Style {
        Style {
            zone: universal,
            now: Timestamp::from_millis(1_700_000_330_000),
            colour: false,
        }
    }

    fn description(unit: &str, enabled: Option<bool>) -> UnitDescription {
        UnitDescription {
            unit: unit.to_owned(),
            enabled,
            source: "/workspace/agentbox.yaml".to_owned(),
            unit_file: format!(
                "[Unit]\nDescription=service {unit} of agentbox.yaml\n[Service]\nExecStart=/bin/{unit}\n"
            ),
            processes: Vec::new(),
        }
    }

    fn units(report: UnitsReport) -> Vec<Unit> {
        Unit::all(&report)
    }

    #[test]
    fn one_that_runs() {
        let mut web = service(ServiceState::Ready);
        web.pid = Some(41);
        web.ready_at = Some(Timestamp::from_millis(1_700_000_000_000));
        let mut about = description("web", Some(true));
        about.processes = vec![
            UnitProcess {
                pid: 41,
                command: "/usr/bin/node server.js\u{1b}[2J".to_owned(),
            },
            UnitProcess {
                pid: 42,
                command: "sleep 5".to_owned(),
            },
        ];
        let units = units(UnitsReport {
            services: vec![web],
            ..UnitsReport::default()
        });
        insta::assert_snapshot!(status(&units[0], &about, style()).replace("GMT", "UTC"), @r"
        ● web.service - service web of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; enabled)
             Active: active (running) since Tue 2023-11-14 22:13:20 UTC; 5min ago
           Main PID: 41 (node)
              Tasks: 2
             CGroup: /web.service
                     ├─41 /usr/bin/node server.js
                     └─42 sleep 5
        ");
    }

    #[test]
    fn some_that_do_not() {
        let mut crashed = service(ServiceState::Crashed);
        crashed.exit_code = Some(1);
        let mut backoff = service(ServiceState::Backoff);
        backoff.signal = Some("SIGKILL".to_owned());
        let mut waiting = service(ServiceState::Waiting);
        waiting.blocked_on = vec!["install".to_owned()];
        let mut unhealthy = service(ServiceState::Unhealthy);
        unhealthy.pid = Some(7);
        unhealthy.reason = Some("not ready within 1m".to_owned());
        let mut done = task(TaskState::Done);
        done.exit_code = Some(0);
        done.finished_at = Some(Timestamp::from_millis(1_700_000_320_000));
        let report = UnitsReport {
            services: vec![crashed, backoff, waiting, unhealthy],
            tasks: vec![done],
            ..UnitsReport::default()
        };
        let pages: Vec<String> = units(report)
            .iter()
            .map(|unit| status(unit, &description(&unit.name, Some(false)), style()))
            .collect();
        insta::assert_snapshot!(pages.join("\n").replace("GMT", "UTC"), @r#"
        × web.service - service web of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; disabled)
             Active: failed (Result: exit-code)
            Process: ExecStart=/bin/web (code=exited, status=1/FAILURE)
             Status: "exited with code 1"

        ● web.service - service web of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; disabled)
             Active: activating (auto-restart) (Result: signal)
            Process: ExecStart=/bin/web (code=killed, signal=KILL)
             Status: "ended by SIGKILL"

        ● web.service - service web of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; disabled)
             Active: activating (start)
             Status: "waiting (needs install)"

        ● web.service - service web of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; disabled)
             Active: active (running)
             Status: "unhealthy: not ready within 1m"
           Main PID: 7

        ○ install.service - service install of agentbox.yaml
             Loaded: loaded (/workspace/agentbox.yaml; disabled)
             Active: inactive (dead) since Tue 2023-11-14 22:18:40 UTC; 10s ago
            Process: ExecStart=/bin/install (code=exited, status=0/SUCCESS)
        "#);
    }

    #[test]
    fn a_list_with_its_legend_and_without() {
        let report = UnitsReport {
            services: vec![service(ServiceState::Ready), service(ServiceState::Crashed)],
            ..UnitsReport::default()
        };
        let units = units(report);
        let shown: Vec<&Unit> = units.iter().collect();
        insta::assert_snapshot!(list(&shown, &[description("web", None)], true, false, false), @r"
          UNIT        LOAD   ACTIVE SUB     DESCRIPTION
          web.service loaded active running service web of agentbox.yaml
        ● web.service loaded failed failed  service web of agentbox.yaml

        LOAD   = Reflects whether the unit definition was properly loaded.
        ACTIVE = The high-level unit activation state, i.e. generalization of SUB.
        SUB    = The low-level unit activation state, values depend on unit type.
        2 loaded units listed. Pass --all to see loaded but inactive units, too.
        ");
        assert_eq!(
            list(&shown[..1], &[], false, true, true),
            "web.service loaded active running web\n"
        );
        assert_eq!(list(&[], &[], true, false, true), "0 loaded units listed.\n");
    }

    #[test]
    fn the_whole_box() {
        let report = UnitsReport {
            services: vec![service(ServiceState::Ready)],
            tasks: vec![task(TaskState::Failed)],
            ..UnitsReport::default()
        };
        insta::assert_snapshot!(overview("box", &units(report)), @r"
        × box
            State: degraded
            Units: 2 loaded
             Jobs: 0 queued
           Failed: 1 units
        ");
    }
}
