//! One box of a test's project.

use std::time::Duration;

use serde_json::Value;

use crate::engine;
use crate::process::{Output, Running};
use crate::project::Project;
use crate::wait::wait_for;

/// A box that a test made. Its project removes it.
#[derive(Debug)]
pub struct TestBox<'project> {
    project: &'project Project,
    name: String,
}

/// A process in a box, as the host's `ps` sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id on the host.
    pub pid: u32,
    /// First letter of its state; `Z` is a zombie.
    pub state: char,
    /// Command line.
    pub command: String,
}

impl<'project> TestBox<'project> {
    /// The box of this name.
    pub fn new(project: &'project Project, name: &str) -> Self {
        Self {
            project,
            name: name.to_owned(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its container's name.
    pub fn container(&self) -> String {
        format!("agentbox-{}", self.name)
    }

    /// Runs `agentbox VERB BOX ARGUMENTS…`.
    #[track_caller]
    pub fn run(&self, verb: &str, arguments: &[&str]) -> Output {
        let mut all = vec![verb, &self.name];
        all.extend(arguments);
        self.project.run(&all)
    }

    /// Starts `agentbox VERB BOX ARGUMENTS…` and leaves it running.
    #[track_caller]
    pub fn start(&self, verb: &str, arguments: &[&str]) -> Running {
        let mut all = vec![verb, &self.name];
        all.extend(arguments);
        self.project.start(&all)
    }

    /// Runs a shell script in the box as the box user, by `agentbox exec`.
    #[track_caller]
    pub fn exec(&self, script: &str) -> Output {
        self.run("exec", &["--", "sh", "-c", script])
    }

    /// Runs a shell script in the box as root, past agentbox.
    #[track_caller]
    pub fn docker_exec(&self, script: &str) -> Output {
        engine::docker(&["exec", "-u", "0", &self.container(), "sh", "-c", script])
    }

    /// `status --json`.
    #[track_caller]
    pub fn status_json(&self) -> Value {
        self.run("status", &["--json"]).ok().json()
    }

    /// The status of one unit, service or task.
    ///
    /// # Panics
    /// Where the box has no such unit.
    #[track_caller]
    pub fn unit(&self, name: &str) -> Value {
        let status = self.status_json();
        find_unit(&status, name).unwrap_or_else(|| panic!("no unit {name} in {status}"))
    }

    /// The process id of a unit's leader, as seen in the box.
    ///
    /// # Panics
    /// Where it has none.
    #[track_caller]
    pub fn pid(&self, unit: &str) -> u64 {
        let status = self.unit(unit);
        status["pid"]
            .as_u64()
            .unwrap_or_else(|| panic!("{unit} has no process: {status}"))
    }

    /// Waits until a unit is in a state, and returns its status then.
    ///
    /// # Panics
    /// After half a minute.
    #[track_caller]
    pub fn wait_state(&self, unit: &str, state: &str) -> Value {
        self.wait_unit(unit, &format!("{unit} to be {state}"), |status| {
            status["state"] == state
        })
    }

    /// Waits until a unit's status satisfies a condition, and returns it.
    ///
    /// # Panics
    /// After half a minute.
    #[track_caller]
    pub fn wait_unit(&self, unit: &str, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, Duration::from_secs(30), || {
            // A supervisor that is coming back does not answer for a moment.
            let output = self.run("status", &["--json"]);
            if output.code != 0 {
                return Err(output.to_string());
            }
            let status = output.json();
            match find_unit(&status, unit) {
                Some(unit) if condition(&unit) => Ok(unit),
                _ => Err(status.to_string()),
            }
        })
    }

    /// The processes of the box, those of the supervisor included. Works on every image, an empty one too.
    #[track_caller]
    pub fn processes(&self) -> Vec<Process> {
        let output = engine::docker(&["top", &self.container(), "-eo", "pid,stat,args"]).ok();
        output
            .stdout
            .lines()
            .skip(1)
            .filter_map(|line| {
                let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
                let (state, command) = rest.trim().split_once(char::is_whitespace)?;
                Some(Process {
                    pid: pid.parse().ok()?,
                    state: state.chars().next()?,
                    command: command.trim().to_owned(),
                })
            })
            .collect()
    }

    /// The live processes of the box whose command line contains a text.
    #[track_caller]
    pub fn processes_matching(&self, text: &str) -> Vec<Process> {
        let mut processes = self.processes();
        processes.retain(|process| process.state != 'Z' && process.command.contains(text));
        processes
    }

    /// `docker inspect` of its container.
    ///
    /// # Panics
    /// Where there is none.
    #[track_caller]
    pub fn inspect(&self) -> Value {
        engine::inspect(&self.container()).unwrap_or_else(|| panic!("no container {}", self.container()))
    }
}

/// A unit of a `status --json` document.
pub fn find_unit(status: &Value, name: &str) -> Option<Value> {
    ["services", "tasks"]
        .iter()
        .filter_map(|kind| status[kind].as_array())
        .flatten()
        .find(|unit| unit["name"] == name)
        .cloned()
}
