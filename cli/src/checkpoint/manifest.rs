//! What `show` tells about a checkpoint.

use agentbox_ctl::paths;
use agentbox_ctl::report::align;
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

use super::catalog::Checkpoint;
use super::inside::Inside;
use super::record::{Parent, VolumeLeftOut};
use super::scan;
use crate::docker::ImageDetails;
use crate::ui::{counted, duration, files_and_bytes, one_line, size};

/// Everything about a checkpoint. Its JSON is what `checkpoint show --json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<'a> {
    name: &'a str,
    id: &'a str,
    tag: &'a str,
    project: &'a str,
    host: &'a str,
    #[serde(rename = "box")]
    source_box: &'a str,
    created_at: Option<Timestamp>,
    version: &'a str,
    default: bool,
    parents: &'a [Parent],
    depth: usize,
    head: Option<&'a str>,
    base: Option<&'a str>,
    image: &'a str,
    bytes: i64,
    layers: usize,
    boxes: Vec<String>,
    config: Config<'a>,
    /// Files that were carried in, and are no secrets.
    carried: &'a [String],
    inside: &'a Inside,
    not_inside: NotInside<'a>,
}

/// How a container of the image runs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Config<'a> {
    user: &'a str,
    working_directory: &'a str,
    entrypoint: &'a [String],
    command: &'a [String],
    /// Names alone: values are the image's own business.
    env: Vec<&'a str>,
    exposed_ports: &'a [String],
    volumes: &'a [String],
}

/// What a box has and its checkpoint has not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NotInside<'a> {
    volumes: &'a [VolumeLeftOut],
    /// The rest, in words.
    other: Vec<String>,
}

impl<'a> Manifest<'a> {
    /// Puts together what is known.
    pub fn new(
        checkpoint: &'a Checkpoint,
        image: &'a ImageDetails,
        inside: &'a Inside,
        boxes: Vec<String>,
    ) -> Self {
        let record = &checkpoint.record;
        Self {
            name: &checkpoint.name,
            id: &checkpoint.id,
            tag: &checkpoint.tag,
            project: &record.project,
            host: &record.host,
            source_box: &record.source_box,
            created_at: record.time,
            version: &record.version,
            default: checkpoint.is_default,
            parents: &record.parents,
            depth: record.depth,
            head: record.head.as_deref(),
            base: record.base.as_deref(),
            image: &record.image,
            bytes: checkpoint.size,
            layers: image.layers,
            boxes,
            config: Config {
                user: &image.user,
                working_directory: &image.working_directory,
                entrypoint: &image.entrypoint,
                command: &image.command,
                env: image
                    .env
                    .iter()
                    .map(|variable| variable.split('=').next().unwrap_or_default())
                    .collect(),
                exposed_ports: &image.exposed_ports,
                volumes: &image.volumes,
            },
            carried: &record.carried,
            inside,
            not_inside: NotInside {
                volumes: &record.volumes,
                other: other(),
            },
        }
    }

    /// Lines for a person.
    pub fn text(&self, now: Timestamp) -> String {
        let mut text = align(&self.facts(now));
        let mut section = |title: &str, lines: Vec<String>| {
            text.push_str(&format!("\n{title}\n"));
            for line in lines {
                text.push_str(&format!("  {}\n", one_line(&line)));
            }
        };
        section("inside", self.inside_lines());
        section("not inside", self.not_inside_lines());
        section("secrets", self.secret_lines());
        text
    }

    fn facts(&self, now: Timestamp) -> Vec<Vec<String>> {
        let none = || "none".to_owned();
        let list = |words: &mut dyn Iterator<Item = &str>| {
            let words: Vec<&str> = words.collect();
            if words.is_empty() {
                none()
            } else {
                words.join(", ")
            }
        };
        let commit = |id: Option<&str>| id.map_or_else(none, str::to_owned);
        let layers = match self.depth {
            0 => "one layer of its own, flattened".to_owned(),
            depth => format!(
                "{} on {}",
                counted(depth, "layer", "layers"),
                if self.parents.len() < depth {
                    self.image
                } else {
                    "a flattened checkpoint"
                }
            ),
        };
        [
            ("checkpoint", self.name.to_owned()),
            ("tag", self.tag.to_owned()),
            ("id", self.id.to_owned()),
            ("project", self.project.to_owned()),
            ("box", self.source_box.to_owned()),
            (
                "made",
                self.created_at.map_or_else(none, |time| {
                    format!(
                        "{time} ({} ago), by agentbox {}",
                        duration(time, now),
                        self.version
                    )
                }),
            ),
            ("default", if self.default { "yes" } else { "no" }.to_owned()),
            (
                "parents",
                list(&mut self.parents.iter().map(|parent| parent.name.as_str())),
            ),
            ("boxes", list(&mut self.boxes.iter().map(String::as_str))),
            ("git head", commit(self.head)),
            ("forked from", commit(self.base)),
            ("image", self.image.to_owned()),
            (
                "size",
                format!(
                    "{}, {layers}",
                    size(u64::try_from(self.bytes).unwrap_or_default())
                ),
            ),
            (
                "user",
                if self.config.user.is_empty() {
                    "root"
                } else {
                    self.config.user
                }
                .to_owned(),
            ),
            ("directory", self.config.working_directory.to_owned()),
            ("entrypoint", self.config.entrypoint.join(" ")),
            ("command", self.config.command.join(" ")),
            ("environment", list(&mut self.config.env.iter().copied())),
            (
                "ports",
                list(&mut self.config.exposed_ports.iter().map(String::as_str)),
            ),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| vec![name.to_owned(), one_line(&value).into_owned()])
        .collect()
    }

    fn inside_lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} in all",
            files_and_bytes(self.inside.files, self.inside.bytes)
        )];
        lines.extend(
            self.inside
                .largest
                .iter()
                .map(|directory| format!("{}: {}", directory.path, size(directory.bytes))),
        );
        if !self.inside.done_tasks.is_empty() {
            lines.push(format!(
                "tasks that are done and pass over while nothing changes: {}",
                self.inside.done_tasks.join(", ")
            ));
        }
        lines.extend(
            self.carried
                .iter()
                .map(|path| format!("{path}: carried in from the host")),
        );
        lines
    }

    fn not_inside_lines(&self) -> Vec<String> {
        let volumes = self.not_inside.volumes.iter().map(|volume| {
            let users = match volume.units.as_slice() {
                [] => String::new(),
                units => format!(", used by {}", units.join(", ")),
            };
            let name = if volume.name.is_empty() {
                "of the image"
            } else {
                &volume.name
            };
            format!("volume {name} at {}{users}", volume.path)
        });
        volumes.chain(self.not_inside.other.iter().cloned()).collect()
    }

    fn secret_lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .inside
            .secrets
            .iter()
            .map(|finding| match finding.line {
                Some(line) => format!("{}:{line}: {}", finding.path, finding.kind),
                None => format!("{}: {}", finding.path, finding.kind),
            })
            .collect();
        if self.inside.more_secrets > 0 {
            lines.push(format!("and {} more", self.inside.more_secrets));
        }
        if lines.is_empty() {
            lines.push("nothing that looks like one".to_owned());
        }
        lines.push(format!("not looked at: {}", scan::passed_over()));
        lines
    }
}

/// What no checkpoint has.
fn other() -> Vec<String> {
    vec![
        "running processes: units start anew, and tasks run again".to_owned(),
        format!(
            "{}: the box's environment, secrets, events and specs",
            paths::PRIVATE
        ),
        format!(
            "for a new box: what is in {}, and what shells remember of commands",
            paths::NEVER_WARM.join(", ")
        ),
    ]
}
