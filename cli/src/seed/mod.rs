//! What a new box begins with: the supervisor, in an archive before the start, then the project, as a stream that is
//! made while it is sent.
//!
//! ```text
//! supervisor, box.json ─► tar ─► upload ─► start
//!                                            │
//! repository ─► refs, index, pack, files ─┐  ▼
//!                                         ├─► stream, in a thread ─► pipe (bounded) ─► stdin of PID 1
//! directory ─► .gitignore ─► files ───────┘
//! ```

mod files;
mod git;
pub mod pipe;
mod questions;
mod source;
mod stream;
pub mod user;

use std::io::{self, Write};

use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;

pub use self::source::{Content, Report, Source, Warmth};
pub use self::user::Owner;
use crate::supervisor_binary;

/// Mode of what everyone may read.
const SHARED: u32 = 0o755;

/// What lies in the workspace of a new box at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Nothing, or what the image has there.
    Cold,
    /// The tree of a checkpoint, on top of which the project comes.
    Warm,
    /// The tree of a checkpoint, and nothing comes.
    Frozen,
}

/// What a new box has before its first start.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Owner of `/workspace`.
    pub owner: Owner,
    /// What lies there already.
    pub start: Start,
    /// Content of `box.json`.
    pub identity: Vec<u8>,
    /// Content of `agentbox.yaml`, exactly as it was validated.
    pub config: Option<Vec<u8>>,
    /// Content of `attached.json`.
    pub attached: Option<Vec<u8>>,
}

impl Seed {
    /// The archive for the upload.
    ///
    /// # Errors
    /// None that memory does not give.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(supervisor_binary::BYTES.len() + 32 * 1024);
        let mut archive = Archive {
            builder: tar::Builder::new(&mut bytes),
            now: Timestamp::now().as_millis() / 1000,
        };
        let root = Owner::ROOT;
        // No entries for the directories above: they are the image's, and one of them may be a link.
        archive.file(paths::BINARY, supervisor_binary::BYTES, SHARED, root)?;
        archive.directory(paths::STATE, SHARED, root)?;
        archive.directory(paths::PRIVATE, 0o700, root)?;
        archive.file(paths::IDENTITY, &self.identity, 0o600, root)?;
        let start = match self.start {
            Start::Cold => "",
            Start::Warm => paths::SEEDING_WARM,
            Start::Frozen => paths::SEEDING_FROZEN,
        };
        archive.file(paths::SEEDING, start.as_bytes(), 0o600, root)?;
        archive.directory(paths::WORKSPACE, SHARED, self.owner)?;
        if let Some(config) = &self.config {
            archive.file(paths::PUSHED, config, 0o600, root)?;
        }
        if let Some(attached) = &self.attached {
            archive.file(paths::ATTACHED, attached, 0o600, root)?;
        }
        archive.builder.finish()?;
        drop(archive);
        Ok(bytes)
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
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}
