//! Git repositories of tests: a project's on the host, and what lies in it bit for bit.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine;
use crate::process::{Output, PATIENCE, run};
use crate::project::Project;
use crate::test_box::TestBox;

/// A file as it lies on the disk: kind and mode, then its content or a link's target.
pub type Content = (u32, Vec<u8>);

/// Runs git in a directory, with nothing of the machine's configuration.
///
/// # Panics
/// Where it fails.
#[track_caller]
pub fn git(directory: &Path, arguments: &[&str]) -> String {
    try_git(directory, arguments).ok().stdout.trim().to_owned()
}

/// As [`git`], whatever comes of it.
#[track_caller]
pub fn try_git(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(["-c", "user.name=Tester", "-c", "user.email=tester@example.org"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments);
    run(command, PATIENCE)
}

/// A project with a repository: one commit, something staged, something changed, something new, something stashed.
///
/// # Panics
/// As [`Project::empty`].
#[track_caller]
pub fn project(yaml: &str) -> Project {
    let project = Project::new(yaml);
    let directory = project.directory();
    git(directory, &["init", "-q"]);
    for name in ["kept", "staged", "changed", "stashed"] {
        project.file(name, format!("{name}\n"));
    }
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "-m", "first"]);
    project.file("stashed", "for later\n");
    git(directory, &["stash", "push", "-q"]);
    project.file("staged", "staged\nmore\n");
    git(directory, &["add", "staged"]);
    project.file("changed", "changed\nmore\n");
    project.file("new", "new\n");
    project
}

/// Makes a box of a [`project`], with its repository: one that `create` gives it, or else the same by hand.
///
/// # Panics
/// Where either fails.
#[track_caller]
pub fn create<'project>(project: &'project Project, arguments: &[&str]) -> TestBox<'project> {
    let test_box = project.create(arguments);
    let name = test_box.name().to_owned();
    let has = test_box.docker_exec("test -d /workspace/.git");
    if has.code != 0 {
        let directory = project.directory();
        let bundle = directory
            .parent()
            .expect("a project lies in a directory")
            .join("seed.bundle");
        let path = bundle.to_string_lossy().into_owned();
        git(directory, &["bundle", "create", "-q", &path, "HEAD"]);
        let record = agentbox_ctl::work::uncommitted(directory).expect("the project can be read");
        fs::write(directory.parent().expect("as above").join("record"), record).expect("it can be written");
        let container = test_box.container();
        engine::docker(&["cp", &path, &format!("{container}:/tmp/seed.bundle")]).ok();
        let record = path.replace("seed.bundle", "record");
        engine::docker(&["cp", &record, &format!("{container}:/tmp/record")]).ok();
        test_box
            .docker_exec("chmod 644 /tmp/seed.bundle /tmp/record")
            .ok();
        test_box
            .exec(&format!(
                "git init -q -b agentbox/{name} . && git fetch -q /tmp/seed.bundle HEAD && git reset -q FETCH_HEAD && \
                 git update-ref refs/agentbox/base HEAD && cp /tmp/record .git/agentbox-seed"
            ))
            .ok();
    }
    test_box
        .exec("git config user.name Box && git config user.email box@example.org")
        .ok();
    test_box
}

/// Everything below a directory, by relative path; times do not count.
///
/// # Panics
/// Where something cannot be read.
pub fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Content> {
    let mut all = BTreeMap::new();
    collect(directory, directory, &mut all);
    all
}

fn collect(root: &Path, directory: &Path, all: &mut BTreeMap<PathBuf, Content>) {
    for entry in fs::read_dir(directory).expect("a directory can be read") {
        let path = entry.expect("a directory can be read").path();
        let metadata = fs::symlink_metadata(&path).expect("a file stays");
        let content = if metadata.is_dir() {
            collect(root, &path, all);
            Vec::new()
        } else if metadata.is_symlink() {
            fs::read_link(&path)
                .expect("a link can be read")
                .into_os_string()
                .into_encoded_bytes()
        } else {
            fs::read(&path).expect("a file can be read")
        };
        let inside = path
            .strip_prefix(root)
            .expect("a path lies in its root")
            .to_owned();
        all.insert(inside, (metadata.mode(), content));
    }
}

/// What of a [`snapshot`] of a project a box must never change: all but objects, and the references that are the box's.
pub fn untouchable(project: &Project, name: &str) -> BTreeMap<PathBuf, Content> {
    let own = [
        ".git/objects".to_owned(),
        ".git/refs/heads/agentbox".to_owned(),
        ".git/refs/agentbox".to_owned(),
        ".git/logs/refs/heads/agentbox".to_owned(),
        format!(".git/logs/refs/agentbox/{name}"),
    ];
    let mut all = snapshot(project.directory());
    all.retain(|path, _| !own.iter().any(|own| path.starts_with(own)));
    all
}

/// The references of a repository: name and id.
#[track_caller]
pub fn references(directory: &Path) -> BTreeMap<String, String> {
    git(directory, &["for-each-ref", "--format=%(refname) %(objectname)"])
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, id)| (name.to_owned(), id.to_owned()))
        .collect()
}

/// Files of saved work that a project's `agentbox` has written, unfinished ones included.
pub fn saved(project: &Project) -> Vec<PathBuf> {
    let directory = project.data_directory().join("agentbox/saved");
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}
