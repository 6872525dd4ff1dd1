//! Looking at the repository of a box, from inside.

use std::fs;
use std::path::{Path, PathBuf};

use super::git::{commit, git, is_installed, line, os, read};
use super::report::{BASE, REFERENCES, Reference, Report, SEED_RECORD, Uncommitted};
use super::uncommitted::{changed_paths, is_same, uncommitted};
use crate::failure::Failure;

/// Largest record of what a box was made with that is read, in bytes.
const RECORD_LIMIT: u64 = 256 << 20;
/// Most names of changed repositories inside that are told.
const NESTED: usize = 20;

/// Looks at the repository whose top level is `directory`.
///
/// # Errors
/// A repository that git cannot read.
pub fn inspect(directory: &Path) -> Result<Report, Failure> {
    let mut report = Report {
        git: is_installed(),
        ..Report::default()
    };
    // One further up is another project's.
    if !report.git || directory.join(".git").symlink_metadata().is_err() {
        return Ok(report);
    }
    report.head = commit(directory, "HEAD");
    report.base = commit(directory, BASE);
    report.shallow = git_path(directory, "shallow").is_ok_and(|path| path.exists());
    report.branch = line(directory, &["symbolic-ref", "--quiet", "HEAD"]);
    let mut listing = git(directory);
    listing.args([
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        &format!("--count={}", REFERENCES + 1),
        "refs/heads",
        "refs/tags",
    ]);
    report.references = String::from_utf8_lossy(&read(listing)?)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, name)| Reference {
            name: name.to_owned(),
            id: id.to_owned(),
        })
        .collect();
    let mut stash = git(directory);
    stash.args([
        "rev-list",
        "--walk-reflogs",
        "--ignore-missing",
        "refs/stash",
        "--",
    ]);
    // There is none, most of the time.
    let stash = stash.output().map(|output| output.stdout).unwrap_or_default();
    let own = String::from_utf8_lossy(&stash)
        .lines()
        .enumerate()
        .map(|(number, id)| (format!("stash/{number}"), id.to_owned()))
        .chain(
            report
                .head
                .iter()
                .filter(|_| report.branch.is_none())
                .map(|head| ("head".to_owned(), head.clone())),
        )
        .map(|(name, id)| Reference {
            name: format!("refs/agentbox/{name}"),
            id,
        })
        .collect::<Vec<_>>();
    report.references.extend(own);
    work_trees(directory, &mut report);
    report.more = report.references.len() > REFERENCES;
    report.references.truncate(REFERENCES);
    report.repository = true;

    let changed = changed_paths(directory)?;
    report.changes = changed.len();
    report.uncommitted = if changed.is_empty() {
        Uncommitted::Nothing
    } else if seed_record(directory)
        .is_some_and(|seed| uncommitted(directory).is_ok_and(|record| is_same(&record, &seed)))
    {
        Uncommitted::Seeded
    } else {
        Uncommitted::New
    };
    let moved = moved_submodules(directory, &report);
    report.nested.extend(moved);
    if report.uncommitted == Uncommitted::New {
        for path in changed {
            if !fits_a_bundle(&directory.join(os(&path))) {
                report.nested.push(String::from_utf8_lossy(&path).into_owned());
            }
        }
    }
    report.nested.truncate(NESTED);
    Ok(report)
}

/// Whether git can put what lies at a path into a commit: no repository, nothing that cannot be read.
fn fits_a_bundle(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => fs::File::open(path).is_ok(),
        Ok(metadata) if metadata.is_dir() => path.join(".git").symlink_metadata().is_err(),
        _ => true,
    }
}

/// Further work trees of the repository: a HEAD on no branch is a reference of its own, and what is not committed is as
/// in a repository inside, ignored by git or not.
fn work_trees(directory: &Path, report: &mut Report) {
    let mut command = git(directory);
    command.args(["worktree", "list", "--porcelain"]);
    let listed = read(command).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    // The first is this one.
    for (number, tree) in listed.split("\n\n").skip(1).enumerate() {
        let value = |key: &str| tree.lines().find_map(|line| line.strip_prefix(key));
        let Some(path) = value("worktree ") else { continue };
        if let (Some(id), Some(_)) = (value("HEAD "), value("detached")) {
            report.references.push(Reference {
                name: format!("refs/agentbox/worktree/{number}"),
                id: id.to_owned(),
            });
        }
        let path = Path::new(path);
        if path.starts_with(directory) && changed_paths(path).is_ok_and(|changed| !changed.is_empty()) {
            report.nested.push(path.to_string_lossy().into_owned());
        }
    }
}

/// Submodules that are committed at another commit than where the box began: that commit may be only here.
fn moved_submodules(directory: &Path, report: &Report) -> Vec<String> {
    let (Some(base), Some(head)) = (&report.base, &report.head) else {
        return Vec::new();
    };
    let mut command = git(directory);
    command.args(["diff-tree", "-r", "--raw", "--no-renames", base, head]);
    let listed = read(command).unwrap_or_default();
    String::from_utf8_lossy(&listed)
        .lines()
        .filter(|line| line.get(8..14) == Some("160000"))
        .filter_map(|line| line.split_once('\t'))
        .map(|(_, path)| path.to_owned())
        .collect()
}

/// The record of what the box was made with.
pub(super) fn seed_record(directory: &Path) -> Option<Vec<u8>> {
    let path = git_path(directory, SEED_RECORD).ok()?;
    let metadata = fs::symlink_metadata(&path).ok()?;
    if !metadata.is_file() || metadata.len() > RECORD_LIMIT {
        return None;
    }
    fs::read(path).ok()
}

/// A path inside the repository's directory, wherever that is.
pub(super) fn git_path(directory: &Path, name: &str) -> Result<PathBuf, Failure> {
    let mut command = git(directory);
    command.args(["rev-parse", "--git-path", name]);
    let path = read(command)?;
    Ok(directory.join(os(path.strip_suffix(b"\n").unwrap_or(&path))))
}
