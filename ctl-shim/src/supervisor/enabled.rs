//! Which services start with the box where somebody in it has said so: `systemctl enable` and `disable`.
//!
//! ```text
//! Request::Enable ─► enabled.json ── next start of the box ──► in effect ─► autostart of what is read
//! ```
//!
//! What is said holds from the next start on. Until then neither a reload nor a supervisor that comes back after a crash
//! knows of it: both act on what was in effect when the box started.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::settings::replace;
use crate::config::Config;
use crate::config::model::{Unit, UnitKind};
use crate::paths;

/// File name of what is in effect in this life of the box, beside [`paths::ENABLED_NAME`].
const IN_EFFECT_NAME: &str = "enabled-in-effect.json";

type Said = BTreeMap<String, bool>;

/// What was said, by unit name. Units that are gone may be in it, and come back to it.
#[derive(Debug)]
pub(super) struct Enabled {
    path: PathBuf,
    in_effect: Said,
    next: Said,
}

impl Enabled {
    /// Reads it. `resume` says that the box goes on after a crash of its supervisor. What cannot be read was not said.
    pub(super) fn read(private: &Path, resume: bool) -> Self {
        let path = private.join(paths::ENABLED_NAME);
        let beside = private.join(IN_EFFECT_NAME);
        let next = said(&path);
        let in_effect = if resume {
            said(&beside)
        } else {
            // Only a crash reads it; without it, that starts from what is written in the configuration.
            let _ = match write(&beside, &next) {
                Ok(()) if next.is_empty() => std::fs::remove_file(&beside),
                done => done,
            };
            next.clone()
        };
        Self {
            path,
            in_effect,
            next,
        }
    }

    /// Puts what is in effect above what a configuration says.
    pub(super) fn apply(&self, config: &mut Config) {
        for unit in &mut config.units {
            if let (UnitKind::Service(service), Some(enabled)) =
                (&mut unit.kind, self.in_effect.get(&unit.name))
            {
                service.autostart = *enabled;
            }
        }
    }

    /// Whether a unit that was read starts with the box, from its next start on; `None` for a task.
    pub(super) fn of(&self, unit: &Unit) -> Option<bool> {
        let written = unit.service()?.autostart;
        Some(self.next.get(&unit.name).copied().unwrap_or(written))
    }

    /// Keeps what is said about these units.
    ///
    /// # Errors
    /// Those of the file system; nothing has been said then.
    pub(super) fn say(&mut self, units: &[String], enabled: bool) -> io::Result<()> {
        let mut next = self.next.clone();
        next.extend(units.iter().map(|unit| (unit.clone(), enabled)));
        if next != self.next {
            write(&self.path, &next)?;
            self.next = next;
        }
        Ok(())
    }
}

fn said(path: &Path) -> Said {
    std::fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default()
}

fn write(path: &Path, said: &Said) -> io::Result<()> {
    let json = serde_json::to_vec(said).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    replace(path, &json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LoadOptions, load};

    const YAML: &str =
        "services:\n  on: {command: x}\n  off: {command: x, autostart: false}\ntasks: {t: {command: x}}\n";

    fn config() -> Config {
        load(YAML, &LoadOptions::default()).config.unwrap()
    }

    /// What starts by itself, and what will.
    fn both(enabled: &Enabled, name: &str) -> (Option<bool>, Option<bool>) {
        let mut config = config();
        enabled.apply(&mut config);
        let unit = config.unit(name).unwrap();
        (unit.service().map(|service| service.autostart), enabled.of(unit))
    }

    #[test]
    fn what_is_said_holds_from_the_next_start_on() {
        let private = tempfile::tempdir().unwrap();
        let mut enabled = Enabled::read(private.path(), false);
        assert_eq!(both(&enabled, "on"), (Some(true), Some(true)));
        assert_eq!(both(&enabled, "off"), (Some(false), Some(false)));
        assert_eq!(both(&enabled, "t"), (None, None));
        enabled.say(&["off".to_owned(), "gone".to_owned()], true).unwrap();
        enabled.say(&["on".to_owned()], false).unwrap();
        assert_eq!(both(&enabled, "off"), (Some(false), Some(true)));
        assert_eq!(both(&enabled, "on"), (Some(true), Some(false)));

        let after_a_crash = Enabled::read(private.path(), true);
        assert_eq!(both(&after_a_crash, "off"), (Some(false), Some(true)));
        let next_start = Enabled::read(private.path(), false);
        assert_eq!(both(&next_start, "off"), (Some(true), Some(true)));
        assert_eq!(both(&next_start, "on"), (Some(false), Some(false)));
        let after_a_crash = Enabled::read(private.path(), true);
        assert_eq!(both(&after_a_crash, "off"), (Some(true), Some(true)));
    }

    #[test]
    fn a_file_that_cannot_be_understood_says_nothing_and_is_replaced() {
        let private = tempfile::tempdir().unwrap();
        let path = private.path().join(paths::ENABLED_NAME);
        for content in ["", "{\"on\": fal", "[1]", "{\"on\": 3}"] {
            std::fs::write(&path, content).unwrap();
            let mut enabled = Enabled::read(private.path(), false);
            assert_eq!(both(&enabled, "on"), (Some(true), Some(true)), "{content}");
            enabled.say(&["on".to_owned()], false).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"on\":false}");
        }
    }

    #[test]
    fn what_cannot_be_kept_was_not_said() {
        let private = tempfile::tempdir().unwrap();
        let mut enabled = Enabled::read(&private.path().join("missing"), false);
        assert!(enabled.say(&["on".to_owned()], false).is_err());
        assert_eq!(both(&enabled, "on"), (Some(true), Some(true)));
    }
}
