//! A repository beside the box's, that borrows its objects: what is made here leaves the box's own as it is.
//!
//! ```text
//! /workspace/.git/objects ◄── alternates ── scratch: index, new objects, references ─► diff, bundle
//! /workspace ──────────── work tree ──────►
//! ```

use std::fs::{self, DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::common::Common;
use super::git::{cannot_run, commit, failed, git, line, os, read};
use super::inspect::{git_path, seed_record};
use super::report::{BASE, Report, Uncommitted};
use super::uncommitted::{HEAD_LINE, changed_paths, uncommitted};
use crate::failure::Failure;
use crate::time::Timestamp;

/// Who commits what nobody has committed.
const COMMITTER: &str = "agentbox";
/// Settings of the box's repository that say how a file becomes an object. None of them can run anything.
const CONVERSIONS: [&str; 5] = [
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
];

struct Scratch {
    directory: PathBuf,
    workspace: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays lies in a directory for what may go.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Scratch {
    fn new(workspace: &Path) -> Result<Self, Failure> {
        let unique = format!(
            "agentbox-work-{}-{}",
            std::process::id(),
            Timestamp::now().as_millis()
        );
        let directory = std::env::temp_dir().join(unique);
        let cannot = |error: std::io::Error| {
            Failure::failed(format!("cannot write to {}", directory.display())).because(&error)
        };
        DirBuilder::new().mode(0o700).create(&directory).map_err(cannot)?;
        let scratch = Self {
            directory: directory.clone(),
            workspace: workspace.to_owned(),
        };
        let mut format = git(workspace);
        format.args(["rev-parse", "--show-object-format"]);
        let format = read(format)?;
        let mut init = git(&directory);
        init.args(["init", "--quiet", "--template=", "--object-format"]);
        init.arg(os(format.trim_ascii_end()))
            .env("GIT_DEFAULT_REF_FORMAT", "files");
        read(init)?;
        let objects = git_path(workspace, "objects")?.canonicalize().map_err(cannot)?;
        let own = directory.join(".git");
        let alternate = [objects.as_os_str().as_encoded_bytes(), b"\n"].concat();
        fs::write(own.join("objects/info/alternates"), alternate).map_err(cannot)?;
        // Where a history is cut off, it is cut off here too; and attributes that no commit has count.
        for name in ["shallow", "info/attributes"] {
            if let Ok(content) = fs::read(git_path(workspace, name)?) {
                let path = own.join(name);
                path.parent()
                    .map_or(Ok(()), fs::create_dir_all)
                    .and_then(|()| fs::write(path, content))
                    .map_err(cannot)?;
            }
        }
        for key in CONVERSIONS {
            if let Some(value) = line(workspace, &["config", "--get", key]) {
                let mut set = git(&directory);
                set.args(["config", key, &value]);
                read(set)?;
            }
        }
        Ok(scratch)
    }

    /// Git for this repository with the box's work tree, without any configuration but its own.
    fn git(&self) -> Command {
        let mut command = git(&self.workspace);
        command
            .env("GIT_DIR", self.directory.join(".git"))
            .env("GIT_WORK_TREE", &self.workspace)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_COUNT", "0")
            .args(["-c", "core.quotePath=false"]);
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), COMMITTER)
                .env(format!("GIT_{role}_EMAIL"), "agentbox@localhost");
        }
        command
    }

    /// Runs a command with an input; its output as one line.
    fn line(&self, arguments: &[&str], input: &[u8]) -> Result<String, Failure> {
        let mut command = self.git();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| cannot_run(&error))?;
        if let Some(mut stdin) = child.stdin.take() {
            // Commands that read names write nothing before their end. One that stops reading says why.
            let _ = stdin.write_all(input);
        }
        let output = child.wait_with_output().map_err(|error| cannot_run(&error))?;
        if !output.status.success() {
            return Err(failed(&command, &output));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Puts HEAD and everything that is not committed into the index, but for `passed_over`.
    fn stage(&self, passed_over: impl Fn(&[u8]) -> bool) -> Result<(), Failure> {
        if let Some(head) = commit(&self.workspace, "HEAD") {
            self.line(&["read-tree", &head], b"")?;
        }
        let mut input = Vec::new();
        for path in changed_paths(&self.workspace)? {
            if !passed_over(&path) && self.can_stage(&path) {
                input.extend_from_slice(&path);
                input.push(0);
            }
        }
        let arguments = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
        self.line(&arguments, &input).map(drop)
    }

    /// Whether git can take a path: not a file that cannot be read, nor a repository before its first commit.
    fn can_stage(&self, path: &[u8]) -> bool {
        let full = self.workspace.join(os(path));
        let Ok(metadata) = fs::symlink_metadata(&full) else {
            return true;
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            full.join(".git").symlink_metadata().is_err() || commit(&full, "HEAD").is_some()
        } else {
            kind.is_symlink() || (kind.is_file() && File::open(&full).is_ok())
        }
    }

    /// Commits what is not committed, in the shape of a stash entry: `git stash apply` takes it.
    fn commit(&self, name: &str) -> Result<String, Failure> {
        self.stage(|_| false)?;
        let tree = self.line(&["write-tree"], b"")?;
        let message = format!("Uncommitted work of box {name}\n");
        let Some(head) = commit(&self.workspace, "HEAD") else {
            return self.line(&["commit-tree", &tree], message.as_bytes());
        };
        // What was staged is a parent of its own, where the index can be read here.
        let index = fs::read(git_path(&self.workspace, "index")?)
            .and_then(|index| fs::write(self.directory.join(".git/index"), index))
            .ok()
            .and_then(|()| self.line(&["write-tree"], b"").ok())
            .unwrap_or_else(|| tree.clone());
        let index_message = format!("Index of box {name}\n");
        let index = self.line(&["commit-tree", &index, "-p", &head], index_message.as_bytes())?;
        let arguments = ["commit-tree", &tree, "-p", &head, "-p", &index];
        self.line(&arguments, message.as_bytes())
    }
}

