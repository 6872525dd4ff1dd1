//! The receiving end of a project: writes it below the workspace, as the box user.
//!
//! ```text
//! host ─ attached stdin ─► init ─ inherited ─► seed ─┬─ directories, files, links ─► /workspace
//!                                                    └─ packs ─► git index-pack ─► /workspace/.git
//! ```
//!
//! In a box that starts from a checkpoint, questions come first, and the answers go to stdout ([`warm`]).
//!
//! It runs once in the life of a box, before the supervisor: no unit ever sees half a project. Running as the box user
//! spares a change of owner for each file, and keeps what an image may have put into the workspace from leading
//! anywhere that the user may not write. What of the project's place root has, or nobody may write, is cleared by root
//! ([`tree`]).

mod list;
mod repository;
#[cfg(test)]
mod tests;
mod tree;
mod walk;
mod warm;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, FileTimes, Metadata, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use nix::unistd::{getegid, geteuid};

pub use self::tree::become_user;
use self::warm::Warm;
use crate::failure::Failure;
use crate::leftovers::is_directory;
use crate::protocol::seed::{Decoder, Encoder, Modified, Record};

/// Bytes that are read from the host at once.
const BUFFER: usize = 256 * 1024;
/// What the owner needs to write into a directory.
const WRITABLE: u32 = 0o700;
/// Bits of a mode that are taken; set-user-id and the like make no sense on a copy.
const PERMISSIONS: u32 = 0o777;
/// All bits of a mode.
const ALL_BITS: u32 = 0o7777;

/// What became of the histories that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// None came, or all are in place.
    Whole,
    /// There is no git here, so the files came without.
    LeftOut,
}

/// Reads a stream to its end and makes what it says below `workspace`, as far as the process's umask lets it. `list` is
/// the file that tells what hosts have sent, and answers to questions go to `output`.
///
/// # Errors
/// A stream that ends early, a disk that is full, objects that git refuses.
pub fn receive(
    input: &mut dyn Read,
    workspace: &Path,
    list: &Path,
    output: &mut dyn Write,
) -> Result<History, Failure> {
    let mut decoder = buffered(input).map_err(broken)?;
    let mut record = decoder.record().map_err(broken)?;
    let warm = (record == Record::Warm).then(|| Warm::new(workspace, list));
    let cannot_list = |error: io::Error| cannot_write(list, &error);
    let mut list = File::create(list)
        .and_then(|file| Encoder::new(BufWriter::new(file)))
        .map_err(cannot_list)?;
    let mut receiver = Receiver {
        workspace,
        warm,
        closed: Vec::new(),
        packs: Vec::new(),
        without_git: Vec::new(),
    };
    loop {
        if let Some(noted) = list::noted(&record) {
            list.record(&noted).map_err(cannot_list)?;
            if let (Some(warm), Record::File { path, .. } | Record::Keep { path }) =
                (&mut receiver.warm, &noted)
            {
                warm.list(path);
            }
        }
        match record {
            Record::Directory { path, mode } => receiver.directory(&path, mode)?,
            Record::File { path, mode, modified } => receiver.file(&path, mode, modified, &mut decoder)?,
            Record::Link { path, target } => receiver.link(&path, &target)?,
            Record::Pack { path } => receiver.pack(path, &mut decoder)?,
            Record::End => {
                list.record(&Record::End).map_err(cannot_list)?;
                return receiver.finish();
            }
            // It is on the list.
            Record::Keep { .. } => {}
            question => receiver.question(question, &mut decoder, output)?,
        }
        record = decoder.record().map_err(broken)?;
    }
}

/// What is read from: one kind, since each further one is more code in every box.
type Input<'a> = Decoder<BufReader<&'a mut dyn Read>>;

fn buffered(input: &mut dyn Read) -> io::Result<Input<'_>> {
    Decoder::new(BufReader::with_capacity(BUFFER, input))
}

struct Receiver<'a> {
    workspace: &'a Path,
    /// What there was, where that is a checkpoint's.
    warm: Option<Warm<'a>>,
    /// Directories that their owner may not write, with the mode to give them last.
    closed: Vec<(PathBuf, u32)>,
    /// Each `git index-pack` under way, beside its git directory.
    packs: Vec<(Vec<u8>, Child)>,
    /// Git directories whose objects nobody could take.
    without_git: Vec<Vec<u8>>,
}

