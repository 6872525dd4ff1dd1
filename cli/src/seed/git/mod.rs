//! A git project: its history, its index and its work tree, as three things that are sent one after the other.
//!
//! ```text
//! rev-parse, config, for-each-ref ─► Repository ─► HEAD, config, packed-refs, index ─┐
//!                                        │                                           ├─► stream
//!                      git pack-objects ─┼─► pack ───────────────────────────────────┤
//!                      git ls-files ─────┴─► files of the work tree ─────────────────┘
//!                                               └─ a repository in it ─► the same again
//! ```
//!
//! The git directory in the box is made here, file by file, so nothing can come along that was not named: no hook, no
//! reflog, no other branch, no configuration beyond what [`config`] lets through.

mod config;
mod filters;
mod known;
mod pack;
mod placed;
mod plan;
mod tree;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work::{BASE, SEED_RECORD};

use self::filters::Stored;
pub(super) use self::known::ask;
use self::plan::EXCLUDE;
pub(super) use self::plan::{Repository, commit};
pub(super) use self::tree::{blob, write as write_tree};
use super::questions::Known;
use super::stream::{DIRECTORY_MODE, FILE_MODE, Sender, cannot_read};
use crate::host_git::HostGit;

/// Deepest nesting of repositories that is followed.
const DEEPEST: usize = 16;

/// Which branch a repository in the box is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Branch<'a> {
    /// A fresh one for this box.
    OfBox(&'a str),
    /// The one it is on here.
    Same,
}

/// Sends the git directory, in which git is told to ignore the paths of `placed`, and the objects that are not `known`.
///
/// # Errors
/// A git that fails, a stream that nobody reads any more.
pub(super) fn write_history(
    sender: &mut Sender<'_>,
    repository: &Repository,
    branch: Branch<'_>,
    target: &Path,
    placed: &HashSet<PathBuf>,
    known: &Known,
) -> Result<(), Failure> {
    let own = target.join(".git");
    for directory in [
        "",
        "objects",
        "objects/pack",
        "refs",
        "refs/heads",
        "refs/tags",
        "info",
    ] {
        let path = if directory.is_empty() {
            own.clone()
        } else {
            own.join(directory)
        };
        sender.directory(&path, DIRECTORY_MODE)?;
    }
    let fresh = match branch {
        Branch::OfBox(name) => Some(format!("refs/heads/agentbox/{name}")),
        Branch::Same => repository.branch.clone(),
    };
    let mut small = |name: &str, content: &[u8]| sender.git_file(&own.join(name), FILE_MODE, content);
    let head = match (&fresh, &repository.head) {
        (Some(branch), _) => format!("ref: {branch}\n"),
        (None, Some(commit)) => format!("{commit}\n"),
        (None, None) => "ref: refs/heads/main\n".to_owned(),
    };
    small("HEAD", head.as_bytes())?;
    small(
        "config",
        config::text(&repository.settings, &repository.object_format).as_bytes(),
    )?;
    small(
        "packed-refs",
        refs(repository, fresh.as_deref(), matches!(branch, Branch::OfBox(_))).as_bytes(),
    )?;
    let mut ignored: &[u8] = b"";
    for (name, content) in &repository.files {
        match *name {
            EXCLUDE => ignored = content,
            name => small(name, content)?,
        }
    }
    let ignored = placed::exclude(ignored, placed);
    if !ignored.is_empty() {
        small(EXCLUDE, &ignored)?;
    }
    if let Branch::OfBox(_) = branch
        && let Some(record) = &repository.record
    {
        small(SEED_RECORD, &placed::without(record, &repository.git, placed)?)?;
    }
    if let Some(shallow) = &repository.shallow {
        small("shallow", shallow)?;
    }
    if let Some(mut index) = repository.index.as_ref() {
        let mut content = Vec::new();
        index
            .rewind()
            .and_then(|()| index.read_to_end(&mut content))
            .map_err(|error| cannot_read(Path::new("index"), &error))?;
        small("index", &content)?;
    }
    pack::write(sender, repository, &own, known)
}

/// The text of `packed-refs`: the branch in use, the fresh one, the tags, and where the box forked.
fn refs(repository: &Repository, fresh: Option<&str>, is_box: bool) -> String {
    let mut refs = repository.tags.clone();
    if let Some(head) = &repository.head {
        let mut add = |name: &str| refs.push((name.to_owned(), head.clone()));
        if let Some(fresh) = fresh {
            add(fresh);
        }
        if is_box {
            add(BASE);
        }
        // A branch called `agentbox` would stand in the way of `agentbox/…`, and `agentbox/<box>/…` in that of the
        // fresh one.
        let in_the_way = |name: &str| {
            fresh.is_some_and(|fresh| {
                fresh.starts_with(&format!("{name}/")) || name.starts_with(&format!("{fresh}/"))
            })
        };
        if let Some(branch) = &repository.branch
            && !in_the_way(branch)
        {
            add(branch);
        }
    }
    refs.sort();
    refs.dedup();
    let mut text = "# pack-refs with: sorted \n".to_owned();
    for (name, id) in refs {
        text.push_str(&format!("{id} {name}\n"));
    }
    text
}