/// Writes to stdout how the work tree differs from where the box began, as `git diff` with `flags` has it. What is not
/// committed and was so when the box was made is no difference.
///
/// # Errors
/// A repository that git cannot read, a temporary directory that cannot be written.
pub fn diff(workspace: &Path, flags: &[&str]) -> Result<(), Failure> {
    let scratch = Scratch::new(workspace)?;
    let seed = seed_record(workspace).unwrap_or_default();
    let now = if seed.is_empty() || seed == HEAD_LINE {
        Vec::new()
    } else {
        uncommitted(workspace)?
    };
    let seeded = Common::of(&now, &seed);
    scratch.stage(|path| seeded.has(path))?;
    let base = match commit(workspace, BASE) {
        Some(base) => base,
        // The empty tree.
        None => scratch.line(&["hash-object", "-t", "tree", "-w", "--stdin"], b"")?,
    };
    let mut command = scratch.git();
    command
        .args(["diff", "--cached", "--no-color", "--no-ext-diff", "--no-textconv"])
        .args(["--ignore-submodules=none", "--submodule=short"])
        .args(flags)
        .arg(base)
        .arg("--")
        .stdout(Stdio::inherit());
    read(command).map(drop)
}

/// Writes a bundle to stdout: all references of `report`, and what is not committed where that is new, on
/// `refs/agentbox/uncommitted/<name>`; without what is reachable from the commits in `known`.
///
/// # Errors
/// As [`diff`], and a bundle that would hold nothing.
pub fn bundle(workspace: &Path, name: &str, known: &[&str], report: &Report) -> Result<(), Failure> {
    let scratch = Scratch::new(workspace)?;
    // In one file: thousands of references in a file each take a minute.
    let mut references = String::new();
    for reference in &report.references {
        references.push_str(&format!("{} {}\n", reference.id, reference.name));
    }
    if report.uncommitted == Uncommitted::New {
        let id = scratch.commit(name)?;
        references.push_str(&format!("{id} refs/agentbox/uncommitted/{name}\n"));
    }
    let packed = scratch.directory.join(".git/packed-refs");
    fs::write(&packed, references)
        .map_err(|error| Failure::failed(format!("cannot write {}", packed.display())).because(&error))?;
    match &report.branch {
        Some(branch) => scratch.line(&["symbolic-ref", "HEAD", branch], b"")?,
        None => String::new(),
    };
    let mut command = scratch.git();
    command
        .args(["bundle", "create", "--quiet", "-", "--all"])
        .args(known.first().map(|_| "--not"))
        .args(known)
        .stdout(Stdio::inherit());
    read(command).map(drop)
}
