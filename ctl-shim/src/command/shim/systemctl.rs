//! `systemctl`: its verbs, on all units of the box.

use std::io::IsTerminal;

use super::super::output::Output;
use super::super::units::unfinished;
use super::page::{self, Style};
use super::unit::{Unit, full, is_pattern, means};
use super::verbs::{HELP, Line};
use super::words::{Words, count};
use super::{complaint, journalctl, time};
use crate::client::{Call, Client, Part};
use crate::failure::Failure;
use crate::protocol::message::{Answer, Request, UnitDescription};
use crate::report::TaskState;
use crate::time::Timestamp;

/// Of a unit that is not active.
const NOT_ACTIVE: u8 = 3;
/// Of `status`, where there is no such unit.
const UNKNOWN: u8 = 4;
/// Of a verb that changes units, where there is no such unit.
const NOT_INSTALLED: u8 = 5;

/// What a verb works with.
struct Systemctl<'a> {
    client: Client,
    words: &'a Words,
    /// What is named after the verb.
    names: &'a [String],
    units: Vec<Unit>,
    output: &'a Output,
}

/// Runs a command line and says how it ends.
pub(super) async fn run(words: &[String], output: &Output) -> Result<u8, Failure> {
    let line = Line::parse(words).map_err(complaint)?;
    let words = &line.words;
    if words.has("help") {
        return output.bytes(HELP.as_bytes()).map(|()| 0);
    }
    if words.has("version") {
        let version = env!("CARGO_PKG_VERSION");
        return output
            .line(&format!("agentbox-ctl {version} (systemctl)"))
            .map(|()| 0);
    }
    let (verb, names) = line.verb();
    let wants_units = match verb {
        "status" | "list-units" => false,
        "daemon-reload" => {
            if !words.has("quiet") {
                output.complain(
                    "Nothing to do: an edited agentbox.yaml is applied by \"agentbox-ctl reload\", specs by the next start of the box.\n",
                );
            }
            return Ok(0);
        }
        _ => true,
    };
    if wants_units && names.is_empty() {
        return Err(complaint(format!(
            "systemctl: {verb} needs a unit, such as \"systemctl {verb} web\""
        )));
    }
    let client = super::connect().await?;
    let Answer::Status(report) = client.ask(&Request::Status).await? else {
        return Err(super::super::look::unexpected());
    };
    let systemctl = Systemctl {
        client,
        words,
        names,
        units: Unit::all(&report),
        output,
    };
    match verb {
        "status" => systemctl.status().await,
        "list-units" => systemctl.list().await,
        "is-active" => systemctl.check(Unit::is_active, NOT_ACTIVE),
        "is-failed" => systemctl.check(Unit::is_failed, 1),
        "is-enabled" => systemctl.is_enabled().await,
        "enable" => systemctl.enable(true).await,
        "disable" => systemctl.enable(false).await,
        "cat" => systemctl.cat().await,
        verb => systemctl.change(verb, names).await,
    }
}

