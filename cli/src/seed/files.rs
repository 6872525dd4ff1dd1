//! A project without git: its directory, without what its ignore files name.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use agentbox_ctl::failure::Failure;
use ignore::{DirEntry, WalkBuilder};

use super::git;
use super::stream::{Sender, cannot_read};

/// Names of files that say what to leave out.
const IGNORE_FILES: [&str; 2] = [".gitignore", ".agentboxignore"];
/// What is left out where nothing says what to leave out: it is made anew in the box, for the box.
const USUAL: [&str; 4] = ["node_modules", ".venv", "target", "__pycache__"];
/// The same, in a directory of this name: `vendor` alone is often part of a project.
const USUAL_NESTED: (&str, &str) = ("vendor", "bundle");

/// Sends a directory. Repositories in it go with their history where `with_git`.
///
/// # Errors
/// A file that cannot be read, a stream that nobody reads any more.
pub(super) fn write(
    sender: &mut Sender<'_>,
    root: &Path,
    with_git: bool,
    skip: &dyn Fn(&Path) -> bool,
) -> Result<(), Failure> {
    let says = IGNORE_FILES
        .iter()
        .any(|name| root.join(name).symlink_metadata().is_ok());
    let left_out: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&left_out);
    let bare: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted_bare = Arc::clone(&bare);
    let base = root.to_owned();
    let walk = WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .parents(false)
        .add_custom_ignore_filename(IGNORE_FILES[1])
        .sort_by_file_name(Ord::cmp)
        .filter_entry(move |entry| {
            if entry.file_name() == ".git" {
                return false;
            }
            // What lies in a repository is sent as the repository.
            if with_git && entry.depth() > 1 && in_repository(&base, entry) {
                return false;
            }
            // Its configuration and hooks lie among its files, so that it could only go as it is.
            if entry.depth() > 0 && is_bare_repository(entry) {
                let inside = entry.path().strip_prefix(&base).unwrap_or(entry.path());
                let mut noted = noted_bare.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push(crate::ui::one_line(&inside.display().to_string()).into_owned());
                return false;
            }
            let usual = !says && is_usual(entry);
            if usual {
                let inside = entry.path().strip_prefix(&base).unwrap_or(entry.path());
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push(crate::ui::one_line(&inside.display().to_string()).into_owned());
            }
            !usual
        })
        .build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => match error.io_error() {
                Some(io) if io.kind() == std::io::ErrorKind::NotFound => continue,
                _ => return Err(unreadable(root, &error)),
            },
        };
        let Ok(inside) = entry.path().strip_prefix(root) else {
            continue;
        };
        if inside.as_os_str().is_empty() || skip(inside) {
            continue;
        }
        sender.path(root, inside, inside)?;
        if with_git && is_repository(&entry) {
            git::write_nested(sender, entry.path(), inside, 1, skip)?;
        }
    }
    let bare = std::mem::take(&mut *bare.lock().unwrap_or_else(PoisonError::into_inner));
    if !bare.is_empty() {
        sender.warn(format!(
            "left out {}: a bare repository, with its configuration and hooks",
            some(&bare)
        ));
    }
    let left_out = std::mem::take(&mut *left_out.lock().unwrap_or_else(PoisonError::into_inner));
    if !left_out.is_empty() {
        sender.report.notes.push(format!(
            "left out {} (there is no .gitignore and no .agentboxignore)",
            some(&left_out)
        ));
    }
    Ok(())
}

/// Whether a directory is laid out as git has it, without a work tree around it.
fn is_bare_repository(entry: &DirEntry) -> bool {
    let path = entry.path();
    entry.file_type().is_some_and(|kind| kind.is_dir())
        && path.join("HEAD").is_file()
        && path.join("objects").is_dir()
        && path.join("refs").is_dir()
}

fn is_repository(entry: &DirEntry) -> bool {
    entry.file_type().is_some_and(|kind| kind.is_dir())
        && entry.path().join(".git").symlink_metadata().is_ok()
}

/// Whether the directory that holds an entry, below `root`, is a repository. The walk never gets deeper into one.
fn in_repository(root: &Path, entry: &DirEntry) -> bool {
    entry
        .path()
        .parent()
        .is_some_and(|parent| parent != root && parent.join(".git").symlink_metadata().is_ok())
}

fn is_usual(entry: &DirEntry) -> bool {
    if !entry.file_type().is_some_and(|kind| kind.is_dir()) || entry.depth() == 0 {
        return false;
    }
    let name = entry.file_name();
    let parent = entry.path().parent().and_then(Path::file_name);
    USUAL.iter().any(|usual| name == *usual)
        || (name == USUAL_NESTED.1 && parent.is_some_and(|parent| parent == USUAL_NESTED.0))
}

/// Up to five names, and how many more there are.
fn some(names: &[String]) -> String {
    let shown = names
        .iter()
        .take(5)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(5) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn unreadable(root: &Path, error: &ignore::Error) -> Failure {
    match error.io_error() {
        Some(io) => {
            let mut failure = cannot_read(root, io);
            // The walk's own text names the path.
            failure.message = format!(
                "cannot read the project: {}",
                crate::ui::one_line(&error.to_string())
            );
            failure.causes.clear();
            failure
        }
        None => Failure::failed("cannot read the project").because(error),
    }
}
