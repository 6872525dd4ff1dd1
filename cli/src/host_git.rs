//! Git on this machine, run for what it says and never for what it would do: no hooks, no monitor, no prompt, no lock.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use agentbox_ctl::failure::Failure;

/// Settings that keep git from running anything of the repository's on its own account.
const QUIET: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "submodule.recurse=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.addEmbeddedRepo=false",
];
/// What a caller's environment could point elsewhere.
const FOREIGN: [&str; 9] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_LITERAL_PATHSPECS",
];
/// Lines of git's stderr that become causes.
const SAID: usize = 5;

/// Git for one directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostGit {
    directory: PathBuf,
}

impl HostGit {
    /// For a work tree, or a directory in one.
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Whether this machine has a git at all.
    pub fn is_there() -> bool {
        Command::new("git")
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// A git that has not been started. Its stdin is empty.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.directory).arg("--no-pager");
        for setting in QUIET {
            command.args(["-c", setting]);
        }
        for variable in FOREIGN {
            command.env_remove(variable);
        }
        command
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("LC_ALL", "C")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// What git prints.
    ///
    /// # Errors
    /// A git that cannot be run or that fails, with what it said.
    pub fn output<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Vec<u8>, Failure> {
        let output = self.run(self.command(arguments))?;
        if output.status.success() {
            Ok(output.stdout)
        } else {
            Err(self.failed(&output.stderr))
        }
    }

    /// What git prints, or `None` where it ends with 1: its way to say that there is no such thing.
    ///
    /// # Errors
    /// As [`Self::output`].
    pub fn lookup<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let output = self.run(self.command(arguments))?;
        match output.status.code() {
            Some(0) => Ok(Some(output.stdout)),
            Some(1) => Ok(None),
            _ => Err(self.failed(&output.stderr)),
        }
    }

    /// The failure for a git that ended badly.
    pub fn failed(&self, stderr: &[u8]) -> Failure {
        let failure = Failure::failed(format!("git fails in {}", self.directory.display()));
        let said = String::from_utf8_lossy(stderr);
        let failure = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .take(SAID)
            .fold(failure, |failure, line| failure.cause(crate::ui::one_line(line)));
        failure.hint(format!("git -C {} status", self.directory.display()))
    }

    /// The failure for a git that cannot be run.
    pub fn cannot_run(error: &io::Error) -> Failure {
        Failure::failed("cannot run git")
            .because(error)
            .hint("install git, or see that it is in your PATH")
    }

    fn run(&self, mut command: Command) -> Result<Output, Failure> {
        command.output().map_err(|error| Self::cannot_run(&error))
    }
}