impl Receiver<'_> {
    fn path(&self, relative: &[u8]) -> PathBuf {
        path_of(self.workspace, relative)
    }

    /// Questions are for boxes that start from a checkpoint, and nothing to others.
    fn question(
        &mut self,
        question: Record,
        decoder: &mut Input<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Some(warm) = &mut self.warm else {
            return Err(Failure::failed("a question came to a box that is new"));
        };
        match question {
            Record::Offer {
                path,
                mode,
                modified,
                size,
            } => warm.offer(path, mode, modified, size),
            Record::Ask { path } => warm.ask(path, decoder)?,
            Record::Asked => {
                warm::answer(&warm.answers(), output)?;
                warm.clear()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn directory(&mut self, relative: &[u8], mode: u32) -> Result<(), Failure> {
        let path = self.path(relative);
        let mode = mode & PERMISSIONS;
        let make = || DirBuilder::new().mode(mode | WRITABLE).create(&path);
        if let Some(warm) = &mut self.warm {
            warm.settle();
        }
        // Most of a warm tree is there, and to look is cheaper.
        let made = match self.warm {
            Some(_) if is_directory(&path) => Err(ErrorKind::AlreadyExists.into()),
            _ => make(),
        };
        match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A mount point, or something of the image's or the checkpoint's.
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => {
                        if let Some(warm) = &mut self.warm {
                            warm.directory(relative);
                        }
                        self.keep_directory(relative, mode | WRITABLE, &metadata);
                        Ok(())
                    }
                    _ => tree::remove_one(self.workspace, relative).and_then(|()| make()),
                }
            }
            result => result,
        }
        .map_err(|error| cannot_write(&path, &error))?;
        if mode & WRITABLE != WRITABLE {
            self.closed.push((path, mode));
        }
        Ok(())
    }

    /// Makes a directory that is there one of the project's. Where that fails, as for a mount of somebody else's, it
    /// stays as it is.
    fn keep_directory(&self, relative: &[u8], mode: u32, metadata: &Metadata) {
        let path = self.path(relative);
        if !is_own(metadata) {
            let _ = tree::take(self.workspace, relative);
        }
        if metadata.mode() & ALL_BITS != mode {
            let _ = fs::set_permissions(&path, Permissions::from_mode(mode));
        }
    }

    fn file(
        &self,
        relative: &[u8],
        mode: u32,
        modified: Modified,
        decoder: &mut Input<'_>,
    ) -> Result<(), Failure> {
        let path = self.path(relative);
        let cannot_write = |error: io::Error| cannot_write(&path, &error);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode & PERMISSIONS);
        let mut file = match options.open(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                tree::remove(self.workspace, relative).map_err(cannot_write)?;
                options.open(&path)
            }
            result => result,
        }
        .map_err(cannot_write)?;
        loop {
            let piece = decoder.piece().map_err(broken)?;
            if piece.is_empty() {
                break;
            }
            file.write_all(piece).map_err(cannot_write)?;
        }
        set_time(&file, modified).map_err(cannot_write)
    }

    fn link(&self, relative: &[u8], target: &[u8]) -> Result<(), Failure> {
        let path = self.path(relative);
        let target = OsStr::from_bytes(target);
        let is_there = || {
            fs::read_link(&path).is_ok_and(|there| there == target)
                && fs::symlink_metadata(&path).is_ok_and(|metadata| is_own(&metadata))
        };
        match symlink(target, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_there() {
                    return Ok(());
                }
                tree::remove(self.workspace, relative).and_then(|()| symlink(target, &path))
            }
            result => result,
        }
        .map_err(|error| cannot_write(&path, &error))
    }

    fn pack(&mut self, git_directory: Vec<u8>, decoder: &mut Input<'_>) -> Result<(), Failure> {
        let mut child = Command::new("git")
            .arg("--git-dir")
            .arg(self.path(&git_directory))
            .args(["index-pack", "--stdin"])
            .current_dir(self.workspace)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        if let Err(error) = &child
            && error.kind() != ErrorKind::NotFound
        {
            return Err(Failure::failed("cannot run git").because(error));
        }
        let pipe = child.as_mut().ok().and_then(|child| child.stdin.take());
        feed(decoder, pipe)?;
        match child {
            Ok(child) => self.packs.push((git_directory, child)),
            Err(_) => self.without_git.push(git_directory),
        }
        Ok(())
    }

    /// Waits for every git, then closes what was kept open for writing.
    fn finish(mut self) -> Result<History, Failure> {
        let has_own_files = self.warm.as_ref().is_some_and(Warm::has_own_files);
        for (path, child) in std::mem::take(&mut self.packs) {
            let result = child
                .wait_with_output()
                .map_err(|error| Failure::failed("cannot wait for git").because(&error))?;
            if !result.status.success() {
                let path = self.path(&path);
                let failure = Failure::failed(format!("git cannot store the history in {}", path.display()));
                let said = String::from_utf8_lossy(&result.stderr);
                return Err(said.lines().take(5).fold(failure, Failure::cause));
            }
        }
        for path in &self.without_git {
            tree::remove(self.workspace, path).map_err(|error| cannot_write(&self.path(path), &error))?;
        }
        if has_own_files && let Some(warm) = &self.warm {
            warm.record();
        }
        for (path, mode) in self.closed.iter().rev() {
            fs::set_permissions(path, Permissions::from_mode(*mode))
                .map_err(|error| cannot_write(path, &error))?;
        }
        Ok(if self.without_git.is_empty() {
            History::Whole
        } else {
            History::LeftOut
        })
    }
}

fn path_of(workspace: &Path, relative: &[u8]) -> PathBuf {
    workspace.join(OsStr::from_bytes(relative))
}

/// Whether something belongs to whom everything here is made for.
fn is_own(metadata: &Metadata) -> bool {
    is_of_user(metadata.uid(), metadata.gid())
}

fn is_of_user(user: u32, group: u32) -> bool {
    user == geteuid().as_raw() && group == getegid().as_raw()
}

/// Reads content to its end and gives it to a git, which may not want it: why, it tells when it is waited for. Gives
/// the length in bytes.
fn feed(decoder: &mut Input<'_>, mut pipe: Option<ChildStdin>) -> Result<usize, Failure> {
    let mut length = 0;
    loop {
        let piece = decoder.piece().map_err(broken)?;
        if piece.is_empty() {
            return Ok(length);
        }
        length += piece.len();
        if let Some(open) = &mut pipe
            && open.write_all(piece).is_err()
        {
            pipe = None;
        }
    }
}

fn set_time(file: &File, modified: Modified) -> io::Result<()> {
    let since = Duration::new(modified.seconds, modified.nanoseconds.min(999_999_999));
    match UNIX_EPOCH.checked_add(since) {
        Some(time) => file.set_times(FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}

/// The failure for a stream that was cut or makes no sense.
fn broken(error: io::Error) -> Failure {
    Failure::failed("the project did not arrive whole").because(&error)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}", path.display())).because(error)
}
