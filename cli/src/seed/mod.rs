//! What a new box begins with, as one tar stream that is made while it is sent.
//!
//! ```text
//! supervisor, box.json, agentbox.yaml ─┐
//!                                      ├─► tar, in a thread ─► pipe (bounded) ─► upload
//! project directory ─► .gitignore ─────┘
//! ```

pub mod pipe;
mod project;
pub mod user;

use std::io::{self, Read, Write};
use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;

pub use self::user::Owner;
use crate::supervisor_binary;

/// Mode of what everyone may read.
const SHARED: u32 = 0o755;

/// Everything that goes into a new box.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Owner of `/workspace` and everything in it.
    pub owner: Owner,
    /// Content of `box.json`.
    pub identity: Vec<u8>,
    /// Content of `agentbox.yaml`, exactly as it was validated.
    pub config: Option<Vec<u8>>,
    /// Directory to copy.
    pub project: PathBuf,
    /// Whether it lies in a git work tree, whose ignore files above it count too.
    pub in_git: bool,
    /// Mount points below `/workspace`: an empty volume there would belong to root.
    pub directories: Vec<String>,
}

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files of the project.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What was left out though nobody asked for it, and why.
    pub warnings: Vec<String>,
}

impl Seed {
    /// Writes the archive.
    ///
    /// # Errors
    /// A project that cannot be read; a reader that has gone, which is a failure too.
    pub fn write(&self, output: &mut dyn Write) -> Result<Report, Failure> {
        let mut archive = Archive {
            builder: tar::Builder::new(output),
            now: Timestamp::now().as_millis() / 1000,
        };
        let cannot_send = |error: io::Error| Failure::failed("cannot send the box's files").because(&error);
        self.write_own(&mut archive).map_err(cannot_send)?;
        let report = project::write(self, &mut archive)?;
        archive.builder.finish().map_err(cannot_send)?;
        Ok(report)
    }

    /// The part that does not come from the project.
    fn write_own(&self, archive: &mut Archive<'_>) -> io::Result<()> {
        let root = Owner::ROOT;
        // No entries for the directories above: they are the image's, and one of them may be a link.
        archive.file(paths::BINARY, supervisor_binary::BYTES, SHARED, root)?;
        archive.directory(paths::STATE, SHARED, root)?;
        archive.directory(paths::PRIVATE, 0o700, root)?;
        archive.file(paths::IDENTITY, &self.identity, 0o600, root)?;
        archive.directory(paths::WORKSPACE, SHARED, self.owner)?;
        for directory in &self.directories {
            archive.directory(directory, SHARED, self.owner)?;
        }
        if let Some(config) = &self.config {
            archive.file(paths::PUSHED, config, 0o600, root)?;
            archive.file(paths::CONFIG, config, 0o644, self.owner)?;
        }
        Ok(())
    }
}

/// The supervisor alone, as an archive: refreshes that of a stopped box. `record` is kept beside the identity.
pub fn refresh(record: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(supervisor_binary::BYTES.len() + 8 * 1024);
    let mut archive = Archive {
        builder: tar::Builder::new(&mut bytes),
        now: Timestamp::now().as_millis() / 1000,
    };
    archive.file(paths::BINARY, supervisor_binary::BYTES, SHARED, Owner::ROOT)?;
    archive.file(record, supervisor_binary::VERSION.as_bytes(), 0o600, Owner::ROOT)?;
    archive.builder.finish()?;
    drop(archive);
    Ok(bytes)
}

/// One file that only root can read, as an archive.
///
/// # Errors
/// A path that does not fit an archive.
pub fn private_file(path: &str, content: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut archive = Archive {
        builder: tar::Builder::new(&mut bytes),
        now: Timestamp::now().as_millis() / 1000,
    };
    archive.file(path, content, 0o600, Owner::ROOT)?;
    archive.builder.finish()?;
    drop(archive);
    Ok(bytes)
}

/// A tar archive with absolute paths of a box, numeric owners and no names of owners.
struct Archive<'a> {
    builder: tar::Builder<&'a mut dyn Write>,
    now: u64,
}

impl Archive<'_> {
    fn header(&self, kind: tar::EntryType, size: u64, mode: u32, owner: Owner) -> tar::Header {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header.set_uid(owner.user.into());
        header.set_gid(owner.group.into());
        header.set_mtime(self.now);
        header
    }

    fn file(&mut self, path: &str, content: &[u8], mode: u32, owner: Owner) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Regular, content.len() as u64, mode, owner);
        self.builder.append_data(&mut header, relative(path), content)
    }

    fn directory(&mut self, path: &str, mode: u32, owner: Owner) -> io::Result<()> {
        let mut header = self.header(tar::EntryType::Directory, 0, mode, owner);
        self.builder
            .append_data(&mut header, format!("{}/", relative(path)), io::empty())
    }

    /// A file that may change while it is read: exactly `size` bytes come, as the header says.
    fn sized(
        &mut self,
        header: &mut tar::Header,
        path: &std::path::Path,
        content: impl Read,
    ) -> io::Result<()> {
        let size = header.size()?;
        self.builder
            .append_data(header, path, content.chain(io::repeat(0)).take(size))
    }
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}
