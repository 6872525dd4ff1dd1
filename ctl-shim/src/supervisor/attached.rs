//! Service specs and setup scripts that are attached to the box, as units.
//!
//! ```text
//! host ─► attached.json ── start of the box ─► in effect ─► units, now
//!              │                                   │
//!              │              attached-in-effect.json ── a supervisor that comes after a crash
//!              └── looked at again when it has changed ─► next
//! ```

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Options, settings};
use crate::config::Config;
use crate::config::model::Unit;
use crate::paths;
use crate::process::regular;
use crate::spec::{Attachments, Mark, Marks, SCRIPT_PREFIX, SERVICE_PREFIX, ServiceSpec};

/// Largest file that is read, in bytes: scripts of a mebibyte each.
const SIZE_LIMIT: u64 = 64 << 20;

/// Whether this is the name of an attached unit.
pub(super) fn is_attached(unit: &str) -> bool {
    unit.starts_with(SERVICE_PREFIX) || unit.starts_with(SCRIPT_PREFIX)
}

/// What is attached.
#[derive(Debug, Default)]
pub(super) struct Attached {
    path: PathBuf,
    /// Specs that are in effect.
    specs: Vec<ServiceSpec>,
    /// Units of the scripts, then of the specs.
    units: Vec<Unit>,
    now: Vec<Mark>,
    errors: Vec<String>,
    next: RefCell<Next>,
}

/// What comes at the next start.
#[derive(Debug, Default)]
struct Next {
    /// Tells one version of the file from another. `None` is a file that is not there.
    version: Option<(u64, i64, i64, u64)>,
    marks: Vec<Mark>,
    error: Option<String>,
}

impl Attached {
    /// Puts into effect what the host has written; after a crash, what was in effect before.
    pub(super) fn begin(options: &Options) -> Self {
        let private = options.private();
        let path = private.join(paths::ATTACHED_NAME);
        let in_effect = private.join(paths::IN_EFFECT_NAME);
        let mut errors = Vec::new();
        let former = options
            .resume
            .then(|| read(&in_effect))
            .and_then(Result::ok)
            .flatten();
        let attachments = former.unwrap_or_else(|| {
            let mut attachments = read(&path)
                .unwrap_or_else(|error| {
                    errors.push(format!("{error}; nothing is attached until it is mended"));
                    None
                })
                .unwrap_or_default();
            if attachments.rerun_setup {
                attachments.rerun_setup = false;
                errors.extend(forget_markers(&options.run_once()).err());
                errors.extend(write(&path, &attachments).err());
            }
            // One that is empty too: what was in effect in an earlier life of the box is so no longer.
            errors.extend(write(&in_effect, &attachments).err());
            attachments
        });
        let attached = Self {
            path,
            now: attachments.marks(),
            errors,
            ..Self::of(attachments)
        };
        attached.look();
        attached
    }

    fn of(attachments: Attachments) -> Self {
        let mut attached = Self::default();
        let mut names = HashSet::new();
        for copy in attachments.setup_scripts {
            let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if !copy.content.id.bytes().all(is_word) || !copy.content.fields.check().is_empty() {
                attached.errors.push(format!(
                    "the setup script {:?} is damaged, and left out",
                    copy.content.fields.name
                ));
            } else if attached.is_new(&mut names, copy.content.fields.unit_name()) {
                let mut unit = copy.content.unit();
                unit.needs
                    .extend(attached.units.last().map(|last| last.name.clone()));
                attached.units.push(unit);
            }
        }
        let last = attached.units.last().map(|last| last.name.clone());
        for copy in attachments.service_specs {
            let fields = &copy.content.fields;
            let wrong = fields.check().into_iter().next();
            match fields.unit() {
                Ok(mut unit) if wrong.is_none() => {
                    if attached.is_new(&mut names, unit.name.clone()) {
                        unit.needs.extend(last.clone());
                        attached.units.push(unit);
                        attached.specs.push(copy.content);
                    }
                }
                other => {
                    let wrong = wrong.map(|wrong| format!("{}: {}", wrong.field, wrong.message));
                    let why = wrong.or(other.err()).unwrap_or_default();
                    attached
                        .errors
                        .push(format!("the service spec {:?} is left out: {why}", fields.name));
                }
            }
        }
        attached
    }

    /// Whether nothing of this name came before: two people may have specs that are called alike.
    fn is_new(&mut self, names: &mut HashSet<String>, unit: String) -> bool {
        if names.contains(&unit) {
            self.errors
                .push(format!("two things are attached as {unit}; the first one counts"));
            return false;
        }
        names.insert(unit)
    }

    /// Adds the units to a configuration. What the file defines waits for the last script.
    pub(super) fn add_to(&self, config: &mut Config) {
        let scripts = self.units.iter().filter(|unit| !unit.is_service());
        if let Some(last) = scripts.last() {
            for unit in &mut config.units {
                unit.needs.push(last.name.clone());
            }
        }
        config.units.splice(0..0, self.units.iter().cloned());
    }

    /// The spec that a unit is made from.
    #[expect(dead_code, reason = "descriptions of units are to come")]
    pub(super) fn spec(&self, unit: &str) -> Option<&ServiceSpec> {
        self.specs.iter().find(|spec| spec.fields.unit_name() == unit)
    }

    /// What is in effect, and what comes.
    pub(super) fn marks(&self) -> Marks {
        self.look();
        Marks {
            now: self.now.clone(),
            next: self.next.borrow().marks.clone(),
        }
    }

    /// What is wrong.
    pub(super) fn errors(&self) -> Vec<String> {
        let next = self.next.borrow();
        let error = next.error.iter().filter(|_| self.errors.is_empty());
        self.errors
            .iter()
            .chain(error)
            .map(|error| format!("error: {error}"))
            .collect()
    }

    /// Reads what comes next, where the file is another one than before.
    fn look(&self) {
        let version = fs::metadata(&self.path)
            .ok()
            .map(|file| (file.ino(), file.mtime(), file.mtime_nsec(), file.len()));
        let mut next = self.next.borrow_mut();
        if next.version != version {
            let (marks, error) = match read(&self.path) {
                Ok(attachments) => (attachments.unwrap_or_default().marks(), None),
                Err(error) => (Vec::new(), Some(error)),
            };
            *next = Next {
                version,
                marks,
                error,
            };
        }
    }
}

fn read(path: &Path) -> Result<Option<Attachments>, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("cannot read {}: {why}", path.display());
    match regular::read(path, SIZE_LIMIT) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| wrong(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(&error)),
    }
}

fn write(path: &Path, attachments: &Attachments) -> Result<(), String> {
    let written = serde_json::to_vec(attachments)
        .map_err(io::Error::from)
        .and_then(|bytes| settings::replace(path, &bytes))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600)));
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Lets every setup script run again.
fn forget_markers(directory: &Path) -> Result<(), String> {
    let forget = || -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(SCRIPT_PREFIX.as_bytes())
            {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    };
    match forget() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(format!("cannot make setup scripts run again: {error}"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
