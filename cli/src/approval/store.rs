//! Where approvals lie: one small file each, named by a hash of what was approved.
//!
//! A file of its own for every approval needs no lock: two writers of the same one write the same, and nobody
//! rewrites what another has added. Removing a file takes the approval back.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use directories::ProjectDirs;
use serde::{Deserialize, Serialize};

/// Largest file that is read, in bytes; ours have a few hundred.
const LIMIT: u64 = 64 << 10;
/// Form of the files.
const VERSION: u32 = 1;

/// The directory of a user's approvals.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// Names one approval: SHA-256, in hexadecimal, over the kind, the project and the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key of a request.
    pub fn new(kind: &str, project: &Path, content: &[u8]) -> Self {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        // Lengths first, so that no text can move from one part to the next.
        for part in [kind.as_bytes(), project.as_os_str().as_encoded_bytes(), content] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self(
            hash.finish()
                .as_ref()
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        )
    }
}

/// Content of a file. The name alone would do; this tells a person what it is, and a torn file from a whole one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    version: u32,
    kind: String,
    project: String,
    key: String,
    approved_at: Timestamp,
}

impl Store {
    /// In the user's data directory: `$XDG_DATA_HOME/agentbox/approvals`, by default `~/.local/share/…`.
    ///
    /// # Errors
    /// A user without a home directory.
    pub fn of_user() -> Result<Self, Failure> {
        let directories = ProjectDirs::from("dev", "agentbox", "agentbox").ok_or_else(|| {
            Failure::failed("cannot remember the approval: there is no home directory")
                .hint("set HOME, or XDG_DATA_HOME")
        })?;
        Ok(Self::at(directories.data_dir().join("approvals")))
    }

    /// In this directory, which need not exist.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Whether this was approved.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or is not what was written.
    pub fn has(&self, key: &Key) -> Result<bool, Failure> {
        let path = self.path(key);
        let damaged = |cause: String| {
            Failure::failed(format!("the approval in {} is damaged", path.display()))
                .cause(cause)
                .hint(format!("rm {}", path.display()))
        };
        let bytes = match read_limited(&path) {
            Ok(bytes) => bytes,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(damaged(error.to_string())),
        };
        let record: Record = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if record.version == VERSION && record.key == key.0 {
            Ok(true)
        } else {
            Err(damaged("it is an approval of something else".to_owned()))
        }
    }

    /// Remembers an approval. Whoever reads sees nothing of it, or all.
    ///
    /// # Errors
    /// A directory that cannot be made or written.
    pub fn remember(&self, key: &Key, kind: &str, project: &Path) -> Result<(), Failure> {
        let record = Record {
            version: VERSION,
            kind: kind.to_owned(),
            project: project.to_string_lossy().into_owned(),
            key: key.0.clone(),
            approved_at: Timestamp::now(),
        };
        let write = || -> io::Result<()> {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            let mut file = tempfile::Builder::new()
                .prefix(".new-")
                .permissions(Permissions::from_mode(0o600))
                .tempfile_in(&self.directory)?;
            serde_json::to_writer_pretty(&mut file, &record)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(self.path(key))?;
            Ok(())
        };
        write().map_err(|error| {
            Failure::failed(format!(
                "cannot remember the approval in {}",
                self.directory.display()
            ))
            .because(&error)
        })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.directory.join(format!("{}.json", key.0))
    }
}

fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() || metadata.len() > LIMIT {
        return Err(io::Error::other("it is no small file"));
    }
    fs::read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_key_do_not_run_together() {
        let key = |kind, project, content: &str| Key::new(kind, Path::new(project), content.as_bytes());
        assert_eq!(key("carry", "/p", "x"), key("carry", "/p", "x"));
        for other in [
            key("carry", "/px", ""),
            key("carry/", "p", "x"),
            key("carry", "/p", "xx"),
            key("carr", "y/p", "x"),
        ] {
            assert_ne!(key("carry", "/p", "x"), other);
        }
    }

    #[test]
    fn files_are_the_user_s_alone_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("data/approvals"));
        let key = Key::new("carry", Path::new("/p"), b"content");
        assert_eq!(store.has(&key), Ok(false));
        store.remember(&key, "carry", Path::new("/p")).unwrap();
        assert_eq!(store.has(&key), Ok(true));
        let names: Vec<_> = fs::read_dir(&store.directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(names, [store.path(&key)]);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&names[0]), mode(&store.directory)), (0o600, 0o700));
        let text = fs::read_to_string(&names[0]).unwrap();
        assert!(text.contains("\"project\": \"/p\""), "{text}");
        fs::remove_file(&names[0]).unwrap();
        assert_eq!(store.has(&key), Ok(false));
    }

    #[test]
    fn many_writers_and_readers_at_once_lose_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("approvals"));
        let keys: Vec<Key> = (0..8)
            .map(|number| Key::new("carry", Path::new("/p"), &[number]))
            .collect();
        std::thread::scope(|scope| {
            for shift in 0..4 {
                let (store, keys) = (&store, &keys);
                scope.spawn(move || {
                    for index in 0..keys.len() {
                        let key = &keys[(index + shift) % keys.len()];
                        // Never an error: a file that is being written is not there yet.
                        store.has(key).unwrap();
                        store.remember(key, "carry", Path::new("/p")).unwrap();
                        assert_eq!(store.has(key), Ok(true));
                    }
                });
            }
        });
        assert!(keys.iter().all(|key| store.has(key) == Ok(true)));
        assert_eq!(fs::read_dir(&store.directory).unwrap().count(), keys.len());
    }
}
