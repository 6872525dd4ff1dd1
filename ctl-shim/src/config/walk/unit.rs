//! One service or task.

use std::fmt;

use super::super::keys::{self, Key};
use super::super::model::{Launch, Service, Task, Unit, UnitKind};
use super::super::text::Quoted;
use super::super::yaml::Place;
use super::service::{defaults, probe_of_exposed};
use super::{Field, Pair, Walker};
use crate::spec::{SCRIPT_PREFIX, SERVICE_PREFIX};

/// Longest name of a unit.
pub(in crate::config) const LONGEST_NAME: usize = 63;

/// Beginnings of names that are not for this file, and what they are for.
pub(in crate::config) const RESERVED: [(&str, &str); 2] = [
    (SERVICE_PREFIX, "attached service specs"),
    (SCRIPT_PREFIX, "setup scripts"),
];

/// Whether the unit is a service or a task, and its name.
#[derive(Clone, Copy)]
pub(super) struct Subject<'d> {
    pub(super) is_service: bool,
    pub(super) name: &'d str,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}",
            if self.is_service { "service" } else { "task" },
            Quoted(self.name)
        )
    }
}

/// A unit as far as it could be read.
pub(super) struct Draft<'d> {
    pub(super) subject: Subject<'d>,
    /// Where its name stands.
    pub(super) place: Place,
    /// Each need and where it stands.
    pub(super) needs: Vec<(&'d str, Place)>,
    /// Where `expose` stands.
    pub(super) exposed_at: Option<Place>,
    /// The unit, without its needs; `None` when something that it must have could not be read.
    pub(super) unit: Option<Unit>,
}

impl<'d, 's> Walker<'d, 's> {
    pub(super) fn unit(&mut self, pair: &Pair<'d, 's>, is_service: bool) -> Draft<'d> {
        let subject = Subject {
            is_service,
            name: pair.key,
        };
        self.check_name(pair, subject);
        let mut draft = Draft {
            subject,
            place: pair.key_place,
            needs: Vec::new(),
            exposed_at: None,
            unit: None,
        };
        if pair.value.is_null() {
            self.without_command(pair.key_place, subject);
        } else if let Some(pairs) = self.pairs(pair.value, &subject) {
            self.unit_keys(&pairs, &mut draft);
        }
        draft
    }

    fn unit_keys(&mut self, pairs: &[Pair<'d, 's>], draft: &mut Draft<'d>) {
        let subject = draft.subject;
        let table = if subject.is_service {
            keys::SERVICE
        } else {
            keys::TASK
        };
        let (mut service, mut task) = (defaults(), Task::default());
        let mut launch: Option<Launch> = None;
        // What is run, by the key that says so; a second one is a mistake.
        let mut launched_by: Option<&str> = None;
        let (mut cwd, mut env, mut env_files, mut user) = (None, Vec::new(), Vec::new(), None);
        for pair in pairs {
            let field = pair.field(&subject);
            match pair.key {
                key @ ("command" | "image") if key == "command" || subject.is_service => {
                    let read = if key == "command" {
                        self.command(&field)
                    } else {
                        self.image(pair.value, &subject)
                    };
                    match launched_by {
                        Some(other) if other != key => self.problem_with_hint(
                            pair.key_place,
                            format!("{key} beside {other} in {subject}"),
                            "keep exactly one of command and image",
                        ),
                        _ => (launch, launched_by) = (read, Some(key)),
                    }
                }
                "cwd" => cwd = self.text(&field).map(str::to_owned),
                "env" => env = self.environment(pair.value, &subject).unwrap_or_default(),
                "env_file" => env_files = self.env_files(pair.value, &subject).unwrap_or_default(),
                "user" => user = self.user(&field),
                "needs" => draft.needs = self.needs(&field),
                "run_once" if !subject.is_service => {
                    task.run_once = self.run_once(pair.value, &subject).flatten();
                }
                _ if subject.is_service && self.service_key(pair, &subject, &mut service) => {
                    if pair.key == "expose" {
                        draft.exposed_at = Some(pair.key_place);
                    }
                }
                _ => self.misplaced_or_unknown(pair, table, subject),
            }
        }
        if launched_by.is_none() {
            self.without_command(draft.place, subject);
        }
        if launched_by == Some("image") {
            for pair in pairs.iter().filter(|pair| matches!(pair.key, "cwd" | "user")) {
                self.problem_with_hint(
                    pair.key_place,
                    format!("{} has no effect with image in {subject}", pair.key),
                    "the container has what its image says: remove it",
                );
            }
        }
        draft.unit = launch.map(|launch| Unit {
            name: subject.name.to_owned(),
            launch,
            cwd,
            env,
            env_files,
            user,
            needs: Vec::new(),
            kind: if subject.is_service {
                UnitKind::Service(completed(service))
            } else {
                UnitKind::Task(task)
            },
        });
    }

    fn check_name(&mut self, pair: &Pair<'d, 's>, subject: Subject<'d>) {
        let name = pair.key;
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if name.is_empty() || !name.bytes().all(is_good) {
            self.problem_with_hint(
                pair.key_place,
                format!("the name of {subject} is not allowed"),
                "use letters, digits, _ and -",
            );
        } else if name.len() > LONGEST_NAME {
            self.problem(
                pair.key_place,
                format!(
                    "the name of {subject} has {} characters, more than {LONGEST_NAME}",
                    name.len()
                ),
            );
        }
        if let Some((prefix, purpose)) = RESERVED.iter().find(|(prefix, _)| name.starts_with(prefix)) {
            self.problem_with_hint(
                pair.key_place,
                format!("the name of {subject} is reserved"),
                format!("choose one that does not start with {prefix}: that is for {purpose}"),
            );
        }
    }

    fn without_command(&mut self, place: Place, subject: Subject<'d>) {
        let hint = if subject.is_service {
            "add command, or image"
        } else {
            "add command"
        };
        self.problem_with_hint(place, format!("{subject} has no command"), hint);
    }

    fn misplaced_or_unknown(&mut self, pair: &Pair<'d, 's>, table: &[Key], subject: Subject<'d>) {
        let other = if subject.is_service {
            keys::TASK
        } else {
            keys::SERVICE
        };
        if keys::contains(other, pair.key) {
            let owner = if subject.is_service { "tasks" } else { "services" };
            let message = format!("{} belongs on {owner}, not on {subject}", pair.key);
            self.problem_with_hint(
                pair.key_place,
                message,
                format!("remove it, or move {} to {owner}", Quoted(subject.name)),
            );
        } else {
            self.unknown_key(pair, table, &subject);
        }
    }

    pub(super) fn user(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let user = self.text(field)?;
        if user.contains(|character: char| {
            character == ':' || character.is_whitespace() || character.is_control()
        }) {
            self.problem_with_hint(
                field.node.place,
                format!("{field} is not a user: {}", Quoted(user)),
                "write one name or uid, without a group",
            );
            return None;
        }
        Some(user.to_owned())
    }
}

/// Fills in what depends on other keys.
fn completed(mut service: Service) -> Service {
    if let (Some(expose), None) = (service.expose, &service.ready_when) {
        service.ready_when = Some(probe_of_exposed(expose));
    }
    service
}
