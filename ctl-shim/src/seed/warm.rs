//! A workspace that has been worked in: what of the project it has already, and what of it has to go.
//!
//! ```text
//!                          ┌► directories, read ahead ─────┐
//! list of what hosts sent ─┤        OFFER ────────────► lstat ──┐
//! git ls-files ────────────┴─ known ◄─ KEEP                     ├─► answers
//!                          │        ASK ─────────────► rev-list ┘
//!                          └─ known, but not listed by the host any more ─► removed
//! ```
//!
//! Directories and links of the listing are in place before questions about what lies in them are answered, so none is
//! by what a link leads to; and what goes away is reached through directories alone.

use std::collections::HashMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::list;
use super::repository::{self, below};
use super::walk::{Seen, Walk};
use super::{ALL_BITS, Input, PERMISSIONS, broken, cannot_write, feed, is_of_user, path_of, tree};
use crate::failure::Failure;
use crate::leftovers::is_directory;
use crate::protocol::seed::{Modified, leads_elsewhere};
use crate::protocol::seed_answer::Runs;
use crate::work::{self, SEED_RECORD};

/// What is known of a path.
#[derive(Default)]
struct Known {
    /// With which time a host sent it last.
    sent: Option<Modified>,
    /// The host has it now.
    is_listed: bool,
    /// The regular file that is there.
    seen: Option<Seen>,
}

/// A repository that comes.
struct Repository {
    /// Its git directory, relative to the workspace.
    path: Vec<u8>,
    /// Its objects can be trusted to be all that git finds.
    is_whole: bool,
    /// It has what one question was about; the ones that follow are about less.
    has: bool,
    /// Lists what it tracked.
    tracked: Option<Child>,
}

/// What the host has asked.
enum Question {
    /// Whether a file is needed.
    Offer {
        path: Vec<u8>,
        mode: u32,
        modified: Modified,
        size: u64,
    },
    /// Whether objects are needed: they are, or not.
    Objects(bool),
}

pub(super) struct Warm<'a> {
    workspace: &'a Path,
    /// When the list was written, in seconds since the Unix epoch.
    listed_at: i64,
    known: HashMap<Vec<u8>, Known>,
    walk: Walk,
    repositories: Vec<Repository>,
    questions: Vec<Question>,
    /// What is there and no host brought.
    own: Vec<Vec<u8>>,
}

impl<'a> Warm<'a> {
    /// `list` is what hosts have sent so far; where it is missing or cut, less is known.
    pub(super) fn new(workspace: &'a Path, list: &Path) -> Self {
        let mut known: HashMap<Vec<u8>, Known> = HashMap::new();
        let listed_at = fs::symlink_metadata(list).map_or(i64::MIN, |metadata| metadata.mtime());
        list::read(list, |path, sent| known.entry(path).or_default().sent = sent);
        Self {
            workspace,
            listed_at,
            walk: Walk::new(workspace, known.keys().map(Vec::as_slice)),
            known,
            repositories: Vec::new(),
            questions: Vec::new(),
            own: Vec::new(),
        }
    }

    /// The host has this path.
    pub(super) fn list(&mut self, path: &[u8]) {
        match self.known.get_mut(path) {
            Some(known) => known.is_listed = true,
            None => {
                let known = Known {
                    is_listed: true,
                    ..Known::default()
                };
                self.known.insert(path.to_vec(), known);
            }
        }
    }

    /// Makes it cheap to look for directories.
    pub(super) fn settle(&mut self) {
        self.walk.settle();
    }

    /// The host has this directory, and here is one.
    pub(super) fn directory(&mut self, path: &[u8]) {
        self.walk.directory(path);
    }

    /// The host has this file.
    pub(super) fn offer(&mut self, path: Vec<u8>, mode: u32, modified: Modified, size: u64) {
        self.questions.push(Question::Offer {
            path,
            mode,
            modified,
            size,
        });
    }

    /// Answers everything that was asked.
    pub(super) fn answers(&mut self) -> Runs {
        let (known, own) = (&mut self.known, &mut self.own);
        self.walk.finish(|path, seen| match known.get_mut(path) {
            Some(known) => known.seen = seen,
            None => own.push(path.to_vec()),
        });
        let mut answers = Runs::default();
        for question in std::mem::take(&mut self.questions) {
            answers.push(match question {
                Question::Objects(needs) => needs,
                Question::Offer {
                    path,
                    mode,
                    modified,
                    size,
                } => !self.is_same(&path, mode, modified, size),
            });
        }
        answers
    }