/// The files of a work tree that git knows or would add.
pub(super) struct Listing<'a> {
    git: &'a HostGit,
    root: &'a Path,
    stored: Option<&'a Stored>,
}

impl<'a> Listing<'a> {
    /// Those of a whole work tree.
    pub(super) fn of_repository(repository: &'a Repository) -> Self {
        Self {
            git: &repository.git,
            root: &repository.root,
            stored: Some(&repository.stored),
        }
    }

    /// Those of a directory that may lie anywhere in a work tree.
    pub(super) fn of_directory(git: &'a HostGit, root: &'a Path) -> Self {
        Self {
            git,
            root,
            stored: None,
        }
    }

    /// Sends them all.
    pub(super) fn write(
        &self,
        sender: &mut Sender<'_>,
        target: &Path,
        depth: usize,
        skip: &dyn Fn(&Path) -> bool,
    ) -> Result<(), Failure> {
        let command = self
            .git
            .command(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let none = Stored::default();
        let stored = self.stored.unwrap_or(&none);
        let mut contents = stored.contents(self.git)?;
        sender.report.notes.extend(stored.note());
        self.git.stream(command, Vec::new(), |listed| {
            let mut last = Vec::new();
            for name in BufReader::new(listed).split(0) {
                let name = name.map_err(|error| cannot_list(&error))?;
                // A path with a conflict comes once for each side.
                if name == last {
                    continue;
                }
                last.clone_from(&name);
                // A repository that git does not look into ends with a slash.
                let inside: PathBuf = Path::new(OsStr::from_bytes(&name)).components().collect();
                let target = target.join(&inside);
                if skip(&target) {
                    continue;
                }
                match contents.of(&name)? {
                    None => self.one(sender, &inside, &target, depth, skip)?,
                    Some(content) => {
                        if sender.parents(self.root, &inside, &target)? {
                            sender.file(&target, content.mode, &content.bytes)?;
                        }
                    }
                }
            }
            Ok(())
        })
    }

    fn one(
        &self,
        sender: &mut Sender<'_>,
        inside: &Path,
        target: &Path,
        depth: usize,
        skip: &dyn Fn(&Path) -> bool,
    ) -> Result<(), Failure> {
        sender.path(self.root, inside, target)?;
        let path = self.root.join(inside);
        let is_repository = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
            && path.join(".git").symlink_metadata().is_ok();
        if is_repository && sender.has_directory(&path) {
            write_nested(sender, &path, target, depth + 1, skip)?;
        }
        Ok(())
    }
}

fn cannot_list(error: &io::Error) -> Failure {
    Failure::failed("cannot read what git lists").because(error)
}

/// Sends a repository that lies in another one, or in a project without git; `skip` says which paths of the box are
/// somebody else's to write.
///
/// # Errors
/// A git that fails, a file that cannot be read, a stream that nobody reads any more.
pub(super) fn write_nested(
    sender: &mut Sender<'_>,
    root: &Path,
    target: &Path,
    depth: usize,
    skip: &dyn Fn(&Path) -> bool,
) -> Result<(), Failure> {
    if depth > DEEPEST {
        sender.warn(format!("left out {}: it lies too deep", root.display()));
        return Ok(());
    }
    let repository = Repository::of(root)?;
    if sender.questions.is_none() {
        write_nested_history(sender, &repository, target, &Known::Nothing)?;
        return Listing::of_repository(&repository).write(sender, target, depth, skip);
    }
    let asked = ask(sender, &repository, target, None)?;
    Listing::of_repository(&repository).write(sender, target, depth, skip)?;
    if let Some(questions) = &mut sender.questions {
        questions.nested.push((repository, target.to_owned(), asked));
    }
    Ok(())
}

/// Sends the git directory of such a repository, on the branch that it is on here.
///
/// # Errors
/// As [`write_history`].
pub(super) fn write_nested_history(
    sender: &mut Sender<'_>,
    repository: &Repository,
    target: &Path,
    known: &Known,
) -> Result<(), Failure> {
    write_history(sender, repository, Branch::Same, target, &HashSet::new(), known)
}
