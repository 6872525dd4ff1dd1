//! Running git so that nothing of a repository's configuration is run by it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::failure::Failure;

/// Variables that lead git to another repository, or make it run something. A hook, an alias or a shell may have
/// left them in our environment.
const FOREIGN: [&str; 16] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_ATTR_SOURCE",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_CONFIG",
    "GIT_EXEC_PATH",
    "GIT_LITERAL_PATHSPECS",
];
/// Lines of git's complaint that become causes.
const COMPLAINTS: usize = 4;

/// `git` of the search path, for the repository of `directory`: without hooks, without a file system monitor, without
/// optional locks, so that looking leaves no trace, and without prompts. Filters are for [`quiet`].
pub fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_LAZY_FETCH", "1")
        // History as it was written: neither replacements nor grafts go along with objects.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_GRAFT_FILE", "/dev/null")
        .stdin(Stdio::null())
        .arg("-C")
        .arg(directory);
    for setting in [
        "core.hooksPath=/dev/null",
        "core.fsmonitor=false",
        "gc.auto=0",
        "maintenance.auto=false",
        "advice.addEmbeddedRepo=false",
        "advice.graftFileDeprecated=false",
    ] {
        command.arg("-c").arg(setting);
    }
    command.arg("--no-pager");
    command
}

/// As [`git`], and no filter that the repository or the user has configured runs either: contents are as they lie on
/// the disk.
///
/// # Errors
/// A git that cannot be run.
pub fn quiet(directory: &Path) -> Result<Command, Failure> {
    let mut listing = git(directory);
    listing.args(["config", "--name-only", "-z", "--get-regexp", r"^filter\."]);
    // It fails where there is none, and outside of a repository without any configuration.
    let listed = listing.output().map_err(|error| cannot_run(&error))?.stdout;
    let drivers = listed.split(|byte| *byte == 0).filter_map(|key| {
        let end = key.iter().rposition(|byte| *byte == b'.')?;
        key.get("filter.".len()..end)
    });
    let mut command = git(directory);
    // By variables, since a name may hold what `-c` takes for its own.
    let known = std::env::var("GIT_CONFIG_COUNT")
        .ok()
        .and_then(|count| count.parse::<usize>().ok())
        .unwrap_or(0);
    let mut count = known;
    for driver in drivers {
        for (key, value) in [("clean", ""), ("process", ""), ("required", "false")] {
            let name = [b"filter.", driver, b".", key.as_bytes()].concat();
            command
                .env(format!("GIT_CONFIG_KEY_{count}"), os(&name))
                .env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
    }
    if count > known {
        command.env("GIT_CONFIG_COUNT", count.to_string());
    }
    Ok(command)
}

/// Whether there is a git to run.
pub fn is_installed() -> bool {
    let mut command = Command::new("git");
    command.arg("--version").stdin(Stdio::null());
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs a command of [`git`]'s to its end and gives what it wrote.
///
/// # Errors
/// A git that cannot be run or fails, with what it said.
pub fn read(mut command: Command) -> Result<Vec<u8>, Failure> {
    let output = command.output().map_err(|error| cannot_run(&error))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(failed(&command, &output))
}

/// How many of these paths, relative to the work tree of `command`, a prepared [`git`], are ignored there; `None` where
/// git does not say.
pub fn ignored(mut command: Command, paths: &[Vec<u8>]) -> Option<usize> {
    command
        .args(["check-ignore", "-z", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            // A git that has stopped reading fails.
            stdin.map(|mut stdin| {
                // One that begins with a colon would be more than a path.
                let paths = paths.iter().flat_map(|path| [b"./", path.as_slice(), b"\0"]);
                stdin.write_all(&paths.collect::<Vec<_>>().concat())
            })
        });
        child.wait_with_output()
    });
    let output = output.ok()?;
    // One is for none of them.
    let has_said = matches!(output.status.code(), Some(0 | 1));
    has_said.then(|| output.stdout.iter().filter(|byte| **byte == 0).count())
}

/// The commit of a name, where there is one.
pub(super) fn commit(directory: &Path, name: &str) -> Option<String> {
    line(
        directory,
        &["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")],
    )
}

/// The output of a command that prints one line; `None` where it fails or prints nothing.
pub(super) fn line(directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = git(directory);
    command.args(arguments);
    let text = String::from_utf8_lossy(&read(command).ok()?).trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// The failure of a git that ended badly: `command` is one of [`git`]'s.
pub fn failed(command: &Command, output: &Output) -> Failure {
    let mut arguments = command
        .get_args()
        .skip_while(|argument| *argument != "--no-pager");
    arguments.next();
    let mut verb = arguments.next();
    while verb == Some(OsStr::new("-c")) {
        verb = arguments.nth(1);
    }
    let verb = verb.unwrap_or_default();
    let failure = Failure::failed(format!("git {} failed", verb.to_string_lossy()));
    String::from_utf8_lossy(&output.stderr)
        .lines()
        .filter(|line| !line.is_empty())
        .take(COMPLAINTS)
        .fold(failure, Failure::cause)
}

/// The failure for a git that is not there or cannot be executed.
pub fn cannot_run(error: &std::io::Error) -> Failure {
    Failure::failed("cannot run git")
        .because(error)
        .hint("install git")
}

/// Bytes as the system has names.
pub(super) fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_git_ignores_counts_as_ignored() {
        let directory = tempfile::tempdir().unwrap();
        let here = |arguments: &[&str]| {
            let mut command = git(directory.path());
            command.args(arguments);
            command
        };
        read(here(&["init", "--quiet"])).unwrap();
        std::fs::write(directory.path().join(".gitignore"), "*.o\nbuild/\n").unwrap();
        std::fs::create_dir(directory.path().join("build")).unwrap();
        let count = |paths: &[&str]| {
            let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
            ignored(here(&[]), &paths)
        };
        assert_eq!(count(&["a.o", "build", "b/c.o"]), Some(3));
        assert_eq!(count(&["a.o", "own", ":(top)own", "with\nline"]), Some(1));
        assert_eq!(count(&["own"]), Some(0));
        assert_eq!(count(&["../elsewhere"]), None);
        let many: Vec<Vec<u8>> = (0..20_000).map(|number| format!("{number}.o").into()).collect();
        assert_eq!(ignored(here(&[]), &many), Some(20_000));
    }
}