    /// Whether a file is as the host has it: git's own rule, with owner and permissions. What went through an image has
    /// whole seconds, so there the time counts with which it was sent; and that does not tell a file from one that was
    /// changed in the same second, after it was sent. A file of several names would change with another.
    fn is_same(&self, path: &[u8], mode: u32, modified: Modified, size: u64) -> bool {
        let known = self.known.get(path);
        let sent = known.and_then(|known| known.sent);
        let seen = known.and_then(|known| known.seen).or_else(|| {
            let metadata = fs::symlink_metadata(path_of(self.workspace, path)).ok()?;
            metadata.is_file().then(|| Seen::from(&metadata))
        });
        seen.is_some_and(|seen| {
            seen.size == size
                && seen.mode & ALL_BITS == mode & PERMISSIONS
                && seen.names == 1
                && is_of_user(seen.user, seen.group)
                && seen.seconds == modified.seconds.cast_signed()
                && seen.seconds < self.listed_at
                && (seen.nanoseconds == modified.nanoseconds
                    || (seen.nanoseconds == 0 && sent == Some(modified)))
        })
    }

    /// Answers whether objects are needed: those of the content and everything that they reach. As a fetch does it, what
    /// a reference of the repository reaches is taken for there.
    pub(super) fn ask(&mut self, path: Vec<u8>, decoder: &mut Input<'_>) -> Result<(), Failure> {
        if self.repositories.last().is_none_or(|last| last.path != path) {
            let repository = self.open(path);
            self.repositories.push(repository);
        }
        let workspace = self.workspace;
        let mut asked = match self.repositories.last() {
            Some(repository) if repository.is_whole && !repository.has => {
                let mut command = git(workspace, &repository.path);
                command
                    .args(["rev-list", "--quiet", "--objects", "--stdin", "--not", "--all"])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command.spawn().ok()
            }
            _ => None,
        };
        let pipe = asked.as_mut().and_then(|child| child.stdin.take());
        let is_empty = feed(decoder, pipe)? == 0;
        let has = asked.is_some_and(|mut child| child.wait().is_ok_and(|status| status.success()));
        let has = has && !is_empty;
        if let Some(repository) = self.repositories.last_mut() {
            repository.has |= has;
        }
        self.questions.push(Question::Objects(!has));
        Ok(())
    }

