//! Git for the repositories that tests make, in an environment of their own.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{PATIENCE, run};
use crate::project::Project;

/// Runs git in the project's directory and gives what it printed.
///
/// # Panics
/// Where it fails.
#[track_caller]
pub fn git<S: AsRef<OsStr>>(project: &Project, arguments: &[S]) -> String {
    git_in(project, project.directory(), arguments)
}

/// Runs git in a directory and gives what it printed.
///
/// # Panics
/// Where it fails.
#[track_caller]
pub fn git_in<S: AsRef<OsStr>>(project: &Project, directory: &Path, arguments: &[S]) -> String {
    let mut command = Command::new("git");
    project.hermetic(&mut command);
    command.current_dir(directory).args(arguments);
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Tester")
            .env(format!("GIT_{role}_EMAIL"), "tester@example.org");
    }
    run(command, PATIENCE).ok().stdout
}

/// Makes the project's directory a repository with everything in it committed.
///
/// # Panics
/// Where git fails.
#[track_caller]
pub fn commit_all(project: &Project) {
    if !project.directory().join(".git").exists() {
        git(project, &["init", "--quiet", "--initial-branch=main", "."]);
    }
    git(project, &["add", "--all"]);
    git(
        project,
        &["commit", "--quiet", "--allow-empty", "--message", "a commit"],
    );
}

/// Everything below a directory, as `kind mode path content`, for comparing a before with an after.
///
/// # Panics
/// Where something cannot be read.
#[track_caller]
pub fn listing(directory: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    collect(directory, directory, &mut lines);
    lines.sort();
    lines
}

fn collect(root: &Path, directory: &Path, lines: &mut Vec<String>) {
    for entry in fs::read_dir(directory)
        .expect("a directory can be read")
        .flatten()
    {
        let path = entry.path();
        let metadata = path.symlink_metadata().expect("an entry can be looked at");
        let content = if metadata.is_symlink() {
            format!("{:?}", fs::read_link(&path).expect("a link can be read"))
        } else if metadata.is_file() {
            format!("{}", fs::read(&path).expect("a file can be read").escape_ascii())
        } else {
            String::new()
        };
        let inside = path.strip_prefix(root).expect("the walk goes downwards");
        lines.push(format!(
            "{inside:?} {:?} {:?} {content}",
            metadata.file_type(),
            std::os::unix::fs::PermissionsExt::mode(&metadata.permissions())
        ));
        if metadata.is_dir() {
            collect(root, &path, lines);
        }
    }
}
