//! Where a box's project comes from.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;
use agentbox_ctl::protocol::seed_answer::Runs;
use agentbox_ctl::work;

use super::questions::{self, Asked, Known};
use super::stream::{FILE_MODE, Sender};
use super::{files, git};
use crate::host_git::HostGit;
use crate::project::Project;
use crate::ui::Meter;

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Files and links of the project.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Files that the box had already.
    pub kept: u64,
    /// Bytes of history, as they travelled.
    pub history: u64,
    /// What a user may not expect.
    pub notes: Vec<String>,
    /// What was left out though nobody asked for it, and why.
    pub warnings: Vec<String>,
}

/// A project to copy, looked at but not read.
#[derive(Debug)]
pub struct Source {
    root: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A repository and its work tree as it is.
    WorkTree(git::Repository),
    /// A repository, clean, at another commit.
    Commit(git::Repository, String),
    /// A directory of a work tree, without the history.
    Part(HostGit),
    /// The same at another commit: `commit:directory`.
    PartOfCommit(HostGit, String),
    /// A directory without git; repositories in it go along where there is a git to ask.
    Directory {
        /// Whether this machine has git.
        with_git: bool,
        /// Whether the directory is a repository that cannot be asked.
        in_git: bool,
    },
    /// No project at all.
    Nothing,
}

impl Source {
    /// What a box without a project gets: an empty workspace, or its checkpoint's.
    pub fn nothing() -> Self {
        Self {
            root: PathBuf::new(),
            kind: Kind::Nothing,
        }
    }

    /// Looks at a project; `reference` is what `--from-branch` says.
    ///
    /// # Errors
    /// A repository that git does not want to read, a reference that names no commit, or one without a repository (2).
    pub fn look(project: &Project, reference: Option<&str>) -> Result<Self, Failure> {
        let root = project.root.clone();
        let with_git = project.in_git && work::is_installed();
        let kind = if with_git {
            in_work_tree(&root, reference)?
        } else if !project.in_git && work::is_installed() && is_bare(&root) {
            return Err(no_work_tree(&root));
        } else {
            if reference.is_some() {
                return Err(no_repository(project));
            }
            Kind::Directory {
                with_git: !project.in_git && work::is_installed(),
                in_git: project.in_git,
            }
        };
        Ok(Self { root, kind })
    }

    /// The `agentbox.yaml` of `reference`; `None` where it has none.
    ///
    /// # Errors
    /// A reference that names no commit, a project that is no repository, a file longer than `limit` bytes (2).
    pub fn config_at(project: &Project, reference: &str, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        if !project.in_git {
            return Err(no_repository(project));
        }
        let git = HostGit::new(&project.root);
        let commit = git::commit(&git, reference)?;
        let tree = match prefix(&git)? {
            prefix if prefix.is_empty() => commit,
            prefix => format!("{commit}:{prefix}"),
        };
        git::blob(&git, &tree, CONFIG_NAME, limit)
    }
}

fn in_work_tree(root: &Path, reference: Option<&str>) -> Result<Kind, Failure> {
    let git = HostGit::new(root);
    // A bare repository, or one whose files are elsewhere.
    if git.text(["rev-parse", "--is-inside-work-tree"])? != "true" {
        return Err(no_work_tree(root));
    }
    let prefix = prefix(&git)?;
    Ok(match (reference, prefix.is_empty()) {
        (None, true) => Kind::WorkTree(git::Repository::of(root)?),
        (None, false) => Kind::Part(git),
        (Some(reference), true) => {
            let commit = git::commit(&git, reference)?;
            Kind::Commit(git::Repository::at(root, reference)?, commit)
        }
        (Some(reference), false) => {
            let tree = format!("{}:{prefix}", git::commit(&git, reference)?);
            Kind::PartOfCommit(git, tree)
        }
    })
}

/// Where the directory lies below its work tree's top level; empty for the top level itself.
fn prefix(git: &HostGit) -> Result<String, Failure> {
    let printed = git.read(["rev-parse", "--show-prefix"])?;
    Ok(String::from_utf8_lossy(&printed)
        .trim_end_matches('\n')
        .trim_end_matches('/')
        .to_owned())
}

/// Whether a directory that no `.git` is in or above is a repository itself: hooks and credentials are in it, and no
/// project.
fn is_bare(root: &Path) -> bool {
    HostGit::new(root)
        .text(["rev-parse", "--is-bare-repository"])
        .is_ok_and(|answer| answer == "true")
}

fn no_work_tree(root: &Path) -> Failure {
    Failure::failed(format!("{} is no work tree of its repository", root.display()))
        .hint("git worktree list, and --project with one of those")
        .hint("git worktree add ../NAME, where there is none")
}

fn no_repository(project: &Project) -> Failure {
    Failure::usage(format!(
        "{} has no branch to fork from: it is no git repository",
        project.root.display()
    ))
    .hint("leave out --from-branch, or install git where it is one")
}

/// A box that has been worked in, under another name: it is asked what it needs.
#[derive(Debug)]
pub struct Warmth {
    /// A commit whose whole history it is said to have.
    pub base: Option<String>,
    /// Brings its answers; closed where none will come.
    pub answers: Receiver<Runs>,
}