    fn open(&self, path: Vec<u8>) -> Repository {
        let directory = path_of(self.workspace, &path);
        let objects = directory.join("objects");
        repository::own(self.workspace, &path);
        let is_own = is_directory(&directory) && is_directory(&objects);
        let mut is_whole = is_own;
        if is_own {
            // Nobody else's objects, and no shortcut that may be wrong.
            let _ = tree::remove(self.workspace, &below(&path, b"objects/info"));
            is_whole = repository::own_objects(self.workspace, &path);
        }
        let has = |name: &str| fs::symlink_metadata(directory.join(name)).is_ok();
        let mut listing = git(self.workspace, &path);
        listing
            .args(["ls-files", "-z", "--stage"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Repository {
            is_whole: is_whole && !has("shallow") && !has("commondir"),
            has: false,
            tracked: if is_own { listing.spawn().ok() } else { None },
            path,
        }
    }

    /// Removes what the host has no more, and of repositories everything but the objects that are of use.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        let gone = self.known.iter().filter(|(_, known)| !known.is_listed);
        for (path, _) in gone {
            self.remove_old(path);
        }
        for number in 0..self.repositories.len() {
            let Some(repository) = self.repositories.get_mut(number) else {
                break;
            };
            let tracked = repository.tracked.take();
            let (path, has) = (repository.path.clone(), repository.has);
            let listed = tracked.and_then(|child| child.wait_with_output().ok());
            if let Some(listed) = listed {
                let (names, submodules) = repository::tracked(&listed.stdout);
                for submodule in submodules {
                    self.clear_submodule(&[prefix(&path), submodule].concat());
                }
                for name in self.not_listed(&path, &names) {
                    self.remove_old(&name);
                }
            }
            repository::reset(self.workspace, &path, has)
                .map_err(|error| cannot_write(&path_of(self.workspace, &path), &error))?;
        }
        Ok(())
    }

    /// Paths of `names`, each with a NUL behind it, that the host has not.
    fn not_listed(&self, git_directory: &[u8], names: &[u8]) -> Vec<Vec<u8>> {
        let prefix = prefix(git_directory);
        let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        names
            .map(|name| [prefix, name.strip_suffix(b"/").unwrap_or(name)].concat())
            .filter(|path| !self.is_listed(path))
            .collect()
    }

    /// Empties a submodule that comes without its repository: the one here lies in a directory that is reset, and git
    /// does not go on where a submodule leads nowhere.
    fn clear_submodule(&self, path: &[u8]) {
        let repository = below(path, b".git");
        let comes = self.is_listed(&repository);
        if !comes && fs::symlink_metadata(path_of(self.workspace, &repository)).is_ok() {
            self.remove_unlisted(path);
        }
    }

    fn remove_unlisted(&self, directory: &[u8]) {
        let full = path_of(self.workspace, directory);
        if leads_elsewhere(directory) || !is_directory(&full) {
            return;
        }
        for entry in fs::read_dir(full).into_iter().flatten().flatten() {
            let path = below(directory, entry.file_name().as_bytes());
            if self.is_listed(&path) {
                self.remove_unlisted(&path);
            } else {
                // What cannot be removed stays.
                let _ = tree::remove(self.workspace, &path);
            }
        }
    }

    fn is_listed(&self, path: &[u8]) -> bool {
        self.known.get(path).is_some_and(|known| known.is_listed)
    }

    /// Removes a file or link, a git directory with everything, a directory that is empty; and then the directories
    /// above that are empty. What cannot be removed stays, as what the box has made itself.
    fn remove_old(&self, path: &[u8]) {
        if leads_elsewhere(path) {
            return;
        }
        let is_repository = path == b".git" || path.ends_with(b"/.git");
        let mut removed = if is_repository {
            tree::remove(self.workspace, path)
        } else {
            tree::remove_one(self.workspace, path)
        };
        let mut above = path;
        while removed.is_ok()
            && let Some(slash) = above.iter().rposition(|byte| *byte == b'/')
        {
            above = above.get(..slash).unwrap_or_default();
            if self.is_listed(above) {
                break;
            }
            removed = tree::remove_one(self.workspace, above);
        }
    }

    /// Whether a repository holds files that are neither the host's nor ignored.
    pub(super) fn has_own_files(&self) -> bool {
        let is_own = |path: &&Vec<u8>| {
            !path.split(|byte| *byte == b'/').any(|part| part == b".git")
                && fs::symlink_metadata(path_of(self.workspace, path)).is_ok()
        };
        let mut own: HashMap<usize, Vec<Vec<u8>>> = HashMap::new();
        for path in self.own.iter().filter(is_own) {
            // The innermost one is asked.
            let repositories = self.repositories.iter().enumerate();
            let holding = repositories.filter(|(_, repository)| path.starts_with(prefix(&repository.path)));
            if let Some((number, repository)) = holding.max_by_key(|(_, repository)| repository.path.len()) {
                let inside = path.get(prefix(&repository.path).len()..).unwrap_or_default();
                own.entry(number).or_default().push(inside.to_vec());
            }
        }
        own.iter().any(|(number, names)| {
            let repository = self.repositories.get(*number);
            // Where git does not say, they count.
            repository.is_none_or(|repository| {
                work::ignored(git(self.workspace, &repository.path), names)
                    .is_none_or(|ignored| ignored < names.len())
            })
        })
    }

    /// Makes the record of what is uncommitted from what is there now: files that only the warm tree had are no work of
    /// this box. Where that fails, they count as such.
    pub(super) fn record(&self) {
        let path = self.workspace.join(".git").join(SEED_RECORD);
        if path.exists()
            && let Ok(record) = work::uncommitted(self.workspace)
        {
            let _ = fs::write(path, record);
        }
    }
}

/// What the paths in the repository of a git directory begin with.
fn prefix(git_directory: &[u8]) -> &[u8] {
    git_directory.strip_suffix(b".git").unwrap_or_default()
}

/// Git for the repository of a git directory, and no other. Where objects are missing, older ones than know of
/// `GIT_NO_LAZY_FETCH` would fetch them in a way that the box has configured.
fn git(workspace: &Path, git_directory: &[u8]) -> Command {
    let directory = path_of(workspace, git_directory);
    let mut command = work::git(directory.parent().unwrap_or(workspace));
    command
        .env("GIT_ALLOW_PROTOCOL", "none")
        .args(["--git-dir", ".git"]);
    command
}

/// Writes the answers.
pub(super) fn answer(answers: &Runs, output: &mut dyn std::io::Write) -> Result<(), Failure> {
    output
        .write_all(answers.text().as_bytes())
        .and_then(|()| output.flush())
        .map_err(broken)
}
