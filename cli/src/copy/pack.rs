//! Files of this machine as a tar stream for a box: owners by number, modes and times as they are, links as links.
//!
//! The archive is written by hand, header by header: names and link targets go in byte for byte, and what fails is
//! known to be the file that is read or the stream that is written.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use tar::EntryType;

use super::shown::shown;
use crate::host_file;
use crate::seed::Owner;
use crate::ui::Meter;

/// Size of a tar block.
const BLOCK: usize = 512;
/// Bytes that are read at once.
const PIECE: usize = 128 * 1024;
/// Most warnings that are kept.
const WARNINGS: usize = 20;

/// What is to be sent.
#[derive(Debug, Clone)]
pub(super) struct Parcel {
    /// The file or directory; a link that is to be followed has been.
    pub(super) source: PathBuf,
    /// Its path in the archive, which begins at the box's root, without a `/` before or after it.
    pub(super) name: Vec<u8>,
    /// Send what is in the directory, and not the directory.
    pub(super) contents: bool,
    /// Owner of everything.
    pub(super) owner: Owner,
    /// Counts what is sent.
    pub(super) meter: Meter,
}

/// How far it came.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// What was left out, and why.
    pub(super) warnings: Vec<String>,
    /// The archive is whole, but lacks this and all that would have followed, or has a file that was not what it said.
    pub(super) failure: Option<Failure>,
}

/// Why no whole archive came out.
#[derive(Debug)]
pub(super) enum Broken {
    /// Nobody reads it.
    Stream(io::Error),
    /// A file broke off in its middle.
    Source(Failure),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Stream(error)
    }
}

impl Parcel {
    /// Writes the archive.
    ///
    /// # Errors
    /// Those that leave the archive a part. A file that cannot be opened ends the archive in good order instead.
    pub(super) fn write(self, output: &mut dyn Write) -> Result<Packed, Broken> {
        let mut packer = Packer {
            output,
            owner: self.owner,
            meter: self.meter,
            links: HashMap::new(),
            packed: Packed::default(),
            buffer: vec![0; PIECE],
        };
        let mut first = self.contents;
        let mut waiting = vec![(self.source, self.name)];
        while let Some((path, name)) = waiting.pop() {
            let entry = if std::mem::take(&mut first) {
                Ok(true)
            } else {
                packer.one(&path, &name)
            };
            match entry {
                Ok(true) => {}
                Ok(false) => continue,
                Err(Problem::Source(failure)) => {
                    packer.packed.failure = Some(failure);
                    break;
                }
                Err(Problem::Broken(broken)) => return Err(broken),
            }
            match children(&path, &name) {
                Ok(children) => waiting.extend(children),
                Err(error) => {
                    packer.packed.failure = Some(unreadable(&path, &error));
                    break;
                }
            }
        }
        packer.output.write_all(&[0; 2 * BLOCK])?;
        Ok(packer.packed)
    }
}

enum Problem {
    /// Before anything of it was written.
    Source(Failure),
    Broken(Broken),
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Broken(Broken::Stream(error))
    }
}

struct Packer<'a> {
    output: &'a mut dyn Write,
    owner: Owner,
    meter: Meter,
    /// Names of files that have several, by device and inode.
    links: HashMap<(u64, u64), Vec<u8>>,
    packed: Packed,
    buffer: Vec<u8>,
}

