//! JSON documents in a box's private volume that the host reads and changes, whatever the box does just then.
//!
//! ```text
//! lock file of the box ─► archive API: read ─► change ─► write ─► read again ─► as written? ─► unlock
//!                                   └────────────────── else once more ◄───────────┘
//! ```
//!
//! The engine can replace a file, but not only where it still is what somebody has read. So changes of one user take turns
//! by a lock file in the data directory, and what was written is read again, which shows most of what another host or user
//! writes at the same moment: the change is then made anew, to what is there now. What is in a box is hostile input, so
//! what is read is bounded.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::BoxInfo;
use crate::docker::Docker;
use crate::seed;

/// Largest document in bytes: what is in a box is the box's to choose.
pub const LIMIT: usize = 16 << 20;
/// Directory of the lock files, below the data directory.
const LOCKS: &str = "locks";
/// How long another process may take with its change.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two looks at whether it has.
const PAUSE: Duration = Duration::from_millis(10);
/// How often a change is made anew that somebody else has overwritten.
const MOST_TRIES: usize = 5;

/// A document of one box.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The engine.
    pub docker: &'a Docker,
    /// The box.
    pub info: &'a BoxInfo,
    /// Its path in the box, directly inside [`PRIVATE`](agentbox_ctl::paths::PRIVATE).
    pub path: &'static str,
}

impl Document<'_> {
    /// What it says; the default where there is none.
    ///
    /// # Errors
    /// A box that is gone or cannot be read, a document that cannot be understood.
    pub async fn read<T: DeserializeOwned + Default>(&self) -> Result<T, Failure> {
        self.parse(self.bytes().await?.as_deref())
    }

    /// Changes what it says, while nobody else of this user does. What `change` gives for the last of its calls is the
    /// result; a document that it leaves as it was, or does not want changed after all, is not written.
    ///
    /// # Errors
    /// Those of `change` and of [`Self::read`]; a box that cannot be written, a lock that somebody keeps.
    pub async fn change<T, R, E>(
        &self,
        data_directory: Option<&Path>,
        mut change: impl FnMut(&mut T) -> Result<R, E>,
    ) -> Result<R, E>
    where
        T: DeserializeOwned + Serialize + Default,
        E: From<Failure>,
    {
        let _lock = match data_directory {
            Some(directory) => Some(self.lock(directory).await?),
            // A user without a home has nothing else at the same time either.
            None => None,
        };
        for _ in 0..MOST_TRIES {
            let before = self.bytes().await?;
            let mut document: T = self.parse(before.as_deref())?;
            let result = change(&mut document)?;
            let after = encode(&document).map_err(|failure| self.cannot("write").because(&failure))?;
            if before.as_ref() == Some(&after) {
                return Ok(result);
            }
            self.write(&after).await?;
            if self.bytes().await? == Some(after) {
                return Ok(result);
            }
        }
        Err(self
            .cannot("change")
            .cause("somebody else changes it all the time")
            .into())
    }

    async fn bytes(&self) -> Result<Option<Vec<u8>>, Failure> {
        let container = &self.info.container_id;
        Ok(self.docker.read_file(container, self.path, LIMIT).await?)
    }

    async fn write(&self, content: &[u8]) -> Result<(), Failure> {
        let archive = seed::private_file(self.path, content)
            .map_err(|error| Failure::failed("cannot pack a file for the box").because(&error))?;
        let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
        Ok(self.docker.upload(&self.info.container_id, stream).await?)
    }

    fn parse<T: DeserializeOwned + Default>(&self, content: Option<&[u8]>) -> Result<T, Failure> {
        let Some(content) = content else {
            return Ok(T::default());
        };
        serde_json::from_slice(content).map_err(|error| {
            Failure::failed(format!(
                "{} of box `{}` cannot be understood",
                self.path, self.info.name
            ))
            .because(&error)
        })
    }

    /// Waits until nobody else changes something of the box.
    async fn lock(&self, data_directory: &Path) -> Result<Lock, Failure> {
        let path = data_directory.join(LOCKS).join(&self.info.id);
        let failed = || Failure::failed(format!("cannot lock {}", path.display()));
        let limit = Instant::now() + PATIENCE;
        // Not on a thread that waits: it would keep a command that has given up from ending.
        loop {
            match Lock::try_take(&path) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) if Instant::now() < limit => sleep(PAUSE).await,
                Ok(None) => {
                    return Err(failed()
                        .cause(format!("another process changes box `{}`", self.info.name))
                        .hint(format!("fuser -v {}", path.display())));
                }
                Err(error) => return Err(failed().because(&error)),
            }
        }
    }

    fn cannot(&self, what: &str) -> Failure {
        Failure::failed(format!("cannot {what} {} of box `{}`", self.path, self.info.name))
    }
}

/// A document as it is written.
///
/// # Errors
/// One that is larger than what is read.
pub fn encode(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let bytes = serde_json::to_vec(document)
        .map_err(|error| Failure::failed("it cannot be written as JSON").because(&error))?;
    if bytes.len() > LIMIT {
        return Err(Failure::failed(format!(
            "it would have {} bytes, and {LIMIT} may be",
            bytes.len()
        )));
    }
    Ok(bytes)
}

/// The right to change documents of a box. The file goes with it, as boxes do.
#[derive(Debug)]
struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes it, where nobody has it.
    fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(directory) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Who held it before has removed it, and somebody else may hold one of the same name by now.
        let is_there = fs::metadata(path).is_ok_and(|now| is_same(&now, &file));
        Ok(is_there.then(|| Self {
            path: path.to_owned(),
            file,
        }))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if fs::metadata(&self.path).is_ok_and(|now| is_same(&now, &self.file)) {
            // One that stays is used again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn is_same(now: &fs::Metadata, file: &File) -> bool {
    file.metadata()
        .is_ok_and(|ours| (ours.dev(), ours.ino()) == (now.dev(), now.ino()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        assert_eq!(encode(&["a"]), Ok(b"[\"a\"]".to_vec()));
        let failure = encode(&"x".repeat(LIMIT)).unwrap_err();
        assert_eq!(
            failure.message,
            "it would have 16777218 bytes, and 16777216 may be"
        );
    }

    #[test]
    fn one_holds_a_lock_at_a_time_and_nothing_of_it_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("locks/aaaa");
        let (inside, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let lock = loop {
                            match Lock::try_take(&path).unwrap() {
                                Some(lock) => break lock,
                                None => std::thread::yield_now(),
                            }
                        };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                        done.fetch_add(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 1600);
        assert_eq!(fs::read_dir(directory.path().join("locks")).unwrap().count(), 0);
    }
}
