//! What differs from HEAD in a work tree, as one text: the same text means the same work.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::git::{cannot_run, commit, failed, git, os, quiet, read};
use crate::failure::Failure;

/// First line of a record; the record of a clean work tree has no other.
pub const HEAD_LINE: &[u8] = b"agentbox-uncommitted 1\n";
/// What is written for content that cannot be read: never the same as anything, since it may have changed.
pub(super) const UNREADABLE: &str = "\tunreadable";
/// How many files may vanish between `git status` and the reading of their content.
const VANISHING: usize = 50;
/// How deep repositories are looked for in repositories.
const DEPTH: usize = 4;

/// The uncommitted work in the repository whose top level is `directory`, as a record: for each path that differs
/// from HEAD what lies there, sorted by path.
///
/// ```text
/// agentbox-uncommitted 1
/// <path> TAB 100644 TAB <blob id>         100755 for an executable
/// <path> TAB 120000 TAB <target>          a link
/// <path> TAB 160000 TAB <commit id>       a repository or submodule; what is uncommitted in it has lines of its own
/// <path> TAB absent                       deleted; `directory` where one is in its place
/// ```
///
/// In names everything that is not plain ASCII is escaped. It tells nothing of the index: work that is staged, and
/// then changed again, counts as it lies on the disk.
///
/// # Errors
/// A directory that is no repository, a git that cannot be run or fails.
pub fn uncommitted(directory: &Path) -> Result<Vec<u8>, Failure> {
    let mut lines = Vec::new();
    collect(directory, b"", 0, &mut lines)?;
    lines.sort_unstable();
    let mut record = HEAD_LINE.to_vec();
    for line in lines {
        record.extend_from_slice(line.as_bytes());
        record.push(b'\n');
    }
    Ok(record)
}

/// Whether two records are of the same work. A record that holds something unreadable is the same as none.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let readable = !one
        .split(|byte| *byte == b'\n')
        .any(|line| line.ends_with(UNREADABLE.as_bytes()));
    readable && one.starts_with(HEAD_LINE) && one == other
}

/// The paths that differ from HEAD, relative to the top level, without those that git ignores. A repository inside
/// is one path.
///
/// # Errors
/// As [`uncommitted`].
pub fn changed_paths(directory: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let mut command = quiet(directory)?;
    command.args([
        "status",
        "--porcelain=v1",
        "-z",
        "--untracked-files=all",
        // Whatever `.gitmodules` asks for: what lies in a submodule is work as well.
        "--ignore-submodules=none",
        "--no-renames",
    ]);
    let listed = read(command)?;
    let paths = listed.split(|byte| *byte == 0).filter_map(|entry| {
        // Two letters and a space come first.
        let path = entry.get(3..)?;
        Some(path.strip_suffix(b"/").unwrap_or(path).to_vec())
    });
    Ok(paths.collect())
}

