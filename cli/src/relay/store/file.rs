//! The file of the stored events: opened, found broken, replaced.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::tables;

/// An open file.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    database: Connection,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

impl File {
    /// Opens or makes the file. One that is broken is put aside, and what is in the way of no file is an error.
    ///
    /// # Errors
    /// A directory that cannot be written, a disk that is full.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let database = match tables::open(path) {
            Err(error) if is_broken(&error) => {
                put_aside(path);
                tables::open(path)?
            }
            opened => opened?,
        };
        Ok(Self {
            path: path.to_owned(),
            database,
            identity: identity(path),
        })
    }

    /// Does something with it. A file that turns out to be broken, or that somebody has removed, is replaced by an empty one.
    ///
    /// # Errors
    /// Those of `work`.
    pub(super) fn using<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let now = identity(&self.path);
        if now.is_none() || now != self.identity {
            // What is there now may be somebody's copy: it is looked at like one at the start.
            self.replace(false)?;
        }
        let result = work(&mut self.database);
        if result.as_ref().is_err_and(is_broken) {
            // The failure is told all the same: who has it asks again.
            self.replace(true)?;
        }
        result
    }

    fn replace(&mut self, is_broken: bool) -> rusqlite::Result<()> {
        // Closed before it is moved: what is closed later would write to what is there then.
        self.database = Connection::open_in_memory()?;
        if is_broken {
            put_aside(&self.path);
        }
        if let Some(directory) = self.path.parent() {
            // Gone with the file, perhaps. Where it cannot be made, no file can either.
            let _ = DirBuilder::new().recursive(true).mode(0o700).create(directory);
        }
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Whether what is in the file is the matter, and not the disk.
fn is_broken(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || tables::is_of_other_layout(error)
}

fn put_aside(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let aside = with_suffix(path, &format!("{suffix}.broken"));
        // What is not there need not be moved; what cannot be moved shows when it is opened.
        let _ = fs::rename(with_suffix(path, suffix), aside);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
