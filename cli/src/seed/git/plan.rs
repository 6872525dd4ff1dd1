//! What a repository is like, asked once before anything is sent.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::thread;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work;
use tempfile::TempDir;

use super::config::{self, Settings};
use super::filters::Stored;
use crate::host_git::HostGit;

/// The file of a git directory that says what git is to ignore in this clone alone.
pub(super) const EXCLUDE: &str = "info/exclude";
/// Files of a git directory that say what git was asked to leave out or to treat otherwise, and what it is merging.
const TAKEN_FILES: [&str; 5] = [
    EXCLUDE,
    "info/attributes",
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
];
/// Largest of them that is taken, in bytes.
const TAKEN_LIMIT: u64 = 1 << 20;

/// A repository as it is to go into a box.
#[derive(Debug)]
pub(in crate::seed) struct Repository {
    /// Git for it.
    pub(super) git: HostGit,
    /// Its work tree.
    pub(super) root: PathBuf,
    /// The commit that the box forks from; none where there is no commit yet.
    pub(super) head: Option<String>,
    /// The branch in use, in full; none where HEAD is detached.
    pub(super) branch: Option<String>,
    /// Names in full and ids.
    pub(super) tags: Vec<(String, String)>,
    /// `sha1` or `sha256`.
    pub(super) object_format: String,
    /// What is taken of its configuration.
    pub(super) settings: Settings,
    /// Names below the git directory and content.
    pub(super) files: Vec<(&'static str, Vec<u8>)>,
    /// Where its history ends early, as git writes it.
    pub(super) shallow: Option<Vec<u8>>,
    /// Files that go in as git stores them.
    pub(super) stored: Stored,
    /// Ids of objects that only the index has.
    pub(super) staged: Vec<String>,
    /// Its uncommitted work, as [`work::uncommitted`] records it; none where that fails, which only costs that nobody can
    /// tell later whether the box has added any.
    pub(super) record: Option<Vec<u8>>,
    /// A copy of its index without what only this machine can use.
    pub(super) index: Option<File>,
}

/// An index in a directory of its own, which goes when this does.
#[derive(Debug)]
struct Index {
    directory: TempDir,
}

impl Index {
    fn new() -> Result<Self, Failure> {
        let directory = tempfile::Builder::new()
            .prefix("agentbox-index-")
            .tempdir()
            .map_err(|error| Failure::failed("cannot make a temporary directory").because(&error))?;
        Ok(Self { directory })
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("index")
    }

    /// The file, which has no name any more: nothing is left of it, however this program ends.
    fn open(self) -> Result<File, Failure> {
        File::open(self.path())
            .map_err(|error| Failure::failed("cannot read the copy of the index").because(&error))
    }
}

impl Repository {
    /// Looks at the repository whose work tree is `root`.
    ///
    /// # Errors
    /// A repository that git does not want to read.
    pub(in crate::seed) fn of(root: &Path) -> Result<Self, Failure> {
        let recording = {
            let root = root.to_owned();
            thread::spawn(move || work::uncommitted(&root).ok())
        };
        let git = HostGit::new(root);
        let mut paths = vec!["rev-parse", "--is-shallow-repository", "--git-path", "shallow"];
        for file in TAKEN_FILES.iter().chain(&["index"]) {
            paths.extend(["--git-path", file]);
        }
        let answers = text(git.read(&paths)?);
        let mut answers = answers.lines();
        let is_shallow = answers.next() == Some("true");
        let mut next_path = || root.join(answers.next().unwrap_or_default());
        let shallow = next_path();
        let taken: Vec<(&'static str, PathBuf)> =
            TAKEN_FILES.iter().map(|name| (*name, next_path())).collect();
        let index = next_path();

        let head = git.lookup(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"])?;
        let head = head.map(|id| text(id).trim().to_owned());
        let branch = git.lookup(["symbolic-ref", "--quiet", "HEAD"])?;
        let branch = branch.map(|name| text(name).trim().to_owned());
        let settings = config::read(&git)?;
        let stored = Stored::find(&git, &settings.filters)?;
        let mut repository = Self {
            settings,
            tags: tags(&git)?,
            object_format: object_format(&git),
            files: taken
                .into_iter()
                .filter_map(|(name, path)| Some((name, small_file(&path)?)))
                .collect(),
            shallow: if is_shallow { fs::read(shallow).ok() } else { None },
            staged: staged(&git, head.as_deref())?,
            index: copy_index(&git, &index, &stored)?,
            stored,
            record: recording.join().ok().flatten(),
            root: root.to_owned(),
            git,
            head,
            branch,
        };
        // A merge that has been concluded leaves its message behind.
        if !repository.files.iter().any(|(name, _)| *name == "MERGE_HEAD") {
            repository.files.retain(|(name, _)| !name.starts_with("MERGE"));
        }
        Ok(repository)
    }

    /// The same repository, clean, with `reference` checked out.
    ///
    /// # Errors
    /// A reference that names no commit (2).
    pub(in crate::seed) fn at(root: &Path, reference: &str) -> Result<Self, Failure> {
        let git = HostGit::new(root);
        let commit = commit(&git, reference)?;
        let full = git.lookup(["rev-parse", "--quiet", "--symbolic-full-name", reference, "--"])?;
        let branch = full
            .map(|name| text(name).lines().next().unwrap_or_default().to_owned())
            .filter(|name| name.starts_with("refs/heads/"));
        let index = Index::new()?;
        let mut read = git.command(["read-tree", &commit]);
        read.env("GIT_INDEX_FILE", index.path());
        work::read(read)?;
        let mut repository = Self::of(root)?;
        repository.head = Some(commit);
        repository.branch = branch;
        repository.staged = Vec::new();
        repository.record = Some(work::CLEAN.to_vec());
        repository.files.retain(|(name, _)| !name.starts_with("MERGE"));
        repository.index = Some(index.open()?);
        Ok(repository)
    }

    /// Git for it.
    pub(in crate::seed) fn git(&self) -> &HostGit {
        &self.git
    }

    /// Everything whose history goes along.
    pub(super) fn tips(&self) -> impl Iterator<Item = &str> {
        let merging = self
            .files
            .iter()
            .filter(|(name, _)| *name == "MERGE_HEAD")
            .filter_map(|(_, content)| std::str::from_utf8(content).ok())
            .flat_map(str::lines);
        self.head
            .as_deref()
            .into_iter()
            .chain(self.tags.iter().map(|(_, id)| id.as_str()))
            .chain(merging)
            .chain(self.staged.iter().map(String::as_str))
    }
}

/// The commit that a user means by `reference`.
///
/// # Errors
/// None (2).
pub(in crate::seed) fn commit(git: &HostGit, reference: &str) -> Result<String, Failure> {
    let wanted = format!("{reference}^{{commit}}");
    let found = git.lookup(["rev-parse", "--quiet", "--verify", "--end-of-options", &wanted])?;
    match found {
        Some(id) => Ok(text(id).trim().to_owned()),
        None => Err(
            Failure::usage(format!("`{reference}` names no commit of the project"))
                .hint("git branch --all, for the branches there are"),
        ),
    }
}

/// Ids are compared and printed; what is no UTF-8 here is a path that does not exist.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn tags(git: &HostGit) -> Result<Vec<(String, String)>, Failure> {
    let printed = text(git.read(["for-each-ref", "--format=%(objectname) %(refname)", "refs/tags"])?);
    Ok(printed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| (name.to_owned(), id.to_owned()))
        .collect())
}

/// A git that does not know the question knows one format alone.
fn object_format(git: &HostGit) -> String {
    match git.read(["rev-parse", "--show-object-format"]) {
        Ok(format) => text(format).trim().to_owned(),
        Err(_) => "sha1".to_owned(),
    }
}

fn small_file(path: &Path) -> Option<Vec<u8>> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_file() && metadata.len() <= TAKEN_LIMIT {
        fs::read(path).ok()
    } else {
        None
    }
}