impl Systemctl<'_> {
    /// The units that are named, in that order, each once; and the names of which there is none.
    fn named<'a>(&'a self, names: &'a [String]) -> (Vec<&'a Unit>, Vec<String>) {
        let (mut found, mut missing): (Vec<&Unit>, _) = (Vec::new(), Vec::new());
        for name in names {
            let matching: Vec<&Unit> = self.units.iter().filter(|unit| means(name, &unit.name)).collect();
            if matching.is_empty() && !is_pattern(name) {
                missing.push(full(name));
            }
            for unit in matching {
                if !found.iter().any(|known| known.name == unit.name) {
                    found.push(unit);
                }
            }
        }
        (found, missing)
    }

    async fn describe(&self, units: &[&Unit]) -> Result<Vec<UnitDescription>, Failure> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let units = units.iter().map(|unit| unit.name.clone()).collect();
        match self.client.ask(&Request::Describe { units }).await? {
            Answer::Described(descriptions) => Ok(descriptions),
            _ => Err(super::super::look::unexpected()),
        }
    }

    fn complain(&self, text: &str) {
        self.output.complain(&format!("{text}\n"));
    }

    async fn status(&self) -> Result<u8, Failure> {
        let lines = count(self.words.last("lines").unwrap_or_default(), 10).map_err(complaint)?;
        if self.names.is_empty() {
            self.output
                .bytes(page::overview(&journalctl::host(), &self.units).as_bytes())?;
            return Ok(0);
        }
        let (found, missing) = self.named(self.names);
        let mut code = 0;
        for name in &missing {
            self.complain(&format!("Unit {name} could not be found."));
            code = UNKNOWN;
        }
        let style = Style {
            zone: time::local,
            now: Timestamp::now(),
            colour: std::io::stdout().is_terminal(),
        };
        for (index, unit) in found.iter().enumerate() {
            if code == 0 && !unit.is_active() {
                code = NOT_ACTIVE;
            }
            // One at a time: what is described may be of any length.
            let descriptions = self.describe(&[*unit]).await?;
            let Some(description) = descriptions.first() else {
                continue;
            };
            let mut text = String::from(if index > 0 { "\n" } else { "" });
            text.push_str(&page::status(unit, description, style));
            if lines != Some(0) {
                let log = journalctl::last_lines(&self.client, &unit.name, lines).await?;
                if !log.is_empty() {
                    text.push('\n');
                    text.push_str(&log);
                }
            }
            self.output.bytes(text.as_bytes())?;
        }
        Ok(code)
    }

    async fn list(&self) -> Result<u8, Failure> {
        let states: Vec<&str> = self
            .words
            .all("state")
            .flat_map(|states| states.split(','))
            .collect();
        let of_type = |types: &str| types.split(',').any(|kind| kind == "service");
        let shown = self.units.iter().filter(|unit| {
            let in_state = match (states.as_slice(), self.words.has("failed")) {
                ([], false) => self.words.has("all") || unit.active != "inactive",
                ([], true) => unit.is_failed(),
                (states, failed) => {
                    states
                        .iter()
                        .any(|state| [unit.active, unit.sub, "loaded"].contains(state))
                        || (failed && unit.is_failed())
                }
            };
            in_state
                && self.words.last("type").is_none_or(of_type)
                && (self.names.is_empty() || self.names.iter().any(|name| means(name, &unit.name)))
        });
        let shown: Vec<&Unit> = shown.collect();
        // Without what they are, where that is too much for one answer.
        let descriptions = self.describe(&shown).await.unwrap_or_default();
        let legend = !self.words.has("no-legend") && !self.words.has("quiet");
        let chosen = !states.is_empty() || self.words.has("failed") || self.words.has("all");
        let text = page::list(&shown, &descriptions, legend, self.words.has("plain"), chosen);
        self.output.bytes(text.as_bytes())?;
        Ok(0)
    }

    /// Prints states; whether any is good decides the exit code.
    fn check(&self, is_good: fn(&Unit) -> bool, otherwise: u8) -> Result<u8, Failure> {
        let mut code = otherwise;
        for name in self.names {
            let mut found = false;
            for unit in self.units.iter().filter(|unit| means(name, &unit.name)) {
                found = true;
                if is_good(unit) {
                    code = 0;
                }
                if !self.words.has("quiet") {
                    self.output.line(unit.active)?;
                }
            }
            // To systemd a unit that nobody has heard of is at rest.
            if !found && !is_pattern(name) && !self.words.has("quiet") {
                self.output.line("inactive")?;
            }
        }
        Ok(code)
    }

    async fn is_enabled(&self) -> Result<u8, Failure> {
        let (found, missing) = self.named(self.names);
        let mut code = 1;
        for description in self.describe(&found).await? {
            if description.enabled != Some(false) {
                code = 0;
            }
            if !self.words.has("quiet") {
                self.output.line(page::enabled(&description))?;
            }
        }
        if let Some(name) = missing.first() {
            self.complain(&format!(
                "Failed to get unit file state for {name}: No such file or directory"
            ));
            code = 1;
        }
        Ok(code)
    }

    async fn enable(&self, enabled: bool) -> Result<u8, Failure> {
        let verb = if enabled { "enable" } else { "disable" };
        let (found, missing) = self.named(self.names);
        if let Some(name) = missing.first() {
            return Err(complaint(format!(
                "Failed to {verb} unit: Unit file {name} does not exist."
            )));
        }
        let mut units = Vec::new();
        for description in self.describe(&found).await? {
            if description.enabled.is_some() {
                units.push(description.unit);
            } else {
                self.complain(&format!(
                    "{} is a task: it runs at each start of the box and cannot be enabled or disabled.",
                    full(&description.unit)
                ));
            }
        }
        let request = Request::Enable { units, enabled };
        let Answer::Units(outcomes) = self.client.ask(&request).await? else {
            return Err(super::super::look::unexpected());
        };
        for outcome in outcomes
            .iter()
            .filter(|outcome| outcome.changed && !self.words.has("quiet"))
        {
            let starts = if enabled { "starts" } else { "does not start" };
            self.complain(&format!(
                "{} {starts} with the box, from its next start on.",
                full(&outcome.unit)
            ));
        }
        if !self.words.has("now") {
            return Ok(0);
        }
        self.change(if enabled { "start" } else { "stop" }, self.names)
            .await
    }

    async fn cat(&self) -> Result<u8, Failure> {
        let (found, missing) = self.named(self.names);
        for (index, unit) in found.iter().enumerate() {
            for description in self.describe(&[*unit]).await? {
                let gap = if index > 0 { "\n" } else { "" };
                let text = format!("{gap}# {}\n{}", description.source, description.unit_file);
                self.output.bytes(text.as_bytes())?;
            }
        }
        for name in &missing {
            self.complain(&format!("No files found for {name}."));
        }
        Ok(u8::from(!missing.is_empty()))
    }

    /// Starts, stops or restarts units, all at once.
    async fn change(&self, verb: &str, names: &[String]) -> Result<u8, Failure> {
        let (found, missing) = self.named(names);
        let mut code = 0;
        for name in &missing {
            let why = if verb == "stop" { "loaded" } else { "found" };
            self.complain(&format!("Failed to {verb} {name}: Unit {name} not {why}."));
            code = NOT_INSTALLED;
        }
        let mut calls: Vec<(&str, Call)> = Vec::new();
        for unit in found {
            calls.push((&unit.name, self.client.call(&request(verb, unit)).await?));
        }
        if self.words.has("no-block") {
            // Requests are taken up in their order: once this one is answered, the others have begun.
            self.client.ask(&Request::Status).await?;
            return Ok(code);
        }
        for (name, mut call) in calls {
            if let Err(failure) = ended(name, &mut call).await {
                let unit = full(name);
                self.complain(&format!(
                    "Job for {unit} failed: {}.\nSee \"systemctl status {unit}\" and \"journalctl -xeu {unit}\" for details.",
                    failure.message
                ));
                code = 1;
            }
        }
        Ok(code)
    }
}

