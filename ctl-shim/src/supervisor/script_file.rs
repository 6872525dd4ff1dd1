//! The file that a setup script runs from.
//!
//! It may hold secrets, so it must be in no checkpoint and is not to lie around: it is in memory, where no checkpoint looks,
//! is readable for the box's user alone and goes when the script ends. What is mounted there executes nothing, in a
//! container; so the interpreter that the first line names is started by us, with the file as its argument. It has the name
//! of the task, which is what an interpreter's messages begin with.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::Options;
use crate::paths;
use crate::process::users::Credentials;

/// A file system in memory that every container has.
const MEMORY: &str = "/dev/shm";

/// The directory of a supervisor. There may be others that are started by hand.
fn directory(options: &Options) -> PathBuf {
    let name = if options.state_directory == Path::new(paths::STATE) {
        "agentbox".to_owned()
    } else {
        let path = options.state_directory.as_os_str().as_encoded_bytes();
        format!("agentbox-{}", super::run_once::digest(path))
    };
    Path::new(MEMORY).join(name)
}

/// Where the script of a task lies while it runs.
pub(super) fn path(options: &Options, task: &str) -> PathBuf {
    directory(options).join(task)
}

/// Removes what a former life of the supervisor has left, or whatever else is there.
pub(super) fn clear(options: &Options) {
    let directory = directory(options);
    // Making the first file fails where this did.
    if fs::remove_dir_all(&directory).is_err() {
        let _ = fs::remove_file(&directory);
    }
}

/// Writes the script of a task for somebody to read.
///
/// # Errors
/// Why it cannot be.
pub(super) fn write(
    options: &Options,
    task: &str,
    content: &str,
    reader: &Credentials,
) -> Result<(), String> {
    let write = || -> io::Result<()> {
        if fs::metadata(MEMORY)?.dev() == fs::metadata("/")?.dev() {
            return Err(io::Error::other(format!("nothing is mounted at {MEMORY}")));
        }
        let directory = directory(options);
        match fs::DirBuilder::new().mode(0o711).create(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // Anybody may make one of that name.
        let found = directory.symlink_metadata()?;
        if !found.is_dir() || found.uid() != nix::unistd::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err(io::Error::other(format!(
                "{} is somebody else's",
                directory.display()
            )));
        }
        remove(options, task);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o400)
            .open(path(options, task))?;
        if nix::unistd::geteuid().is_root() {
            fchown(&file, Some(reader.uid), Some(reader.gid))?;
        }
        file.write_all(with_line_ends(content).as_bytes())
    };
    write().map_err(|error| {
        remove(options, task);
        format!("cannot write the script: {error}")
    })
}

/// Removes the script of a task.
pub(super) fn remove(options: &Options, task: &str) {
    let _ = fs::remove_file(path(options, task));
}

/// A script as shells can read it: one that was written on Windows, where every line ends in two bytes, and some editors
/// begin with a mark.
fn with_line_ends(content: &str) -> String {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let breaks = content.matches('\n').count();
    if breaks > 0 && breaks == content.matches("\r\n").count() {
        return content.replace("\r\n", "\n");
    }
    content.to_owned()
}

/// The interpreter that the first line of a script names, and its argument: one, blanks included, as the kernel has it.
pub(super) fn interpreter(content: &str) -> Option<Vec<String>> {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    let line = content.lines().next()?.strip_prefix("#!")?.trim();
    let (program, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = argument.trim();
    let words = [program, argument].into_iter().filter(|word| !word.is_empty());
    (!program.is_empty()).then(|| words.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        let words = |content: &str| interpreter(content).unwrap_or_default().join("|");
        assert_eq!(words("#!/bin/bash\nx"), "/bin/bash");
        assert_eq!(
            words("#! /usr/bin/env  -S node --x \r\n"),
            "/usr/bin/env|-S node --x"
        );
        assert_eq!(words("\u{feff}#!/bin/sh -e"), "/bin/sh|-e");
        for none in ["", "x", "#!", "#!  \nx", " #!/bin/sh", "\n#!/bin/sh"] {
            assert_eq!(interpreter(none), None, "{none:?}");
        }
    }

    #[test]
    fn line_ends_of_windows_go_where_all_are() {
        assert_eq!(with_line_ends("a\r\nb\r\n"), "a\nb\n");
        assert_eq!(with_line_ends("\u{feff}a\r\nb"), "a\nb");
        assert_eq!(with_line_ends("a\r\nb\n"), "a\r\nb\n");
        assert_eq!(with_line_ends("a\rb"), "a\rb");
    }

    #[test]
    fn a_file_is_for_its_reader_and_what_others_put_there_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            state_directory: root.path().to_owned(),
            ..Options::default()
        };
        let who = nix::unistd::geteuid().to_string();
        let reader = crate::process::users::lookup(&who, Path::new("/")).unwrap();
        let path = path(&options, "setup-a");
        write(&options, "setup-a", "one", &reader).unwrap();
        write(&options, "setup-a", "two", &reader).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o400);
        remove(&options, "setup-a");
        assert!(!path.exists());
        clear(&options);

        let directory = directory(&options);
        std::os::unix::fs::symlink(root.path(), &directory).unwrap();
        let refused = write(&options, "setup-a", "one", &reader).unwrap_err();
        assert!(refused.contains("somebody else's"), "{refused}");
        assert!(!root.path().join("setup-a").exists());
        clear(&options);
        assert!(directory.symlink_metadata().is_err() && root.path().exists());
    }
}