impl Packer<'_> {
    /// Writes one entry; `true` where it is a directory, whose children come next.
    fn one(&mut self, path: &Path, name: &[u8]) -> Result<bool, Problem> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.warn(format!("left out {}: it is gone", shown(path)));
                return Ok(false);
            }
            Err(error) => return Err(Problem::Source(unreadable(path, &error))),
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            let mut name = name.to_vec();
            name.push(b'/');
            self.header(EntryType::Directory, &name, b"", 0, &metadata)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(path).map_err(|error| Problem::Source(unreadable(path, &error)))?;
            self.header(
                EntryType::Symlink,
                name,
                target.as_os_str().as_bytes(),
                0,
                &metadata,
            )?;
            self.meter.file();
        } else if kind.is_file() {
            self.file(path, name)?;
        } else {
            self.warn(format!("left out {}: not a file, directory or link", shown(path)));
        }
        Ok(kind.is_dir())
    }

    fn file(&mut self, path: &Path, name: &[u8]) -> Result<(), Problem> {
        // It may have become something else since it was looked at: a link is not followed, a pipe not waited for.
        let opened = host_file::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = opened.map_err(|error| Problem::Source(unreadable(path, &error)))?;
        if !metadata.is_file() {
            self.warn(format!("left out {}: it was replaced meanwhile", shown(path)));
            return Ok(());
        }
        if metadata.nlink() > 1 {
            let key = (metadata.dev(), metadata.ino());
            if let Some(first) = self.links.get(&key).cloned() {
                self.header(EntryType::Link, name, &first, 0, &metadata)?;
                self.meter.file();
                return Ok(());
            }
            self.links.insert(key, name.to_vec());
        }
        self.meter.file();
        self.header(EntryType::Regular, name, b"", metadata.len(), &metadata)?;
        self.content(path, file, metadata.len())
    }

    /// Exactly `size` bytes, as the header says: what a file has grown by is left out, what it lacks is zeros, and told.
    fn content(&mut self, path: &Path, mut file: File, size: u64) -> Result<(), Problem> {
        let mut left = size;
        while left > 0 {
            let wanted = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
            let read = match file.read(&mut self.buffer[..wanted]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let failure = unreadable(path, &error).cause("its copy in the box is a part of it");
                    return Err(Problem::Broken(Broken::Source(failure)));
                }
            };
            self.output.write_all(&self.buffer[..read])?;
            self.meter.bytes(read as u64);
            left -= read as u64;
        }
        if left > 0 {
            if self.packed.failure.is_none() {
                self.packed.failure = Some(
                    Failure::failed(format!("{} became shorter while it was copied", shown(path)))
                        .cause(format!("the last {left} bytes of its copy are zeros"))
                        .hint("copy it again when nothing writes to it"),
                );
            }
            io::copy(&mut io::repeat(0).take(left), self.output)?;
        }
        self.pad(size)?;
        Ok(())
    }

    fn header(
        &mut self,
        kind: EntryType,
        name: &[u8],
        link: &[u8],
        size: u64,
        metadata: &Metadata,
    ) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(metadata.mode() & 0o7777);
        header.set_uid(self.owner.user.into());
        header.set_gid(self.owner.group.into());
        header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
        self.long(EntryType::GNULongLink, link)?;
        self.long(EntryType::GNULongName, name)?;
        let fields = header.as_old_mut();
        fill(&mut fields.name, name);
        fill(&mut fields.linkname, link);
        header.set_cksum();
        self.output.write_all(header.as_bytes())
    }

    /// The entry that goes before one whose name, or link target, has no room in its header.
    fn long(&mut self, kind: EntryType, text: &[u8]) -> io::Result<()> {
        if text.len() < 100 {
            return Ok(());
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        fill(&mut header.as_old_mut().name, b"././@LongLink");
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        // With the zero that ends it.
        let size = text.len() as u64 + 1;
        header.set_size(size);
        header.set_cksum();
        self.output.write_all(header.as_bytes())?;
        self.output.write_all(text)?;
        self.output.write_all(&[0])?;
        self.pad(size)
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
        if over > 0 {
            self.output.write_all(&[0; BLOCK][over..])?;
        }
        Ok(())
    }

    fn warn(&mut self, text: String) {
        keep_warning(&mut self.packed.warnings, text);
    }
}

/// Keeps a warning, unless there are too many to be read.
pub(super) fn keep_warning(warnings: &mut Vec<String>, text: String) {
    match warnings.len() {
        WARNINGS.. => {}
        count if count + 1 == WARNINGS => warnings.push("left out more of the kind".to_owned()),
        _ => warnings.push(text),
    }
}

fn fill(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

/// What a directory holds, so that popping from the end goes by name.
fn children(path: &Path, name: &[u8]) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable_by(|one, other| other.cmp(one));
    let inside = |child: &[u8]| match name {
        b"" => child.to_vec(),
        _ => [name, b"/", child].concat(),
    };
    Ok(names
        .into_iter()
        .map(|child| (path.join(&child), inside(child.as_bytes())))
        .collect())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot read {}", shown(path)))
        .because(error)
        .hint("make it readable, then agentbox cp again")
}

/// Bytes of all files below a path, as far as they can be counted.
pub(super) fn total(path: &Path) -> u64 {
    let mut bytes = 0;
    let mut waiting = vec![path.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => waiting.push(entry.path()),
                Ok(metadata) if metadata.is_file() => bytes += metadata.len(),
                _ => {}
            }
        }
    }
    bytes
}
