//! What differs from HEAD in a work tree, as one text: the same text means the same work.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::git::{cannot_run, failed, git, os, quiet, read};
use crate::failure::Failure;

/// First line of a record.
const HEAD_LINE: &[u8] = b"agentbox-uncommitted 1\n";
/// What is written for content that cannot be read: never the same as anything, since it may have changed.
const UNREADABLE: &str = "unreadable";
/// How many files may vanish between `git status` and the reading of their content.
const VANISHING: usize = 50;
/// How deep repositories are looked for in repositories.
const DEPTH: usize = 4;

/// The uncommitted work in the repository whose top level is `directory`, as a record: for each path that differs
/// from HEAD what lies there, sorted by path.
///
/// ```text
/// agentbox-uncommitted 1
/// 100644 TAB <blob id> TAB <path>         100755 for an executable
/// 120000 TAB <target> TAB <path>          a link
/// 160000 TAB <commit id> TAB <path>       a repository or submodule; what is uncommitted in it follows
/// absent TAB - TAB <path>                 deleted; `directory` where one is in its place
/// ```
///
/// Tabs, line ends and backslashes in names are escaped. It tells nothing of the index: work that is staged, and then
/// changed again, counts as it lies on the disk.
///
/// # Errors
/// A directory that is no repository, a git that cannot be run or fails.
pub fn uncommitted(directory: &Path) -> Result<Vec<u8>, Failure> {
    let mut entries = Vec::new();
    collect(directory, b"", 0, &mut entries)?;
    entries.sort_unstable();
    let mut record = HEAD_LINE.to_vec();
    for (path, content) in entries {
        record.extend_from_slice(content.as_bytes());
        record.push(b'\t');
        escape(&path, &mut record);
        record.push(b'\n');
    }
    Ok(record)
}

/// Whether two records are of the same work. A record that holds something unreadable is the same as none.
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    let readable = !one
        .split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(UNREADABLE.as_bytes()));
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

type Entry = (Vec<u8>, String);

fn collect(directory: &Path, prefix: &[u8], depth: usize, entries: &mut Vec<Entry>) -> Result<(), Failure> {
    let mut files: Vec<(Vec<u8>, &'static str)> = Vec::new();
    for path in changed_paths(directory)? {
        let full = directory.join(os(&path));
        let shown = [prefix, &path].concat();
        let metadata = match fs::symlink_metadata(&full) {
            Ok(metadata) => metadata,
            Err(_) => {
                entries.push((shown, "absent\t-".to_owned()));
                continue;
            }
        };
        let kind = metadata.file_type();
        let content = if kind.is_file() {
            // Git would stop at the first that it cannot read.
            if File::open(&full).is_ok() {
                let executable = metadata.permissions().mode() & 0o100 != 0;
                files.push((path, if executable { "100755" } else { "100644" }));
                continue;
            }
            format!("{UNREADABLE}\t-")
        } else if kind.is_symlink() {
            let mut target = Vec::new();
            if let Ok(link) = fs::read_link(&full) {
                escape(link.as_os_str().as_bytes(), &mut target);
            }
            // What is not UTF-8 is told apart by its bytes.
            format!("120000\t{}", target.escape_ascii())
        } else if !kind.is_dir() {
            format!("{UNREADABLE}\t-")
        } else if full.join(".git").symlink_metadata().is_err() {
            "directory\t-".to_owned()
        } else {
            let inner = [&shown[..], b"/"].concat();
            match head(&full) {
                Some(commit) if depth < DEPTH && collect(&full, &inner, depth + 1, entries).is_ok() => {
                    format!("160000\t{commit}")
                }
                _ => format!("{UNREADABLE}\t-"),
            }
        };
        entries.push((shown, content));
    }
    let mut vanished = 0;
    let mut rest = files.as_slice();
    while !rest.is_empty() {
        let (ids, failure) = hash(directory, rest)?;
        for ((path, mode), id) in rest.iter().zip(&ids) {
            entries.push(([prefix, path].concat(), format!("{mode}\t{id}")));
        }
        rest = rest.get(ids.len()..).unwrap_or_default();
        // The first without an id is the one that git stumbled over.
        if let Some(((path, _), others)) = rest.split_first() {
            vanished += 1;
            if vanished > VANISHING {
                return Err(failure);
            }
            entries.push(([prefix, path].concat(), format!("{UNREADABLE}\t-")));
            rest = others;
        }
    }
    Ok(())
}

/// The commit that a repository is at; `-` before its first.
fn head(directory: &Path) -> Option<String> {
    let mut command = git(directory);
    command.args(["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]);
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Some(if text.is_empty() { "-".to_owned() } else { text })
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

fn escape(bytes: &[u8], into: &mut Vec<u8>) {
    for byte in bytes {
        match byte {
            b'\n' => into.extend_from_slice(b"\\n"),
            b'\t' => into.extend_from_slice(b"\\t"),
            b'\\' => into.extend_from_slice(b"\\\\"),
            byte => into.push(*byte),
        }
    }
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
             absent\t-\tdeleted\n\
             100644\t{}\tedited\n\
             120000\tsome\\\\twhere\tlink\n\
             100644\t{}\tstaged\n\
             100644\t{}\tsub/a\\nb \"c\\\\d\n\
             100755\t{}\ttool\n",
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
            record.contains("\tedited\n") && !record.contains("\tkept\n"),
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
            unborn.contains("160000\t-\tinner\n") && unborn.contains("\tinner/file\n"),
            "{unborn}"
        );
        run(&inner, &["add", "-A"]);
        run(&inner, &["commit", "-q", "-m", "inner"]);
        let clean = record_of(root);
        let commit = run(&inner, &["rev-parse", "HEAD"]);
        assert!(
            clean.contains(&format!("160000\t{}\tinner\n", commit.trim())),
            "{clean}"
        );
        fs::write(inner.join("file"), "2").unwrap();
        assert!(record_of(root).contains("\tinner/file\n"));
        let source = root.to_str().unwrap().to_owned();
        let outer = tempfile::tempdir().unwrap();
        run(outer.path(), &["init", "-q"]);
        run(outer.path(), &["submodule", "--quiet", "add", &source, "module"]);
        run(outer.path(), &["commit", "-q", "-m", "with a submodule"]);
        assert_eq!(record_of(outer.path()).as_bytes(), HEAD_LINE);
        fs::write(outer.path().join("module/edited"), "2").unwrap();
        assert!(record_of(outer.path()).contains("\tmodule/edited\n"));
    }

    #[test]
    fn names_that_are_no_text_and_a_repository_without_commits() {
        let directory = tempfile::tempdir().unwrap();
        run(directory.path(), &["init", "-q"]);
        let name = std::ffi::OsString::from_vec(b"\xff\xfe".to_vec());
        fs::write(directory.path().join(name), "x").unwrap();
        let record = uncommitted(directory.path()).unwrap();
        assert!(record.ends_with(b"\t\xff\xfe\n"));
        assert!(uncommitted(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_never_the_same() {
        let record = b"agentbox-uncommitted 1\nunreadable\t-\tx\n";
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
