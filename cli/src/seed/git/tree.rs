//! The files of a commit, from the objects alone: for boxes that fork from elsewhere than the work tree.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::seed::Modified;
use agentbox_ctl::work;

use crate::host_git::HostGit;
use crate::seed::stream::{DIRECTORY_MODE, Sender};

/// Longest target of a link, in bytes; no system has longer ones.
const LINK_LIMIT: u64 = 64 << 10;

/// A git that answers with the content of objects.
pub(super) struct Objects {
    child: Child,
    questions: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Objects {
    /// Starts it.
    ///
    /// # Errors
    /// A git that cannot be run.
    pub(super) fn open(git: &HostGit) -> Result<Self, Failure> {
        let mut child = git
            .command(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| work::cannot_run(&error))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(questions), Some(answers)) => Ok(Self {
                child,
                questions: BufWriter::new(questions),
                answers: BufReader::with_capacity(128 * 1024, answers),
            }),
            _ => Err(Failure::failed("git has no pipes")),
        }
    }

    /// Gives the content of the object `id` to `take`, which reads all of it or fails for good.
    ///
    /// # Errors
    /// An object that is missing, and those of `take`.
    pub(super) fn with<T>(
        &mut self,
        id: &str,
        take: impl FnOnce(&mut dyn Read, u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let broken =
            |error: std::io::Error| Failure::failed("git no longer answers about objects").because(&error);
        writeln!(self.questions, "{id}").map_err(broken)?;
        self.questions.flush().map_err(broken)?;
        let mut head = String::new();
        self.answers.read_line(&mut head).map_err(broken)?;
        // id type size
        let size = head
            .split(' ')
            .nth(2)
            .and_then(|size| size.trim().parse::<u64>().ok());
        let Some(size) = size else {
            return Err(Failure::failed(format!("the repository has no object {id}")).hint("git fsck"));
        };
        let mut content = (&mut self.answers).take(size);
        let result = take(&mut content, size)?;
        let mut end = [0];
        self.answers.read_exact(&mut end).map_err(broken)?;
        Ok(result)
    }
}

impl Objects {
    /// The content of the object `id`.
    ///
    /// # Errors
    /// An object that is missing, or longer than `limit` bytes.
    pub(super) fn read(&mut self, id: &str, limit: u64) -> Result<Vec<u8>, Failure> {
        self.with(id, |content, size| {
            if size > limit {
                return Err(Failure::failed(format!(
                    "object {id} has {size} bytes, more than {limit}"
                )));
            }
            let mut bytes = Vec::new();
            content
                .read_to_end(&mut bytes)
                .map_err(|error| Failure::failed(format!("cannot read object {id}")).because(&error))?;
            Ok(bytes)
        })
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends with its questions; whether it does so well is nobody's concern any more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the files of `tree`, which is a commit or `commit:directory`. While a box is asked it learns their paths alone:
/// they have no time by which it could tell whether it has them.
///
/// # Errors
/// A git that fails, objects that are missing, a stream that nobody reads any more.
pub(in crate::seed) fn write(
    sender: &mut Sender<'_>,
    git: &HostGit,
    tree: &str,
    skip: &dyn Fn(&Path) -> bool,
) -> Result<(), Failure> {
    let is_asking = sender.questions.is_some();
    let mut objects = Objects::open(git)?;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let modified = Modified {
        seconds: now.as_secs(),
        nanoseconds: 0,
    };
    let command = git.command(["ls-tree", "-r", "-t", "-z", "--full-tree", tree]);
    git.stream(command, Vec::new(), |listed| {
        for entry in BufReader::new(listed).split(0) {
            let entry = entry.map_err(|error| super::cannot_list(&error))?;
            let Some((mode, id, path)) = entry_of(&entry) else {
                continue;
            };
            if skip(path) {
                continue;
            }
            match mode {
                0o040_000 => sender.directory(path, DIRECTORY_MODE)?,
                // Its objects are not here.
                0o160_000 => {
                    sender.directory(path, DIRECTORY_MODE)?;
                    if !is_asking {
                        sender.warn(format!("left {} empty: it is a submodule", path.display()));
                    }
                }
                0o120_000 => {
                    let target = objects.read(id, LINK_LIMIT)?;
                    sender.link(path, OsStr::from_bytes(&target))?;
                }
                _ if is_asking => sender.keep(path)?,
                _ => objects.with(id, |content, _| {
                    sender.file_from(path, self::mode(mode), modified, content, path)
                })?,
            }
        }
        Ok(())
    })
}

/// Permissions of a file for the mode that git has for it.
pub(in crate::seed) fn mode(mode: u32) -> u32 {
    if mode & 0o111 == 0 { 0o644 } else { 0o755 }
}

/// Takes apart `mode type id TAB path`.
fn entry_of(entry: &[u8]) -> Option<(u32, &str, &Path)> {
    let tab = entry.iter().position(|byte| *byte == b'\t')?;
    let (head, path) = (std::str::from_utf8(&entry[..tab]).ok()?, &entry[tab + 1..]);
    let mut fields = head.split(' ');
    let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
    let id = fields.nth(1)?;
    Some((mode, id, Path::new(OsStr::from_bytes(path))))
}

/// The content of one file of a commit; `None` where it has none of this name.
///
/// # Errors
/// A name that is something else than a file, one longer than `limit` bytes, a git that fails.
pub(in crate::seed) fn blob(
    git: &HostGit,
    tree: &str,
    name: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, Failure> {
    let listed = git.read(["ls-tree", "-z", "--full-tree", tree, "--", name])?;
    let Some((mode, id, _)) = entry_of(listed.strip_suffix(b"\0").unwrap_or(&listed)) else {
        return Ok(None);
    };
    if !matches!(mode, 0o100_644 | 0o100_755 | 0o100_664) {
        return Err(Failure::usage(format!("{name} is no file in {tree}")));
    }
    Objects::open(git)?.read(id, limit).map(Some)
}
