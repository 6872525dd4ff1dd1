//! What is in a checkpoint's file system, from one pass over it.

use std::collections::BTreeMap;
use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use futures_util::StreamExt;
use serde::Serialize;

use super::archive::{Malformed, Part, Splitter, trimmed};
use super::catalog::Checkpoint;
use super::scan::{Finding, Hidden, Scanner};
use super::still::Still;
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::ui::{Meter, one_line};

/// Directories that are counted apart from the one they lie in, wherever that is.
const OF_THEIR_OWN: [&str; 4] = ["node_modules", "target", ".git", ".venv"];
/// Most directories that are told apart.
const MOST_DIRECTORIES: usize = 10_000;
/// Most secrets that are believed to have been carried in.
const MOST_EXPOSED: usize = 1000;
/// Most tasks that are named.
const MOST_TASKS: usize = 1000;
/// How many of the largest directories are shown.
const SHOWN: usize = 10;
/// How many of them may be the workspace's.
const SHOWN_OF_WORKSPACE: usize = 6;

/// What is inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inside {
    /// All files together, in bytes.
    pub bytes: u64,
    /// Regular files.
    pub files: u64,
    /// The directories that take most, the largest first; those of the workspace come before those of the system.
    pub largest: Vec<Directory>,
    /// Tasks that have succeeded in it and are passed over while nothing has changed.
    pub done_tasks: Vec<String>,
    /// What looks like a secret.
    pub secrets: Vec<Finding>,
    /// How many more findings there are.
    pub more_secrets: usize,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Directory {
    /// Its path.
    pub path: String,
    /// Its files together, in bytes.
    pub bytes: u64,
}

/// Reads a checkpoint's files.
///
/// # Errors
/// Those of the engine, a signal.
pub async fn look_inside(
    context: &Context,
    docker: &Docker,
    checkpoint: &Checkpoint,
    interrupt: &mut Interrupt,
) -> Result<Inside, Stopped> {
    let step = context
        .ui
        .step(&format!("reading checkpoint `{}`", checkpoint.name));
    let meter = step.meter();
    let still = Still::of_image(docker, &checkpoint.id, &checkpoint.name).await?;
    let reading = async {
        let (mut inside, hidden) = read(docker, &still, &meter, Look::default()).await?;
        if !hidden.is_empty() {
            // Their content has gone by. Few files have a second name elsewhere, so this is rare.
            let (again, _) = read(docker, &still, &meter, Look::only(hidden)).await?;
            inside.secrets.extend(again.secrets);
            inside.more_secrets += again.more_secrets;
        }
        inside.secrets.extend(exposed(checkpoint));
        inside.secrets.sort();
        Ok::<_, Failure>(inside)
    };
    let result = interrupt.guard(reading).await;
    still.remove(context, docker).await;
    result
}

/// What the record of a checkpoint knows of secrets in it.
fn exposed(checkpoint: &Checkpoint) -> impl Iterator<Item = Finding> {
    let paths = checkpoint.record.exposed.iter().take(MOST_EXPOSED);
    paths.map(|path| Finding {
        path: one_line(path).into_owned(),
        line: None,
        kind: "carried in as a secret, and a file of the box since",
    })
}

/// Reads all of a container's files.
async fn read(
    docker: &Docker,
    still: &Still,
    meter: &Meter,
    mut look: Look,
) -> Result<(Inside, Hidden), Failure> {
    let broken = |error: Malformed| Failure::failed("cannot read the checkpoint").because(&error);
    let mut export = docker.export(&still.container);
    while let Some(piece) = export.next().await {
        let piece = piece?;
        meter.bytes(piece.len() as u64);
        look.feed(piece).map_err(broken)?;
    }
    look.finish().map_err(broken)
}

/// Counts and looks through the entries of an archive.
#[derive(Debug, Default)]
struct Look {
    splitter: Splitter,
    scanner: Scanner,
    directories: BTreeMap<String, u64>,
    inside: Inside,
    /// Bytes of the present file that are yet to come, without the padding.
    left: u64,
}

impl Look {
    /// One that looks for secrets in these files alone.
    fn only(hidden: Hidden) -> Self {
        Self {
            scanner: Scanner::only(hidden),
            ..Self::default()
        }
    }

