//! A tar stream from a box, unpacked on this machine. The stream is hostile input.
//!
//! ```text
//! entry ─► name below the archive's one root, or refused ─► kind: file, directory, link, hard link; else left out
//!                                                             └─► temporary name ─► content, mode, time ─► rename
//! ```
//!
//! Nothing is written outside the destination, through a link, or over what is no file; setuid and setgid are dropped.
//! Directories get their modes and times last, since a mode may forbid to write into them.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use rustix::io::Errno;
use tar::EntryType;

use super::pack::keep_warning;
use super::shown::{shown, shown_bytes};
use super::tree::{self, FileId, Present, Temporary, Tree};
use crate::ui::Meter;

/// Bytes that are read at once.
const PIECE: usize = 128 * 1024;
/// What a hole in a file is made of.
static ZEROS: [u8; PIECE] = [0; PIECE];

/// Unpacks one archive.
#[derive(Debug)]
pub(super) struct Unpacker {
    tree: Tree,
    /// Path of the root, for messages.
    directory: PathBuf,
    /// Name that the archive's root gets; without one its content goes into the directory.
    name: Option<OsString>,
    meter: Meter,
    /// How the archive begins all its names; known from its first entry on.
    prefix: Option<Prefix>,
    /// Directories that were made, below the root, with their modes and times to be.
    made: Vec<(PathBuf, u32, i64)>,
    /// Files that were written: only they get further names.
    written: HashSet<FileId>,
    warnings: Vec<String>,
}

/// The root of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Prefix {
    /// It has no name: `.` or `/`.
    Nameless {
        absolute: bool,
    },
    Named(OsString),
}

impl Unpacker {
    /// Unpacks into `directory`, which exists.
    ///
    /// # Errors
    /// A directory that cannot be opened.
    pub(super) fn new(directory: &Path, name: Option<OsString>, meter: Meter) -> Result<Self, Failure> {
        let tree = Tree::open(directory).map_err(|error| {
            Failure::failed(format!("cannot open the directory {}", shown(directory))).because(&error)
        })?;
        Ok(Self {
            tree,
            directory: directory.to_owned(),
            name,
            meter,
            prefix: None,
            made: Vec::new(),
            written: HashSet::new(),
            warnings: Vec::new(),
        })
    }

    /// Unpacks all of it. What was left out comes back, with the failure that ended it early; directories that were made
    /// have their modes then too, and no file is there in part.
    pub(super) fn unpack(mut self, stream: impl Read) -> (Vec<String>, Result<(), Failure>) {
        let result = self.entries(stream);
        let finished = self.finish_directories();
        (self.warnings, result.and(finished))
    }

