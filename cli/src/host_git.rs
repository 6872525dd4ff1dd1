//! Git on the host, run in one way: with the user's git and settings, and without anything that runs by itself.
//!
//! What a box has written never becomes configuration here: the repository is the project's, and what comes from a box
//! is objects and names, each looked at before it is used.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};
use std::thread;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work;

/// Git for the repository of one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGit {
    directory: PathBuf,
}

impl HostGit {
    /// Git for the repository that `directory` lies in, or for none where it lies in none.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The directory that git runs in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A command, not yet started: no hooks, no file system monitor, no optional locks, no prompt, no pager, nothing
    /// fetched in passing, and not led elsewhere by `GIT_DIR` and its like.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = work::git(&self.directory);
        command.args(arguments);
        command
    }

    /// Runs a command to its end; what it wrote to stdout.
    ///
    /// # Errors
    /// A git that is not there, or fails: with what it said.
    pub fn read<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Vec<u8>, Failure> {
        work::read(self.command(arguments))
    }

    /// As [`Self::read`], as text without the line end.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn text<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<String, Failure> {
        let bytes = self.read(arguments)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// What git prints, or `None` where it ends with 1: its way to say that there is no such thing.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn lookup<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut command = self.command(arguments);
        let output = command.output().map_err(|error| work::cannot_run(&error))?;
        match output.status.code() {
            Some(0) => Ok(Some(output.stdout)),
            Some(1) => Ok(None),
            _ => Err(work::failed(&command, &output)),
        }
    }

    /// Runs a command of [`Self::command`]'s with `input` on its stdin, and hands its stdout to `take` as it comes. Memory
    /// stays constant whatever the size.
    ///
    /// # Errors
    /// Those of `take`, which end the command; a git that cannot be run or fails, with what it said.
    pub fn stream<T>(
        &self,
        mut command: Command,
        input: Vec<u8>,
        take: impl FnOnce(&mut ChildStdout) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| work::cannot_run(&error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        // A thread, since either pipe may be full while the other is waited for. A git that does not read to the end has
        // a reason, which it tells.
        let feeding = thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let taken = match stdout {
            Some(mut stdout) => take(&mut stdout),
            None => Err(Failure::failed("git has no stdout")),
        };
        if taken.is_err() {
            // Nobody reads any more what it would write.
            let _ = child.kill();
        }
        let ended = child
            .wait_with_output()
            .map_err(|error| work::cannot_run(&error))?;
        let _ = feeding.join();
        let taken = taken?;
        if ended.status.success() {
            Ok(taken)
        } else {
            Err(work::failed(&command, &ended))
        }
    }

    /// Runs a command that answers by its exit code; `false` where git cannot be run, too.
    pub fn agrees<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> bool {
        self.command(arguments)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// Whether the directory exists and lies in a repository.
    pub fn is_repository(&self) -> bool {
        self.directory.is_dir() && self.agrees(["rev-parse", "--git-dir"])
    }

    /// The repository's directory: `.git`, or for a further work tree the one that all share.
    ///
    /// # Errors
    /// No repository.
    pub fn common_directory(&self) -> Result<PathBuf, Failure> {
        let path = self.text(["rev-parse", "--git-common-dir"])?;
        // Relative to where git ran.
        Ok(self.directory.join(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_told_from_a_plain_directory() {
        let directory = tempfile::tempdir().unwrap();
        let git = HostGit::new(directory.path());
        assert!(!git.is_repository());
        let failure = git.text(["rev-parse", "--git-dir"]).unwrap_err();
        assert_eq!(failure.message, "git rev-parse failed");
        git.read(["init", "-q"]).unwrap();
        assert!(git.is_repository());
        assert_eq!(git.common_directory().unwrap(), directory.path().join(".git"));
        assert!(!HostGit::new("/nonexistent").is_repository());
    }
}
