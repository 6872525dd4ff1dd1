//! Objects of a person as files, one each, named by their ids.
//!
//! Writers take turns by a lock, under which a name is looked for before it is taken. A file is replaced as a whole, so a
//! reader, who takes no lock, and whoever comes after a crash, find the old text or the new one.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::marker::PhantomData;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::kept::{Kept, Refused};
use crate::boxes::identity::new_id;
use crate::ui::one_line;
use agentbox_ctl::config::nearest;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use rustix::fs::{Mode, OFlags};

/// What a file of an object ends with.
const ENDING: &str = "json";
/// How many files one thread reads.
const SHARE: usize = 500;
/// What a file begins with that is being written.
const HALF: &str = ".half-";

/// All objects of one sort.
#[derive(Debug, Clone)]
pub struct Store<K> {
    directory: PathBuf,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kept> Store<K> {
    /// The store in a data directory, which need not exist.
    pub fn new(data_directory: &Path) -> Self {
        Self {
            directory: data_directory.join(K::DIRECTORY),
            kind: PhantomData,
        }
    }

    /// All objects by name.
    ///
    /// # Errors
    /// A file that cannot be read or understood, by name.
    pub fn list(&self) -> Result<Vec<K>, Failure> {
        let cannot = |error: &io::Error| self.cannot("read", &self.directory, error);
        let directory = match File::open(&self.directory) {
            Ok(directory) => directory,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(&error)),
        };
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(|error| cannot(&error))? {
            let name = PathBuf::from(entry.map_err(|error| cannot(&error))?.file_name());
            if name.extension().is_some_and(|ending| ending == ENDING) {
                names.push(name);
            }
        }
        // Most of the time is the kernel's, which has several processors for it.
        let mut all = Vec::with_capacity(names.len());
        std::thread::scope(|scope| {
            let mut shares = names.chunks(SHARE);
            let own = shares.next();
            let others: Vec<_> = shares
                .map(|share| scope.spawn(|| self.read_all(&directory, share)))
                .collect();
            if let Some(own) = own {
                all.extend(self.read_all(&directory, own)?);
            }
            for other in others {
                let read = other.join();
                all.extend(read.map_err(|_| Failure::failed(format!("cannot read {}s", K::WORD)))??);
            }
            Ok::<_, Failure>(())
        })?;
        all.sort_by(|one: &K, other: &K| one.name().cmp(other.name()));
        Ok(all)
    }