    fn entries(&mut self, stream: impl Read) -> Result<(), Failure> {
        let ended = std::cell::Cell::new(false);
        let mut archive = tar::Archive::new(NotesEnd {
            stream,
            ended: &ended,
        });
        let broken =
            |error: io::Error| Failure::failed("the archive from the box breaks off").because(&error);
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            self.entry(&mut entry)?;
        }
        // An archive says where it ends. An engine that cannot read a file to its end just stops.
        if ended.get() {
            return Err(Failure::failed("the archive from the box breaks off")
                .cause("the engine could not read all of it: a file became shorter meanwhile?")
                .hint("agentbox cp again, when nothing in the box writes there"));
        }
        if self.prefix.is_none() {
            return Err(Failure::failed("the archive from the box is empty"));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), Failure> {
        let kind = entry.header().entry_type();
        if kind.is_pax_global_extensions() {
            return Ok(());
        }
        let name = entry.path_bytes().into_owned();
        let inside = self.inside(&name)?;
        let mode = entry.header().mode().unwrap_or(0o600);
        let time = entry.header().mtime().unwrap_or_default();
        let time = i64::try_from(time).unwrap_or_default();
        let mut place: Vec<OsString> = self.name.iter().cloned().chain(inside).collect();
        if place.is_empty() {
            // The directory that is there already.
            return if kind.is_dir() {
                Ok(())
            } else {
                Err(Failure::failed("the source is no directory any more").hint("agentbox cp again"))
            };
        }
        let whole = place.clone();
        let path = self.directory.join(whole.iter().collect::<PathBuf>());
        let cannot = |error: &io::Error| cannot_write(&path, error);
        let Some(last) = place.pop() else { return Ok(()) };
        if matches!(kind, EntryType::Char | EntryType::Block | EntryType::Fifo) {
            let text = format!("left out {}: not a file, directory or link", shown_bytes(&name));
            keep_warning(&mut self.warnings, text);
            return Ok(());
        }
        let parent = self
            .tree
            .directory(&place)
            .map_err(|error| cannot(&through(error)))?;
        if kind.is_dir() {
            if tree::make_directory(&parent, &last).map_err(|error| cannot(&error))? {
                // The sticky bit is for directories that several share; the other two give rights away.
                self.made.push((whole.iter().collect(), mode & 0o1777, time));
            }
            return Ok(());
        }
        match tree::present(&parent, &last).map_err(|error| cannot(&error))? {
            Present::Nothing | Present::File => {}
            Present::Directory => return Err(in_the_way(&path, "there is a directory of that name")),
            Present::Special => {
                return Err(in_the_way(
                    &path,
                    "there is a device, a pipe or a socket of that name",
                ));
            }
        }
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let temporary = self.file(&parent, entry, mode & 0o777, time, &path)?;
                temporary.place(&last).map_err(|error| cannot(&error))?;
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default();
                let placed = self.tree.temporary_link(&parent, &target).and_then(|temporary| {
                    temporary.set_link_time(time)?;
                    temporary.place(&last)
                });
                placed.map_err(|error| cannot(&error))?;
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let temporary = self.hard_link(&parent, &target, &path)?;
                temporary.place(&last).map_err(|error| cannot(&error))?;
            }
            _ => {
                let text = format!("left out {}: an entry of an unknown kind", shown_bytes(&name));
                keep_warning(&mut self.warnings, text);
                return Ok(());
            }
        }
        self.meter.file();
        Ok(())
    }

    /// A file's content, mode and time, under a temporary name.
    fn file(
        &mut self,
        parent: &OwnedFd,
        entry: &mut tar::Entry<'_, impl Read>,
        mode: u32,
        time: i64,
        path: &Path,
    ) -> Result<Temporary, Failure> {
        let cannot = |error: io::Error| cannot_write(path, &error);
        let (temporary, mut file) = self.tree.temporary_file(parent).map_err(cannot)?;
        let mut buffer = vec![0; PIECE];
        let size = entry.size();
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            // Whole pieces, so that holes are found wherever the stream was cut.
            entry.read_exact(&mut buffer[..wanted]).map_err(|error| {
                Failure::failed(format!("the copy of {} breaks off", shown(path))).because(&error)
            })?;
            write_or_skip(&mut file, &buffer[..wanted]).map_err(cannot)?;
            left -= wanted as u64;
            self.meter.bytes(wanted as u64);
        }
        // A hole at the end was only skipped.
        file.set_len(size).map_err(cannot)?;
        tree::finish(&file, mode, time).map_err(cannot)?;
        self.written.insert(tree::identity_of(&file).map_err(cannot)?);
        Ok(temporary)
    }

    /// A further name, a temporary one, of a file that this copy has written.
    fn hard_link(&mut self, parent: &OwnedFd, target: &[u8], path: &Path) -> Result<Temporary, Failure> {
        let foreign = || {
            Failure::failed(format!(
                "the archive from the box links {} to {}, which it did not bring",
                shown(path),
                shown_bytes(target)
            ))
        };
        let inside = self.inside(target)?;
        let mut place: Vec<OsString> = self.name.iter().cloned().chain(inside).collect();
        let last = place.pop().ok_or_else(foreign)?;
        let from = self.tree.directory(&place).map_err(|_| foreign())?;
        let known = tree::identity(&from, &last).is_some_and(|id| self.written.contains(&id));
        if !known {
            return Err(foreign());
        }
        self.tree
            .temporary_name(parent, &from, &last)
            .map_err(|error| cannot_write(path, &error))
    }

    /// The components of a name below the archive's root.
    fn inside(&mut self, name: &[u8]) -> Result<Vec<OsString>, Failure> {
        let refuse = || {
            Failure::failed(format!(
                "the archive from the box has a name that leads elsewhere: {}",
                shown_bytes(name)
            ))
        };
        let absolute = name.starts_with(b"/");
        let mut components = Vec::new();
        for component in name.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => return Err(refuse()),
                component if component.contains(&0) => return Err(refuse()),
                component => components.push(OsString::from_vec(component.to_vec())),
            }
        }
        let prefix = match &self.prefix {
            Some(prefix) => prefix,
            None => {
                let prefix = match components.first() {
                    None => Prefix::Nameless { absolute },
                    Some(_) if absolute || components.len() > 1 => return Err(refuse()),
                    Some(first) => Prefix::Named(first.clone()),
                };
                self.prefix.insert(prefix)
            }
        };
        match prefix {
            Prefix::Nameless { absolute: expected } if *expected == absolute => Ok(components),
            Prefix::Named(root) if !absolute && components.first() == Some(root) => {
                components.remove(0);
                Ok(components)
            }
            _ => Err(refuse()),
        }
    }

    /// Modes and times, the innermost first: a mode may forbid to go on.
    fn finish_directories(&mut self) -> Result<(), Failure> {
        let mut result = Ok(());
        for (place, mode, time) in std::mem::take(&mut self.made).into_iter().rev() {
            let components: Vec<OsString> = place.iter().map(OsString::from).collect();
            let done = self
                .tree
                .directory(&components)
                .and_then(|directory| tree::finish(directory, mode, time));
            if let Err(error) = done {
                result = result.and(Err(cannot_write(&self.directory.join(&place), &error)));
            }
        }
        result
    }
}

/// Writes a piece; one of zeros only moves on, and stays a hole.
fn write_or_skip(file: &mut File, piece: &[u8]) -> io::Result<()> {
    if piece.len() == PIECE && *piece == ZEROS {
        file.seek(SeekFrom::Current(PIECE as i64)).map(|_| ())
    } else {
        file.write_all(piece)
    }
}

/// An error of opening a directory on the way, in words.
fn through(error: io::Error) -> io::Error {
    if error.kind() != io::ErrorKind::NotADirectory
        && error.raw_os_error() != Some(Errno::LOOP.raw_os_error())
    {
        return error;
    }
    io::Error::other("the way there is no directory; links below the destination are not followed")
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::failed(format!("cannot write {}", shown(path))).because(error);
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.hint("make room, or choose another destination, then agentbox cp again")
        }
        io::ErrorKind::PermissionDenied => failure.hint("choose a destination that you may write to"),
        _ => failure,
    }
}

fn in_the_way(path: &Path, why: &str) -> Failure {
    Failure::failed(format!("cannot write {}", shown(path)))
        .cause(why)
        .hint("move it away, or choose another destination")
}

/// Notes whether the stream's end was reached.
struct NotesEnd<'a, R> {
    stream: R,
    ended: &'a std::cell::Cell<bool>,
}

impl<R: Read> Read for NotesEnd<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        if read == 0 && !buffer.is_empty() {
            self.ended.set(true);
        }
        Ok(read)
    }
}
