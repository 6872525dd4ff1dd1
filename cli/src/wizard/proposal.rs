//! What a stack proposes, and what all of them together come to.

use std::collections::{HashMap, HashSet};

/// What a unit is, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A task that fetches what the project depends on.
    Install,
    /// A task that comes after it: builds, migrations.
    Prepare,
    /// A service that is the project's own program.
    Run,
    /// A service that the project's programs use: a database.
    Backing,
}

/// What a unit runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Run {
    /// A command for a shell.
    Shell(String),
    /// A container in the box.
    Image {
        name: String,
        ports: Vec<String>,
        args: Vec<String>,
    },
}

/// When a task is passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunOnce {
    /// It has succeeded in this box before.
    Done,
    /// Globs of inputs and paths that the task makes, from the project's root.
    Files {
        inputs: Vec<String>,
        creates: Vec<String>,
    },
    /// A command that exits 0 when there is nothing to do.
    Check(String),
}

/// How a service is told its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PortSetting {
    /// It has the one it has.
    Fixed,
    /// By this variable.
    Variable(&'static str),
    /// By this option at the end of its command; the number follows.
    Option(&'static str),
}

/// A port that a service listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Port {
    pub(crate) number: u16,
    pub(crate) setting: PortSetting,
    /// Whether this was said somewhere and is not what such programs usually have.
    pub(crate) sure: bool,
}

/// A proposed service or task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) run: Run,
    /// Why it is as it is, a line each.
    pub(crate) comment: Vec<String>,
    /// From the project's root; `None` is the root.
    pub(crate) cwd: Option<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) env_files: Vec<String>,
    pub(crate) needs: Vec<String>,
    pub(crate) run_once: Option<RunOnce>,
    pub(crate) port: Option<Port>,
    /// A URL to probe instead of the port.
    pub(crate) http: Option<String>,
    /// Whether it compiles or the like before it answers.
    pub(crate) slow: bool,
    /// How likely it is what a person wants to see in the browser; 0 is not at all.
    pub(crate) web: u8,
    pub(crate) expose: bool,
    pub(crate) restart: Option<&'static str>,
    pub(crate) autostart: bool,
    pub(crate) user: Option<String>,
    /// Parts of a command by which the same program is known when somebody else describes it.
    pub(crate) known_by: Vec<String>,
}

impl Unit {
    /// A task.
    pub(crate) fn task(name: &str, role: Role, command: impl Into<String>) -> Self {
        Self::new(name, role, Run::Shell(command.into()))
    }

    /// A service that is the project's own program.
    pub(crate) fn service(name: &str, command: impl Into<String>) -> Self {
        Self::new(name, Role::Run, Run::Shell(command.into()))
    }

    /// A unit that only says what it runs.
    pub(crate) fn new(name: &str, role: Role, run: Run) -> Self {
        Self {
            name: name.to_owned(),
            role,
            run,
            comment: Vec::new(),
            cwd: None,
            env: Vec::new(),
            env_files: Vec::new(),
            needs: Vec::new(),
            run_once: None,
            port: None,
            http: None,
            slow: false,
            web: 0,
            expose: false,
            restart: None,
            autostart: true,
            user: None,
            known_by: Vec::new(),
        }
    }

    pub(crate) fn is_task(&self) -> bool {
        matches!(self.role, Role::Install | Role::Prepare)
    }

    pub(crate) fn needs(mut self, names: &[&str]) -> Self {
        self.needs.extend(names.iter().map(|&name| name.to_owned()));
        self
    }

    pub(crate) fn comment(mut self, line: impl Into<String>) -> Self {
        self.comment.push(line.into());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn once(mut self, inputs: Vec<String>, creates: Vec<String>) -> Self {
        self.run_once = Some(RunOnce::Files { inputs, creates });
        self
    }

    pub(crate) fn once_done(mut self) -> Self {
        self.run_once = Some(RunOnce::Done);
        self
    }

    pub(crate) fn once_checked(mut self, check: &str) -> Self {
        self.run_once = Some(RunOnce::Check(check.to_owned()));
        self
    }

    pub(crate) fn port(mut self, number: u16, setting: PortSetting, sure: bool) -> Self {
        self.port = Some(Port {
            number,
            setting,
            sure,
        });
        self
    }

    pub(crate) fn web(mut self, likelihood: u8) -> Self {
        self.web = likelihood;
        self
    }

    pub(crate) fn slow(mut self) -> Self {
        self.slow = true;
        self
    }

    pub(crate) fn known_by(mut self, parts: &[&str]) -> Self {
        self.known_by.extend(parts.iter().map(|&part| part.to_owned()));
        self
    }

    /// Whether a command that somebody else wrote runs the same program, by whole words.
    pub(crate) fn is_named_in(&self, command: &str) -> bool {
        let is_edge =
            |character: Option<char>| !character.is_some_and(|one| one.is_alphanumeric() || one == '_');
        let parts = self
            .known_by
            .iter()
            .map(|part| part.trim())
            .filter(|part| !part.is_empty());
        parts.into_iter().any(|part| {
            command.match_indices(part).any(|(at, _)| {
                is_edge(command[..at].chars().next_back())
                    && is_edge(command[at + part.len()..].chars().next())
            })
        })
    }

    /// Takes out what no process can be given: variables without a name, or given twice, and NULs.
    pub(crate) fn tidy(&mut self) {
        let mut seen: HashSet<String> = HashSet::new();
        self.env.retain(|(name, value)| {
            let is_good = !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
            is_good && seen.insert(name.clone())
        });
    }

    /// Makes a command that others wrote find what was installed.
    pub(crate) fn enter(&mut self, prefix: &str) {
        if let Run::Shell(command) = &mut self.run
            && !["uv run", "poetry run", "pipenv run", ".venv"]
                .iter()
                .any(|own| command.contains(own))
        {
            command.insert_str(0, prefix);
        }
    }

    /// What it runs, as one line for a person.
    pub(crate) fn shown_command(&self) -> String {
        match &self.run {
            Run::Shell(command) => {
                let lines = command.lines().filter(|line| *line != "set -e");
                let lines: Vec<String> = lines
                    .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                    .collect();
                lines.join("; ")
            }
            Run::Image { name, .. } => format!("image {name}"),
        }
    }
}

/// A program that units need and agentbox's base image lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tool {
    /// A command that succeeds where it is there.
    pub(crate) check: &'static str,
    /// Debian packages to install.
    pub(crate) packages: &'static [&'static str],
    /// A command to run after that.
    pub(crate) then: Option<&'static str>,
}