/// Ids of blobs that the index has and HEAD has not, conflicts included.
fn staged(git: &HostGit, head: Option<&str>) -> Result<Vec<String>, Failure> {
    let mut ids = Vec::new();
    let mut add = |mode: &str, id: &str| {
        // A submodule's commit is not an object of this repository.
        if mode != "160000" && id.bytes().any(|digit| digit != b'0') {
            ids.push(id.to_owned());
        }
    };
    match head {
        Some(head) => {
            let changed = git.read([
                "diff-index",
                "--cached",
                "--raw",
                "-z",
                "--no-renames",
                "--no-abbrev",
                head,
            ])?;
            for entry in changed.split(|byte| *byte == 0) {
                // :old-mode new-mode old-id new-id status
                let entry = String::from_utf8_lossy(entry);
                let fields: Vec<&str> = entry.split(' ').collect();
                if let [old, mode, _, id, _] = fields.as_slice()
                    && old.starts_with(':')
                {
                    add(mode, id);
                }
            }
            stages(&git.read(["ls-files", "--unmerged", "-z"])?, &mut add);
        }
        None => stages(&git.read(["ls-files", "--stage", "-z"])?, &mut add),
    }
    Ok(ids)
}

/// Takes apart `mode id stage TAB path NUL`.
fn stages(printed: &[u8], add: &mut impl FnMut(&str, &str)) {
    for entry in printed.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        let mut fields = entry.split([' ', '\t']);
        if let (Some(mode), Some(id)) = (fields.next(), fields.next()) {
            add(mode, id);
        }
    }
}

/// A copy of the index, written anew: parts of it may lie in other files, name paths of this machine or speak to a
/// program that watches them.
fn copy_index(git: &HostGit, path: &Path, stored: &Stored) -> Result<Option<File>, Failure> {
    let copy = Index::new()?;
    let cannot_read =
        |error: io::Error| Failure::failed(format!("cannot read {}", path.display())).because(&error);
    // Before the copy: a time that is too early only has git look at more files.
    let modified = match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(modified) => modified,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(error)),
    };
    // Git takes a file that was changed when the index was, or later, for one that it has to read: so the copy has to
    // have the time of the original.
    fs::copy(path, copy.path())
        .and_then(|_| {
            File::options()
                .write(true)
                .open(copy.path())?
                .set_modified(modified)
        })
        .map_err(cannot_read)?;
    // Objects that it makes on the way, as for the directories of a sparse index, are for the copy alone.
    let objects = text(git.read(["rev-parse", "--git-path", "objects"])?);
    let own_objects = copy.directory.path().join("objects");
    fs::create_dir(&own_objects)
        .map_err(|error| Failure::failed("cannot make a temporary directory").because(&error))?;
    let mut command = git.command(["-c", "index.sparse=false", "-c", "core.splitIndex=false"]);
    command
        .args([
            "-c",
            "core.untrackedCache=false",
            "update-index",
            "--force-write-index",
            "-z",
            "--index-info",
        ])
        .env("GIT_INDEX_FILE", copy.path())
        .env("GIT_OBJECT_DIRECTORY", own_objects)
        .env(
            "GIT_ALTERNATE_OBJECT_DIRECTORIES",
            quoted(&git.directory().join(objects.trim_end_matches('\n'))),
        );
    git.stream(command, stored.entries(), |_| Ok(()))?;
    copy.open().map(Some)
}

/// A path for a variable that takes several, with a colon in between.
fn quoted(path: &Path) -> OsString {
    let mut quoted = vec![b'"'];
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    OsString::from_vec(quoted)
}