    /// The object of this id, where there is one.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn get(&self, id: &str) -> Result<Option<K>, Failure> {
        match is_id::<K>(id) {
            true => self.read(&self.path(id)),
            false => Ok(None),
        }
    }

    /// The object that a word names: its id, else its name.
    ///
    /// # Errors
    /// [`Refused::Missing`] (exit code 3); files that cannot be read.
    pub fn find(&self, word: &str) -> Result<K, Refused> {
        if let Some(found) = self.get(word)? {
            return Ok(found);
        }
        let mut all = self.list()?;
        if let Some(index) = all.iter().position(|kept| kept.name() == word) {
            return Ok(all.swap_remove(index));
        }
        let mut budget = all.len();
        let meant = nearest(word, all.iter().map(K::name), &mut budget);
        Err(Refused::Missing(
            Failure::not_found(format!("there is no {} `{}`", K::WORD, one_line(word))).hint(match meant {
                Some(name) => format!("did you mean {name}?"),
                None => format!("agentbox {} list", K::COMMAND),
            }),
        ))
    }

    /// Keeps a new object. Its fields have been checked.
    ///
    /// # Errors
    /// [`Refused::Taken`]; files that cannot be written.
    pub fn create(&self, fields: K::Fields) -> Result<K, Refused> {
        let _lock = self.lock()?;
        let kept = K::new(format!("{}{}", K::ID_PREFIX, new_id()?), fields, Timestamp::now());
        self.check_free(&kept)?;
        self.write(&kept)?;
        Ok(kept)
    }

    /// Gives an object other content, under the lock: what `change` sees is what it replaces. Its result has been checked.
    ///
    /// # Errors
    /// [`Refused::Missing`], [`Refused::Taken`], those of `change`; files that cannot be written.
    pub fn update(
        &self,
        word: &str,
        change: impl FnOnce(&K::Fields) -> Result<K::Fields, Failure>,
    ) -> Result<K, Refused> {
        let _lock = self.lock()?;
        let old = self.find(word)?;
        let fields = change(old.fields())?;
        // Copies in boxes are told from their originals by it.
        let now = Timestamp::now_after(old.updated_at());
        let new = old.with(fields, now);
        self.check_free(&new)?;
        self.write(&new)?;
        Ok(new)
    }

    /// Forgets an object.
    ///
    /// # Errors
    /// [`Refused::Missing`]; a file that cannot be removed.
    pub fn remove(&self, word: &str) -> Result<K, Refused> {
        let _lock = self.lock()?;
        let kept = self.find(word)?;
        let path = self.path(kept.id());
        fs::remove_file(&path).map_err(|error| self.cannot("remove", &path, &error))?;
        Ok(kept)
    }

    fn check_free(&self, kept: &K) -> Result<(), Refused> {
        let all = self.list()?;
        let other = all
            .iter()
            .find(|other| other.name() == kept.name() && other.id() != kept.id());
        match other {
            None => Ok(()),
            Some(other) => Err(Refused::Taken(
                Failure::failed(format!(
                    "there is a {} `{}` already, {}",
                    K::WORD,
                    other.name(),
                    other.id()
                ))
                .hint(format!(
                    "agentbox {} update {}, or another name",
                    K::COMMAND,
                    other.name()
                )),
            )),
        }
    }

    fn path(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.{ENDING}"))
    }

    /// Reads some files; what has been removed meanwhile is left out.
    fn read_all(&self, directory: &File, names: &[PathBuf]) -> Result<Vec<K>, Failure> {
        let mut all = Vec::with_capacity(names.len());
        let mut content = Vec::new();
        for name in names {
            let path = self.directory.join(name);
            match read_in(directory, name, &mut content) {
                Ok(()) => all.push(self.parse(&path, &content)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.cannot("read", &path, &error)),
            }
        }
        Ok(all)
    }

    /// One file; `None` where it is gone.
    fn read(&self, path: &Path) -> Result<Option<K>, Failure> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.cannot("read", path, &error)),
        };
        self.parse(path, &bytes).map(Some)
    }

    fn parse(&self, path: &Path, content: &[u8]) -> Result<K, Failure> {
        serde_json::from_slice(content).map_err(|error| {
            Failure::failed(format!("{} is no {}", path.display(), K::WORD))
                .because(&error)
                .hint("mend the file, or move it away")
        })
    }

    fn write(&self, kept: &K) -> Result<(), Failure> {
        let path = self.path(kept.id());
        let cannot = |error: io::Error| self.cannot("write", &path, &error);
        let mut text = serde_json::to_vec_pretty(kept)
            .map_err(|error| Failure::failed(format!("cannot encode the {}", K::WORD)).because(&error))?;
        text.push(b'\n');
        // Values may be secrets: a temporary file is its owner's alone, and so stays what becomes of it.
        let mut file = tempfile::Builder::new()
            .prefix(HALF)
            .tempfile_in(&self.directory)
            .map_err(cannot)?;
        file.write_all(&text).map_err(cannot)?;
        file.as_file().sync_all().map_err(cannot)?;
        file.persist(&path).map_err(|error| cannot(error.error))?;
        Ok(())
    }

    /// Waits until no other process writes.
    fn lock(&self) -> Result<File, Failure> {
        let path = self.directory.join("lock");
        let open = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.directory)?;
            let file = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?;
            file.lock()?;
            // Nobody else writes now: what is half-written is from a writer that was killed, and may hold secrets.
            for entry in fs::read_dir(&self.directory)? {
                let entry = entry?;
                if entry.file_name().as_encoded_bytes().starts_with(HALF.as_bytes()) {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(file)
        };
        open().map_err(|error: io::Error| self.cannot("lock", &path, &error))
    }

    fn cannot(&self, what: &str, path: &Path, error: &io::Error) -> Failure {
        Failure::failed(format!("cannot {what} {}", path.display()))
            .because(error)
            .hint(format!("ls -ld {}", self.directory.display()))
    }
}

/// Reads a small file of a directory, in as few calls as that takes: of a thousand files, the calls are the time. Files are
/// replaced and never grow, so one that does not fill the room is at its end.
fn read_in(directory: &File, name: &Path, content: &mut Vec<u8>) -> io::Result<()> {
    const ROOM: usize = 16 << 10;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
    content.clear();
    loop {
        let end = content.len();
        content.resize(end + ROOM, 0);
        let read = file.read(&mut content[end..])?;
        content.truncate(end + read);
        if read < ROOM {
            return Ok(());
        }
    }
}