fn collect(directory: &Path, prefix: &[u8], depth: usize, lines: &mut Vec<String>) -> Result<(), Failure> {
    let mut files: Vec<(Vec<u8>, &'static str)> = Vec::new();
    for path in changed_paths(directory)? {
        let full = directory.join(os(&path));
        let content = match fs::symlink_metadata(&full) {
            Err(_) => "\tabsent".to_owned(),
            Ok(metadata) if metadata.is_file() => {
                // Git would stop at the first that it cannot read.
                if File::open(&full).is_ok() {
                    let executable = metadata.permissions().mode() & 0o100 != 0;
                    files.push((path, if executable { "\t100755\t" } else { "\t100644\t" }));
                    continue;
                }
                UNREADABLE.to_owned()
            }
            Ok(metadata) if metadata.is_symlink() => match fs::read_link(&full) {
                Ok(link) => format!("\t120000\t{}", link.as_os_str().as_bytes().escape_ascii()),
                Err(_) => UNREADABLE.to_owned(),
            },
            Ok(metadata) if !metadata.is_dir() => UNREADABLE.to_owned(),
            Ok(_) if full.join(".git").symlink_metadata().is_err() => "\tdirectory".to_owned(),
            Ok(_) => {
                let inner = [prefix, &path, b"/"].concat();
                if depth < DEPTH && collect(&full, &inner, depth + 1, lines).is_ok() {
                    format!("\t160000\t{}", head(&full))
                } else {
                    UNREADABLE.to_owned()
                }
            }
        };
        lines.push(line(prefix, &path, &content));
    }
    let mut vanished = 0;
    let mut rest = files.as_slice();
    while !rest.is_empty() {
        let (ids, failure) = hash(directory, rest)?;
        for ((path, mode), id) in rest.iter().zip(&ids) {
            lines.push(line(prefix, path, mode) + id);
        }
        rest = rest.get(ids.len()..).unwrap_or_default();
        // The first without an id is the one that git stumbled over.
        if let Some(((path, _), others)) = rest.split_first() {
            vanished += 1;
            if vanished > VANISHING {
                return Err(failure);
            }
            lines.push(line(prefix, path, UNREADABLE));
            rest = others;
        }
    }
    Ok(())
}

fn line(prefix: &[u8], path: &[u8], content: &str) -> String {
    format!("{}{}{content}", prefix.escape_ascii(), path.escape_ascii())
}

/// The commit that a repository is at; `-` before its first.
fn head(directory: &Path) -> String {
    commit(directory, "HEAD").unwrap_or_else(|| "-".to_owned())
}

/// Blob ids of files, in their order, up to the first that git cannot read; and git's complaint about that one.
fn hash(directory: &Path, files: &[(Vec<u8>, &'static str)]) -> Result<(Vec<String>, Failure), Failure> {
    let mut command = git(directory);
    command
        .args(["hash-object", "--no-filters", "--stdin-paths"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| cannot_run(&error))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            let Some(stdin) = stdin else { return };
            let mut stdin = std::io::BufWriter::new(stdin);
            for (path, _) in files {
                // A git that has stopped reading says why, and its answers end there.
                if stdin.write_all(&quoted(path)).is_err() {
                    return;
                }
            }
        });
        child.wait_with_output()
    })
    .map_err(|error| cannot_run(&error))?;
    let ids = String::from_utf8_lossy(&output.stdout)
        .lines()
        .take(files.len())
        .map(str::to_owned)
        .collect();
    Ok((ids, failed(&command, &output)))
}

