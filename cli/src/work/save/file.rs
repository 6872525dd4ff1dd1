//! A file of saved work: there whole, or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use directories::ProjectDirs;

/// How many files of one box and second are told apart.
const SAME_NAME: u32 = 100;

/// How long a file may be without its lock, at the most, when it is begun.
const BEGINNING: Duration = Duration::from_secs(60);

/// Where saved work is kept: `saved` in the user's data directory.
///
/// # Errors
/// A user without a home directory.
pub fn directory() -> Result<PathBuf, Failure> {
    ProjectDirs::from("", "", "agentbox")
        .map(|directories| directories.data_dir().join("saved"))
        .ok_or_else(|| {
            Failure::failed("cannot tell where saved work is to be kept: there is no home directory")
                .hint("set HOME, or agentbox destroy --discard to keep nothing")
        })
}

/// A file being written under a name of its own. Dropped before [`Partial::finish`] it is removed.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    wanted: PathBuf,
    finished: bool,
}

impl Partial {
    /// Begins the file `<box>-<time>.<extension>` in `directory`, which is made where it is missing. Only the user can
    /// read either.
    ///
    /// # Errors
    /// A directory that cannot be made or written.
    pub fn begin(directory: &Path, name: &str, extension: &str, now: Timestamp) -> Result<Self, Failure> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| cannot_write(directory, &error))?;
        sweep(directory);
        let time: String = now
            .to_string()
            .chars()
            .take_while(|character| *character != '.')
            .filter(char::is_ascii_alphanumeric)
            .collect();
        for number in 1..SAME_NAME {
            let again = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let file_name = format!("{name}-{time}Z{again}.{extension}");
            let (wanted, path) = (
                directory.join(&file_name),
                directory.join(format!(".{file_name}.partial")),
            );
            let opened = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match opened {
                Ok(file) if !wanted.exists() => {
                    // A file system without locks has nobody that sweeps, either.
                    let _ = file.try_lock();
                    return Ok(Self {
                        file,
                        path,
                        wanted,
                        finished: false,
                    });
                }
                Ok(_) => drop(fs::remove_file(&path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(&path, &error)),
            }
        }
        Err(Failure::failed(format!(
            "{} is full of files of box `{name}`",
            directory.display()
        )))
    }

    /// Where the file is for now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// A full disk and its like.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file
            .write_all(bytes)
            .map_err(|error| cannot_write(&self.path, &error))
    }

    /// Puts everything on the disk and gives the file its name.
    ///
    /// # Errors
    /// A full disk and its like.
    pub fn finish(mut self) -> Result<PathBuf, Failure> {
        let directory = self.wanted.parent().unwrap_or(Path::new("/"));
        self.file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, &self.wanted))
            .and_then(|()| File::open(directory)?.sync_all())
            .map_err(|error| cannot_write(&self.wanted, &error))?;
        self.finished = true;
        Ok(self.wanted.clone())
    }
}

/// Removes the partial files of processes that were killed. Who writes one has it locked, and a file that is being begun
/// is new.
fn sweep(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_partial = path.extension().is_some_and(|extension| extension == "partial");
        let is_old = || {
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age > BEGINNING))
        };
        if is_partial && is_old() && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            // The next one tries again.
            let _ = fs::remove_file(&path);
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed has a name that says what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}", path.display()))
        .because(error)
        .hint("make room, or agentbox destroy --discard to keep nothing")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::SystemTime;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_whole_or_not_there() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("agentbox/saved");
        let now = Timestamp::from_millis(1_700_000_000_000);
        let mut partial = Partial::begin(&directory, "web", "bundle", now).unwrap();
        partial.write(b"work").unwrap();
        assert_eq!(names(&directory), [".web-20231114T221320Z.bundle.partial"]);
        drop(partial);
        assert!(names(&directory).is_empty());
        for _ in 0..2 {
            let mut partial = Partial::begin(&directory, "web", "bundle", now).unwrap();
            partial.write(b"work").unwrap();
            partial.finish().unwrap();
        }
        assert_eq!(
            names(&directory),
            ["web-20231114T221320Z-2.bundle", "web-20231114T221320Z.bundle"]
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&directory.join("web-20231114T221320Z.bundle")), 0o600);
        assert_eq!(mode(&directory), 0o700);
    }

    #[test]
    fn what_killed_processes_left_is_swept_and_what_is_written_is_not() {
        let root = tempfile::tempdir().unwrap();
        let mut partial = Partial::begin(root.path(), "web", "tar", Timestamp::now()).unwrap();
        let made = |name: &str, age: u64| {
            let file = File::create(root.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age))
                .unwrap();
        };
        partial
            .file
            .set_modified(SystemTime::now() - Duration::from_secs(600))
            .unwrap();
        made(".left-Z.tar.partial", 600);
        made(".new-Z.tar.partial", 1);
        made("saved.tar", 600);
        drop(Partial::begin(root.path(), "api", "tar", Timestamp::now()).unwrap());
        let left = names(root.path());
        assert_eq!(left.len(), 3, "{left:?}");
        assert!(!left.iter().any(|name| name.starts_with(".left")), "{left:?}");
        partial.write(b"work").unwrap();
        partial.finish().unwrap();
    }

    #[test]
    fn a_full_disk_is_said_and_leaves_nothing() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let root = tempfile::tempdir().unwrap();
        let mut partial = Partial::begin(root.path(), "web", "tar", Timestamp::now()).unwrap();
        partial.file = full;
        let failure = partial.write(b"work").unwrap_err();
        assert!(failure.render().contains("No space left"), "{failure:?}");
        drop(partial);
        assert!(names(root.path()).is_empty());
    }
}