/// Everything that goes below `/workspace` of one box.
#[derive(Debug)]
pub struct Content<'a> {
    /// The project.
    pub source: &'a Source,
    /// Content of `agentbox.yaml`, exactly as it was validated, ignored by git or not.
    pub config: Option<&'a [u8]>,
    /// Paths below the workspace that are in place already.
    pub placed: &'a HashSet<PathBuf>,
    /// Set where the workspace is a checkpoint's.
    pub warmth: Option<&'a Warmth>,
}

impl Content<'_> {
    /// Writes the stream for the box `name`; `meter` shows how far it is.
    ///
    /// # Errors
    /// A project that cannot be read; a reader that has gone, which is a failure too.
    pub fn write(&self, name: &str, output: &mut dyn Write, meter: Meter) -> Result<Report, Failure> {
        let mut sender = Sender::new(output, meter)?;
        match self.warmth {
            None => {
                self.project(&mut sender, name)?;
                self.keep_placed(&mut sender)?;
            }
            Some(warmth) => self.difference(&mut sender, name, warmth)?,
        }
        if let Some(config) = self.config {
            let path = self.source.root.join(CONFIG_NAME);
            let mode = fs::metadata(path).map_or(FILE_MODE, |metadata| metadata.mode());
            sender.file(Path::new(CONFIG_NAME), mode, config)?;
        }
        sender.end()
    }

    /// Tells of what is in place already: the box keeps a list of all that hosts have brought.
    fn keep_placed(&self, sender: &mut Sender<'_>) -> Result<(), Failure> {
        self.placed.iter().try_for_each(|path| sender.keep(path))
    }

    /// Whether a path of the box is somebody else's to write.
    fn skips(&self, path: &Path) -> bool {
        (self.config.is_some() && path == Path::new(CONFIG_NAME)) || self.placed.contains(path)
    }

    /// Writes the project; while the box is asked, what there is of its work tree.
    fn project(&self, sender: &mut Sender<'_>, name: &str) -> Result<(), Failure> {
        let skip = |path: &Path| self.skips(path);
        let root = &self.source.root;
        let top = Path::new("");
        let is_asking = sender.questions.is_some();
        match &self.source.kind {
            Kind::WorkTree(repository) => {
                if !is_asking {
                    self.history(sender, repository, name, &Known::Nothing)?;
                }
                git::Listing::of_repository(repository).write(sender, top, 0, &skip)
            }
            Kind::Commit(repository, commit) => {
                if !is_asking {
                    self.history(sender, repository, name, &Known::Nothing)?;
                }
                git::write_tree(sender, repository.git(), commit, &skip)
            }
            Kind::Part(git) => {
                sender.report.notes.push(without_history(root));
                git::Listing::of_directory(git, root).write(sender, top, 0, &skip)
            }
            Kind::PartOfCommit(git, tree) => {
                sender.report.notes.push(without_history(root));
                git::write_tree(sender, git, tree, &skip)
            }
            Kind::Directory { with_git, in_git } => {
                if *in_git {
                    let note = "there is no git on this machine: the box has the files without their history";
                    sender.report.notes.push(note.to_owned());
                }
                files::write(sender, root, *with_git, &skip)
            }
            Kind::Nothing => Ok(()),
        }
    }

    /// Writes what a box lacks that has been worked in.
    fn difference(&self, sender: &mut Sender<'_>, name: &str, warmth: &Warmth) -> Result<(), Failure> {
        sender.begin_questions()?;
        let repository = match &self.source.kind {
            Kind::WorkTree(repository) | Kind::Commit(repository, _) => Some(repository),
            _ => None,
        };
        let asked = match repository {
            Some(repository) => git::ask(sender, repository, Path::new(""), warmth.base.as_deref())?,
            None => Asked::default(),
        };
        self.project(sender, name)?;
        self.keep_placed(sender)?;
        if self.config.is_some() {
            sender.keep(Path::new(CONFIG_NAME))?;
        }
        let mut questions = sender.end_questions()?;
        let answers = warmth
            .answers
            .recv()
            .map_err(|_| Failure::failed("the box has not said what it needs of the project"))?;
        let needs = questions.answers(&answers)?;
        if let Some(repository) = repository {
            self.history(sender, repository, name, &asked.known(&needs))?;
        }
        for (repository, target, asked) in questions.nested.drain(..) {
            git::write_nested_history(sender, &repository, &target, &asked.known(&needs))?;
        }
        questions::write(sender, questions.later, &needs)?;
        // What is as old as the box has nothing to be compared by.
        match &self.source.kind {
            Kind::Commit(repository, commit) => {
                git::write_tree(sender, repository.git(), commit, &|path| self.skips(path))
            }
            Kind::PartOfCommit(git, tree) => git::write_tree(sender, git, tree, &|path| self.skips(path)),
            _ => Ok(()),
        }
    }

    fn history(
        &self,
        sender: &mut Sender<'_>,
        repository: &git::Repository,
        name: &str,
        known: &Known,
    ) -> Result<(), Failure> {
        let branch = git::Branch::OfBox(name);
        git::write_history(sender, repository, branch, Path::new(""), self.placed, known)
    }
}

fn without_history(root: &Path) -> String {
    format!(
        "{} lies below its repository's top level: the box has its files without their history",
        root.display()
    )
}
