//! `carry`: files of the host that go into a box, after a person has allowed it.
//!
//! ```text
//! entries, project, home ─► gather (look, refuse, warn) ─► approve (list, word) ─► container made
//!                                                                                     │
//!      tar stream ◄── send (each file as it was approved) ◄── place (homes, owners) ◄─┘
//! ```
//!
//! Nothing is read from a file before its entry was looked at, nothing is copied that was not listed, and nothing is
//! made on the engine before somebody has said yes.

mod approve;
mod gather;
mod ground;
mod pattern;
mod people;
mod place;
mod send;
mod suspicion;
mod tree;
mod warning;

use std::path::PathBuf;

use agentbox_ctl::config::model;
use agentbox_ctl::paths;

pub use self::approve::approve;
pub use self::gather::{Roots, gather};
pub use self::ground::Ground;
pub use self::send::{Sent, send};
pub use self::suspicion::is_secret_file;
pub use self::tree::{Item, ItemKind, Stamp, Tree};
use crate::docker::TemporaryFileSystem;

/// Most bytes of all secrets together: they lie in the box's memory.
const MAX_SECRET_BYTES: u64 = 16 << 20;
/// Room for what a box itself writes beside its secrets, and for directories.
const SECRET_MARGIN: u64 = 4 << 20;

/// What goes into a box, looked at on the host.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The entries, in the order of the file.
    pub entries: Vec<Entry>,
}

/// An entry, and what it means on this host.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The entry as the file has it.
    pub carry: model::Carry,
    /// What lies at its source; `None` for an optional one that is missing.
    pub found: Option<Found>,
}

/// What lies at a source.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it really is: absolute, without links.
    pub path: PathBuf,
    /// Everything to copy.
    pub tree: Tree,
    /// What a person should know before they say yes.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to copy.
    pub fn is_empty(&self) -> bool {
        self.found().next().is_none()
    }

    /// Regular files, and their bytes.
    pub fn totals(&self) -> (u64, u64) {
        self.found().fold((0, 0), |(files, bytes), (_, found)| {
            (files + found.tree.files, bytes + found.tree.bytes)
        })
    }

    /// What the box's container has to have mounted for its secrets.
    pub fn secrets_mount(&self) -> Option<TemporaryFileSystem> {
        let mut bytes = None;
        for (_, found) in self.found().filter(|(entry, _)| entry.carry.secret) {
            // Each file takes whole pages.
            let pages = found.tree.items.len() as u64 * 4096;
            bytes = Some(bytes.unwrap_or(SECRET_MARGIN) + found.tree.bytes + pages);
        }
        Some(TemporaryFileSystem {
            path: paths::SECRETS_IN_MEMORY.to_owned(),
            bytes: bytes?,
            mode: 0o700,
        })
    }

    fn found(&self) -> impl Iterator<Item = (&Entry, &Found)> {
        self.entries
            .iter()
            .filter_map(|entry| Some((entry, entry.found.as_ref()?)))
    }
}