    fn feed(&mut self, piece: bytes::Bytes) -> Result<(), Malformed> {
        let Self {
            splitter,
            scanner,
            directories,
            inside,
            left,
        } = self;
        splitter.feed(piece, |part| {
            match part {
                Part::Begin(entry) => {
                    *left = entry.size;
                    if entry.is_hard_link() {
                        scanner.link(&entry.path, trimmed(&entry.link));
                    } else {
                        scanner.begin(&entry.path, if entry.is_file() { entry.size } else { 0 });
                    }
                    if !entry.is_file() {
                        return Ok(());
                    }
                    inside.files += 1;
                    inside.bytes = inside.bytes.saturating_add(entry.size);
                    let path = String::from_utf8_lossy(&entry.path);
                    let directory = directory_of(&path);
                    if let Some(bytes) = directories.get_mut(directory) {
                        *bytes += entry.size;
                    } else if directories.len() < MOST_DIRECTORIES {
                        directories.insert(directory.to_owned(), entry.size);
                    }
                    if let Some(task) = task_of(&path)
                        && inside.done_tasks.len() < MOST_TASKS
                    {
                        inside.done_tasks.push(one_line(task).into_owned());
                    }
                }
                Part::Content(bytes) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    *left -= count as u64;
                    scanner.feed(&bytes[..count]);
                }
                Part::Trailer(_) => {}
            }
            Ok(())
        })
    }

    fn finish(self) -> Result<(Inside, Hidden), Malformed> {
        self.splitter.finish()?;
        let found = self.scanner.finish();
        let mut inside = self.inside;
        inside.largest = largest(self.directories);
        inside.secrets = found.findings;
        inside.more_secrets = found.more;
        for finding in &mut inside.secrets {
            finding.path = one_line(&finding.path).into_owned();
        }
        Ok((inside, found.hidden))
    }
}

/// The directories to show.
fn largest(directories: BTreeMap<String, u64>) -> Vec<Directory> {
    let mut all: Vec<Directory> = directories
        .into_iter()
        .map(|(path, bytes)| Directory {
            path: one_line(&format!("/{path}")).into_owned(),
            bytes,
        })
        .collect();
    all.sort_by(|a, b| (b.bytes, &a.path).cmp(&(a.bytes, &b.path)));
    let (mut shown, rest): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|directory| Path::new(&directory.path).starts_with(paths::WORKSPACE));
    shown.truncate(SHOWN_OF_WORKSPACE);
    let room = SHOWN - shown.len();
    shown.extend(rest.into_iter().take(room));
    shown
}

/// The directory that a file counts for: of the workspace and of a home the one below it, elsewhere the one at the top.
fn directory_of(path: &str) -> &str {
    let mut ends = path.match_indices('/').map(|(at, _)| at);
    let mut start = 0;
    let own = ends.clone().find(|end| {
        let component = &path[start..*end];
        start = end + 1;
        OF_THEIR_OWN.contains(&component)
    });
    let depth = match path.split('/').next() {
        Some("workspace" | "var") => 1,
        Some("home" | "usr") => 1,
        _ => 0,
    };
    let general = ends.nth(depth).or_else(|| path.rfind('/'));
    match own.or(general) {
        Some(end) => &path[..end],
        None => "",
    }
}

/// The task whose marker lies at a path.
fn task_of(path: &str) -> Option<&str> {
    path.strip_prefix(&paths::STATE[1..])?
        .strip_prefix("/run-once/")
        .filter(|task| !task.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::archive;
    use super::*;

    #[test]
    fn sizes_by_directory_tasks_and_secrets() {
        let big = vec![b'x'; 3000];
        let archive = archive(&[
            ("etc/passwd", b"root"),
            ("usr/lib/a/b", &big),
            ("usr/lib/c", &big),
            ("var/lib/agentbox/run-once/install", b"1"),
            ("workspace/app/node_modules/a/b.js", &big),
            ("workspace/app/node_modules/c/d.js", &big),
            ("workspace/app/src/\x1b[31mx", b"AKIAIOSFODNN7EXAMPLE"),
            ("workspace/readme", b"1"),
        ]);
        let mut look = Look::default();
        for piece in archive.chunks(999) {
            look.feed(bytes::Bytes::copy_from_slice(piece)).unwrap();
        }
        let (inside, _) = look.finish().unwrap();
        let largest: Vec<_> = inside
            .largest
            .iter()
            .map(|directory| format!("{} {}", directory.path, directory.bytes))
            .collect();
        assert_eq!(
            largest,
            [
                "/workspace/app/node_modules 6000",
                "/workspace/app 20",
                "/workspace 1",
                "/usr/lib 6000",
                "/etc 4",
                "/var/lib 1",
            ]
        );
        assert_eq!(
            (inside.files, inside.done_tasks.concat().as_str()),
            (8, "install")
        );
        assert_eq!(inside.secrets.len(), 1);
        assert!(!inside.secrets[0].path.contains('\x1b'));
    }
}