/// Whether a word has the form of an id: nothing else gets into a path.
fn is_id<K: Kept>(word: &str) -> bool {
    word.strip_prefix(K::ID_PREFIX)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::spec::{ServiceSpec, ServiceSpecFields};

    use super::*;

    fn fields(name: &str) -> ServiceSpecFields {
        ServiceSpecFields {
            name: name.to_owned(),
            exec_start: "/bin/true".to_owned(),
            ..ServiceSpecFields::default()
        }
    }

    #[test]
    fn objects_come_and_go_by_id_and_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let store: Store<ServiceSpec> = Store::new(&directory.path().join("data"));
        assert_eq!(store.list().unwrap(), []);
        let api = store.create(fields("api")).unwrap();
        let worker = store.create(fields("Worker")).unwrap();
        assert!(matches!(store.create(fields("api")), Err(Refused::Taken(_))));
        assert_eq!(store.find("api").unwrap(), api);
        assert_eq!(store.find(&worker.id).unwrap(), worker);
        assert!(matches!(store.find("../lock"), Err(Refused::Missing(_))));
        let rename = |to: &'static str| store.update("Worker", move |_| Ok(fields(to)));
        assert!(matches!(rename("api"), Err(Refused::Taken(_))));
        assert_eq!(rename("queue").unwrap().id, worker.id);
        assert!(matches!(rename("x"), Err(Refused::Missing(_))));
        assert_eq!(store.remove(&api.id).unwrap(), api);
        let left: Vec<_> = store
            .list()
            .unwrap()
            .into_iter()
            .map(|kept| kept.fields.name)
            .collect();
        assert_eq!(left, ["queue"]);
    }

    #[test]
    fn each_change_has_a_time_of_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let store: Store<ServiceSpec> = Store::new(directory.path());
        let mut last = store.create(fields("api")).unwrap().updated_at;
        for _ in 0..20 {
            let next = store.update("api", |old| Ok(old.clone())).unwrap().updated_at;
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn a_file_of_any_length_is_read_whole() {
        let directory = tempfile::tempdir().unwrap();
        let store: Store<ServiceSpec> = Store::new(directory.path());
        for (index, length) in [1, 16 << 10, 40_000].into_iter().enumerate() {
            let mut long = fields(&format!("spec-{index}"));
            long.exec_start = format!("/bin/echo {}", "x".repeat(length));
            store.create(long).unwrap();
        }
        let lengths: Vec<_> = store
            .list()
            .unwrap()
            .iter()
            .map(|spec| spec.fields.exec_start.len())
            .collect();
        assert_eq!(lengths, [11, 10 + (16 << 10), 40_010]);
    }

    #[test]
    fn more_than_one_thread_reads_are_all_there_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let store: Store<ServiceSpec> = Store::new(directory.path());
        store.create(fields("first")).unwrap();
        let many = 2 * SHARE + 7;
        for number in 0..many {
            let spec = ServiceSpec::new(
                format!("svc_{number:012x}"),
                fields(&format!("spec-{:05}", many - number)),
                Timestamp::now(),
            );
            fs::write(store.path(&spec.id), serde_json::to_vec(&spec).unwrap()).unwrap();
        }
        let all = store.list().unwrap();
        assert_eq!(all.len(), many + 1);
        assert!(all.is_sorted_by(|one, other| one.fields.name < other.fields.name));
        fs::write(store.path("svc_000000000001"), "{").unwrap();
        assert!(store.list().unwrap_err().message.contains("svc_000000000001"));
    }

    #[test]
    fn of_many_at_once_one_gets_the_name() {
        let directory = tempfile::tempdir().unwrap();
        let create = || Store::<ServiceSpec>::new(directory.path()).create(fields("api"));
        let results: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        let taken = |result: &&Result<_, _>| matches!(result, Err(Refused::Taken(_)));
        assert_eq!(results.iter().filter(taken).count(), 7);
    }

    #[test]
    fn what_is_written_is_its_owner_s_alone_and_a_broken_file_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let store: Store<ServiceSpec> = Store::new(directory.path());
        let kept = store.create(fields("api")).unwrap();
        let path = store.path(&kept.id);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "{").unwrap();
        let failure = store.list().unwrap_err();
        assert!(failure.message.contains(&kept.id), "{failure:?}");
    }
}