/// What one stack proposes for one directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposal {
    /// What was found, for the user: `Node.js (pnpm, Next.js)`.
    pub(crate) found: String,
    /// The directory it is about, empty for the root.
    pub(crate) directory: String,
    /// Tasks and services; `needs` are names of this proposal.
    pub(crate) units: Vec<Unit>,
    pub(crate) tools: Vec<Tool>,
    /// What has no counterpart, or what the user should know.
    pub(crate) notes: Vec<String>,
    /// What comes before a command that was not written for this, so that it finds what was installed.
    pub(crate) enter: Option<&'static str>,
    /// Whether somebody wrote it down, so that it may use any tool of the project.
    pub(crate) explicit: bool,
}

impl Proposal {
    /// One about a directory.
    pub(crate) fn new(found: impl Into<String>, directory: &str) -> Self {
        Self {
            found: found.into(),
            directory: directory.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    pub(crate) fn has_service(&self) -> bool {
        self.units.iter().any(|unit| !unit.is_task())
    }
}

/// What all stacks together come to: the content of the file to write.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plan {
    /// What was found, a line each.
    pub(crate) found: Vec<String>,
    /// Units with names of their own, in the order of the file; at most one has `expose`.
    pub(crate) units: Vec<Unit>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
    /// Env files to carry, as paths from the project's root.
    pub(crate) carry: Vec<String>,
}

impl Plan {
    /// Keeps the units with these positions. What needed one that goes needs what that one needed.
    pub(crate) fn keep(&mut self, wanted: &[usize]) {
        let gone: HashMap<String, Vec<String>> = self
            .units
            .iter()
            .enumerate()
            .filter(|(index, _)| !wanted.contains(index))
            .map(|(_, unit)| (unit.name.clone(), unit.needs.clone()))
            .collect();
        self.units.retain(|unit| !gone.contains_key(&unit.name));
        for unit in &mut self.units {
            let mut needs: Vec<String> = Vec::new();
            let mut next: Vec<String> = unit.needs.drain(..).rev().collect();
            let mut passed: HashSet<String> = HashSet::new();
            while let Some(need) = next.pop() {
                match gone.get(&need) {
                    Some(further) if passed.insert(need.clone()) => {
                        next.extend(further.iter().rev().cloned())
                    }
                    Some(_) => {}
                    None if needs.contains(&need) => {}
                    None => needs.push(need),
                }
            }
            unit.needs = needs;
        }
        if !self.units.iter().any(|unit| unit.expose) {
            self.expose_likeliest();
        }
    }

    /// Makes the service that is likeliest the web one the exposed one.
    pub(crate) fn expose_likeliest(&mut self) {
        let likeliest = self
            .units
            .iter()
            .enumerate()
            .filter(|(_, unit)| unit.web > 0 && unit.port.is_some() && !unit.is_task() && unit.autostart)
            // The first of several equals.
            .max_by_key(|(index, unit)| (unit.web, std::cmp::Reverse(*index)))
            .map(|(index, _)| index);
        self.expose(likeliest);
    }

    /// Makes the unit at this position the only one that is exposed.
    pub(crate) fn expose(&mut self, chosen: Option<usize>) {
        for (index, unit) in self.units.iter_mut().enumerate() {
            unit.expose = Some(index) == chosen;
        }
    }

    /// Positions of the services that could be the web one.
    pub(crate) fn web_candidates(&self) -> Vec<usize> {
        (0..self.units.len())
            .filter(|&index| self.units[index].port.is_some() && !self.units[index].is_task())
            .filter(|&index| self.units[index].role == Role::Run || self.units[index].web > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_whole_words() {
        let unit = Unit::service("web", "go run .").known_by(&["air", "rails s "]);
        for (command, is_known) in [
            ("air -c x", true),
            ("bin/air", true),
            ("repair", false),
            ("air_x", false),
            ("bin/rails s", true),
            ("bin/rails server", false),
        ] {
            assert_eq!(unit.is_named_in(command), is_known, "{command}");
        }
    }

    #[test]
    fn what_goes_leaves_its_needs_to_what_needed_it() {
        let mut plan = Plan {
            units: vec![
                Unit::task("tools", Role::Install, "a"),
                Unit::task("install", Role::Install, "b").needs(&["tools"]),
                Unit::task("migrate", Role::Prepare, "c").needs(&["install", "db"]),
                Unit::service("db", "d"),
                Unit::service("web", "e").needs(&["migrate"]),
            ],
            ..Plan::default()
        };
        plan.keep(&[0, 3, 4]);
        assert_eq!(plan.units[2].needs, ["tools", "db"]);
    }
}
