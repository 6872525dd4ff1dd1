//! What units are, beside the states they are in: whether they start with the box, where they are defined, what they are in
//! systemd's words, and which processes they have.
//!
//! ```text
//! engine: definitions and handles ─► a thread of its own: one look at /proc for all ─► answer
//! ```

use std::fs;
use std::io::Read;
use std::path::Path;

use tokio::sync::oneshot;

use super::attached::is_attached;
use super::docker::is_daemon;
use super::engine::Engine;
use super::shared::{Command, Shared};
use super::{answer, launch};
use crate::config::model::Unit;
use crate::config::unit_file;
use crate::failure::Failure;
use crate::process::tree::{self, UnitHandle};
use crate::protocol::message::{Answer, UnitDescription, UnitOutcome, UnitProcess};
use crate::spec;

/// Most processes of a unit that are listed, and bytes of a command line: the answer has to fit into a frame.
const MOST_PROCESSES: usize = 64;
const LONGEST_COMMAND: u64 = 512;

/// A description without its processes, and what finds them.
pub(super) type Described = (UnitDescription, Option<UnitHandle>);

impl Engine {
    /// Describes units, all where none are named.
    pub(super) fn describe(&self, names: &[String]) -> Result<Vec<Described>, Failure> {
        let mut keys = Vec::new();
        for name in names {
            let slot = self.machine.find(name).filter(|slot| !is_daemon(&slot.unit.name));
            keys.push(slot.map(|slot| slot.key).ok_or_else(|| self.unknown(name))?);
        }
        if names.is_empty() {
            keys.extend(self.machine.slots().map(|slot| slot.key));
        }
        let has_bash = Path::new("/bin/bash").exists();
        let shell = if has_bash { "/bin/bash" } else { "/bin/sh" };
        let described = keys.into_iter().filter_map(|key| {
            let unit = &self.machine.slot(key)?.unit;
            let description = UnitDescription {
                unit: unit.name.clone(),
                enabled: self.enabled.of(unit),
                source: self.source_of(unit),
                unit_file: self.unit_file_of(unit, shell),
                processes: Vec::new(),
            };
            Some((description, self.launcher.handle(key)))
        });
        Ok(described.collect())
    }

    /// Where a unit is defined.
    fn source_of(&self, unit: &Unit) -> String {
        match self.attached.spec(&unit.name) {
            Some(spec) => format!("service spec {}", spec.id),
            None if is_attached(&unit.name) => "setup script".to_owned(),
            None => self.options.config.display().to_string(),
        }
    }

    /// What systemd would have of it.
    fn unit_file_of(&self, unit: &Unit, shell: &str) -> String {
        let user = self.launcher.box_user();
        match self.attached.spec(&unit.name) {
            Some(spec) => spec::unit_file(&spec.fields, user, &self.launcher.home()),
            None => unit_file::render(unit, &self.options.workspace.to_string_lossy(), user, shell),
        }
    }

    /// Keeps whether services start with the box.
    pub(super) fn enable(&mut self, names: &[String], enabled: bool) -> Result<Answer, Failure> {
        if names.is_empty() {
            return Ok(Answer::Units(Vec::new()));
        }
        let mut outcomes = Vec::new();
        for (description, _) in self.describe(names)? {
            let unit = description.unit;
            let Some(before) = description.enabled else {
                return Err(Failure::usage(format!(
                    "\"{unit}\" is a task: it runs at each start of the box"
                )));
            };
            let state = self.machine.find(&unit).map(|slot| slot.state().to_string());
            outcomes.push(UnitOutcome {
                unit,
                state: state.unwrap_or_default(),
                changed: before != enabled,
            });
        }
        self.enabled
            .say(names, enabled)
            .map_err(|error| Failure::failed("cannot keep what starts with the box").because(&error))?;
        Ok(Answer::Units(outcomes))
    }
}

/// Answers a request.
pub(super) async fn describe(units: Vec<String>, shared: &Shared) -> Result<Answer, Failure> {
    let (reply, described) = oneshot::channel();
    shared
        .commands
        .send(Command::Describe(units, reply))
        .await
        .map_err(|_| answer::stopping())?;
    let described = described.await.map_err(|_| answer::stopping())??;
    let (reply, complete) = oneshot::channel();
    // A client that has gone needs no answer.
    launch::aside(Box::new(move || drop(reply.send(look(described))))).map_err(Failure::failed)?;
    complete
        .await
        .map_err(|_| answer::stopping())?
        .map(Answer::Described)
}

/// Adds the processes.
fn look(described: Vec<Described>) -> Result<Vec<UnitDescription>, Failure> {
    let handles: Vec<(usize, &UnitHandle)> = described
        .iter()
        .enumerate()
        .filter_map(|(index, (_, handle))| Some((index, handle.as_ref()?)))
        .collect();
    let only: Vec<&UnitHandle> = handles.iter().map(|(_, handle)| *handle).collect();
    let (mut processes, owners) =
        tree::owners(&only).map_err(|error| Failure::failed("cannot read /proc").because(&error))?;
    processes.sort_by_key(|process| (process.start_time, process.pid));
    let mut found: Vec<Vec<UnitProcess>> = described.iter().map(|_| Vec::new()).collect();
    for process in processes {
        let Some((index, handle)) = owners.get(&process.pid).and_then(|owner| handles.get(*owner)) else {
            continue;
        };
        let Some(list) = found.get_mut(*index).filter(|list| list.len() < MOST_PROCESSES) else {
            continue;
        };
        let place = if process.pid == handle.leader() {
            0
        } else {
            list.len()
        };
        let command = command_line(process.pid).unwrap_or(process.name);
        list.insert(
            place,
            UnitProcess {
                pid: process.pid,
                command,
            },
        );
    }
    let complete = described.into_iter().zip(found);
    Ok(complete
        .map(|((description, _), processes)| UnitDescription {
            processes,
            ..description
        })
        .collect())
}

/// The words of a process, with blanks in between; `None` where it has none.
fn command_line(pid: u32) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/cmdline")).ok()?;
    file.take(LONGEST_COMMAND).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
    Some(text.trim_end().to_owned()).filter(|text| !text.is_empty())
}