/// What a verb that changes units asks for. A oneshot service that has ended runs again when it is started, and no `run_once`
/// keeps it from that; a run in progress is joined.
fn request(verb: &str, unit: &Unit) -> Request {
    let units = vec![unit.name.clone()];
    match verb {
        "stop" => Request::Stop { units },
        _ if unit.is_done_task => Request::RunTask {
            task: unit.name.clone(),
            force: true,
        },
        "start" => Request::Start { units },
        _ => Request::Restart { units },
    }
}

/// Waits for the answer; what a task writes meanwhile is in its log.
async fn ended(unit: &str, call: &mut Call) -> Result<(), Failure> {
    loop {
        match call.next().await? {
            Part::Done(Answer::Task { state, reason, .. }) if state != TaskState::Done => {
                return Err(unfinished(unit, state, reason));
            }
            Part::Done(_) => return Ok(()),
            Part::Item(_) | Part::Data(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::unit::tests::{service, task};
    use super::*;
    use crate::report::{ServiceState, UnitsReport};

    #[test]
    fn a_task_that_is_done_is_run_again_and_no_other() {
        let report = UnitsReport {
            services: vec![service(ServiceState::Running)],
            tasks: [
                TaskState::Done,
                TaskState::Running,
                TaskState::Waiting,
                TaskState::Failed,
            ]
            .map(task)
            .to_vec(),
            ..UnitsReport::default()
        };
        let mut table = String::new();
        for unit in Unit::all(&report) {
            for verb in ["start", "restart", "stop"] {
                let request = request(verb, &unit);
                table.push_str(&format!("{} ({}), {verb}: {request:?}\n", unit.active, unit.sub));
            }
        }
        insta::assert_snapshot!(table, @r#"
        active (running), start: Start { units: ["web"] }
        active (running), restart: Restart { units: ["web"] }
        active (running), stop: Stop { units: ["web"] }
        inactive (dead), start: RunTask { task: "install", force: true }
        inactive (dead), restart: RunTask { task: "install", force: true }
        inactive (dead), stop: Stop { units: ["install"] }
        activating (start), start: Start { units: ["install"] }
        activating (start), restart: Restart { units: ["install"] }
        activating (start), stop: Stop { units: ["install"] }
        activating (start), start: Start { units: ["install"] }
        activating (start), restart: Restart { units: ["install"] }
        activating (start), stop: Stop { units: ["install"] }
        failed (failed), start: Start { units: ["install"] }
        failed (failed), restart: Restart { units: ["install"] }
        failed (failed), stop: Stop { units: ["install"] }
        "#);
    }
}