/// A name as git unquotes it, in a line of its own.
fn quoted(path: &[u8]) -> Vec<u8> {
    let mut line = vec![b'"'];
    for byte in path {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'"' | b'\\' => line.extend_from_slice(&[b'\\', *byte]),
            byte => line.push(*byte),
        }
    }
    line.extend_from_slice(b"\"\n");
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn run(directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(directory)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", "/nonexistent")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@t",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn repository() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), &["init", "-q"]);
        for name in ["kept", "edited", "deleted", "staged", "tool"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        fs::write(directory.path().join(".gitignore"), "ignored\n").unwrap();
        run(directory.path(), &["add", "-A"]);
        run(directory.path(), &["commit", "-q", "-m", "first"]);
        directory
    }

    /// Every file below a directory, with its content and times.
    fn listing(directory: &Path) -> BTreeMap<std::path::PathBuf, (Vec<u8>, std::time::SystemTime)> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                all.extend(listing(&path));
            } else if let Ok(content) = fs::read(&path) {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                all.insert(path, (content, modified));
            }
        }
        all
    }

    fn record_of(directory: &Path) -> String {
        String::from_utf8(uncommitted(directory).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_change_is_there_once() {
        let repository = repository();
        let root = repository.path();
        assert_eq!(record_of(root).as_bytes(), HEAD_LINE);
        fs::write(root.join("edited"), "new").unwrap();
        fs::remove_file(root.join("deleted")).unwrap();
        fs::write(root.join("staged"), "once").unwrap();
        run(root, &["add", "staged"]);
        fs::write(root.join("staged"), "twice").unwrap();
        fs::set_permissions(root.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("some\twhere", root.join("link")).unwrap();
        fs::write(root.join("ignored"), "").unwrap();
        fs::create_dir(root.join("sub")).unwrap();
        fs::write(root.join("sub/a\nb \"c\\d"), "odd").unwrap();
        let blob = |name: &str| {
            run(root, &["hash-object", "--no-filters", name])
                .trim()
                .to_owned()
        };
        let expected = format!(
            "agentbox-uncommitted 1\n\
             deleted\tabsent\n\
             edited\t100644\t{}\n\
             link\t120000\tsome\\twhere\n\
             staged\t100644\t{}\n\
             sub/a\\nb \\\"c\\\\d\t100644\t{}\n\
             tool\t100755\t{}\n",
            blob("edited"),
            blob("staged"),
            blob("sub/a\nb \"c\\d"),
            blob("tool"),
        );
        assert_eq!(record_of(root), expected);
        assert!(is_same(expected.as_bytes(), &uncommitted(root).unwrap()));
        fs::write(root.join("sub/more"), "").unwrap();
        assert!(!is_same(expected.as_bytes(), &uncommitted(root).unwrap()));
    }

    #[test]
    fn looking_leaves_no_trace_and_runs_nothing() {
        let repository = repository();
        let root = repository.path();
        let canary = root.join(".git/canary");
        let touch = format!("touch {}", canary.display());
        run(root, &["config", "core.fsmonitor", &touch]);
        run(root, &["config", "filter.evil=x.clean", &touch]);
        run(root, &["config", "filter.evil=x.process", &touch]);
        run(root, &["config", "filter.evil=x.required", "true"]);
        for hook in ["post-index-change", "reference-transaction", "fsmonitor-watchman"] {
            let path = root.join(".git/hooks").join(hook);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(root.join(".gitattributes"), "* filter=evil=x\n").unwrap();
        // The same content with another time: git would like to refresh its index.
        fs::write(root.join("kept"), "kept").unwrap();
        fs::write(root.join("edited"), "changed").unwrap();
        let before = listing(root);
        let record = record_of(root);
        assert_eq!(listing(root), before);
        assert!(
            record.contains("\nedited\t") && !record.contains("\nkept\t"),
            "{record}"
        );
    }

    #[test]
    fn repositories_inside_count_with_what_is_in_them() {
        let repository = repository();
        let root = repository.path();
        let inner = root.join("inner");
        fs::create_dir(&inner).unwrap();
        run(&inner, &["init", "-q"]);
        fs::write(inner.join("file"), "1").unwrap();
        let unborn = record_of(root);
        assert!(
            unborn.contains("inner\t160000\t-\n") && unborn.contains("\ninner/file\t"),
            "{unborn}"
        );
        run(&inner, &["add", "-A"]);
        run(&inner, &["commit", "-q", "-m", "inner"]);
        let clean = record_of(root);
        let commit = run(&inner, &["rev-parse", "HEAD"]);
        assert!(
            clean.contains(&format!("inner\t160000\t{}\n", commit.trim())),
            "{clean}"
        );
        fs::write(inner.join("file"), "2").unwrap();
        assert!(record_of(root).contains("\ninner/file\t"));
        let source = root.to_str().unwrap().to_owned();
        let outer = tempfile::tempdir().unwrap();
        run(outer.path(), &["init", "-q"]);
        run(outer.path(), &["submodule", "--quiet", "add", &source, "module"]);
        run(outer.path(), &["commit", "-q", "-m", "with a submodule"]);
        assert_eq!(record_of(outer.path()).as_bytes(), HEAD_LINE);
        fs::write(outer.path().join("module/edited"), "2").unwrap();
        assert!(record_of(outer.path()).contains("\nmodule/edited\t"));
    }

    #[test]
    fn names_that_are_no_text_and_a_repository_without_commits() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), &["init", "-q"]);
        let name = std::ffi::OsString::from_vec(b"\xff\xfe".to_vec());
        fs::write(directory.path().join(name), "x").unwrap();
        let record = uncommitted(directory.path()).unwrap();
        assert!(
            String::from_utf8(record)
                .unwrap()
                .contains("\n\\xff\\xfe\t100644\t")
        );
        assert!(uncommitted(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_never_the_same() {
        let record = b"agentbox-uncommitted 1\nx\tunreadable\n";
        assert!(!is_same(record, record));
        assert!(!is_same(b"", b""));
        assert!(is_same(HEAD_LINE, HEAD_LINE));
    }

    #[test]
    fn many_files_do_not_block() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), &["init", "-q"]);
        for number in 0..5000 {
            fs::write(
                directory
                    .path()
                    .join(format!("file-with-a-long-name-{number:06}")),
                "x",
            )
            .unwrap();
        }
        let record = record_of(directory.path());
        assert_eq!(record.lines().count(), 5001);
    }
}
