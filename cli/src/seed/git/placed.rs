//! What is in the work tree already when a repository comes: files that were carried. They are no work of the box's, and
//! may be secrets, so neither a commit nor what is saved takes them up by itself.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;

use super::cannot_list;
use crate::host_git::HostGit;

/// The content of `info/exclude`: what it had, and each placed path. Git does not heed it for files that it tracks.
pub(super) fn exclude(own: &[u8], placed: &HashSet<PathBuf>) -> Vec<u8> {
    let mut text = own.to_vec();
    if placed.is_empty() {
        return text;
    }
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(b"# What agentbox.yaml carries.\n");
    let mut patterns: Vec<Vec<u8>> = placed.iter().map(|path| pattern(path)).collect();
    patterns.sort_unstable();
    for pattern in patterns {
        text.extend_from_slice(&pattern);
        text.push(b'\n');
    }
    text
}

/// A pattern for one path below the top level.
fn pattern(path: &Path) -> Vec<u8> {
    let mut pattern = vec![b'/'];
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            // A line cannot have them, and trailing blanks need care: any character there is near enough.
            b'\n' | b'\r' | b'\t' | b' ' => pattern.push(b'?'),
            b'\\' | b'*' | b'?' | b'[' => pattern.extend_from_slice(&[b'\\', byte]),
            _ => pattern.push(byte),
        }
    }
    pattern
}

/// A record of uncommitted work without the placed paths that git ignores from now on.
///
/// # Errors
/// A git that fails.
pub(super) fn without(record: &[u8], git: &HostGit, placed: &HashSet<PathBuf>) -> Result<Vec<u8>, Failure> {
    let name = |path: &Path| path.as_os_str().as_bytes().escape_ascii().to_string();
    let mut ignored: HashSet<String> = placed.iter().map(|path| name(path)).collect();
    let name_of = |line: &[u8]| {
        let end = line.iter().position(|byte| *byte == b'\t')?;
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    };
    let is_in =
        |line: &[u8], names: &HashSet<String>| name_of(line).is_some_and(|name| names.contains(&name));
    if !record
        .split(|byte| *byte == b'\n')
        .any(|line| is_in(line, &ignored))
    {
        return Ok(record.to_vec());
    }
    let command = git.command(["ls-files", "-z", "--cached"]);
    git.stream(command, Vec::new(), |listed| {
        for tracked in BufReader::new(listed).split(0) {
            let tracked = tracked.map_err(|error| cannot_list(&error))?;
            ignored.remove(&name(Path::new(OsStr::from_bytes(&tracked))));
        }
        Ok(())
    })?;
    Ok(record
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !is_in(line, &ignored))
        .collect::<Vec<_>>()
        .concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentbox_ctl::work;
    use std::fs;
    use std::process::Command;

    fn git(directory: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(directory)
            .args(["-c", "user.name=t", "-c", "user.email=t@t"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn placed_files_of_any_name_are_ignored_and_their_like_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        git(root, &["init", "-q"]);
        let names = [
            "plain", "#a", "!a", "a b ", "a\nb", "a\\b", "x*", "q?", "[ab]", "d/e", "ä\u{7f}", "end\r", " a",
        ];
        fs::create_dir(root.join("d")).unwrap();
        for name in names {
            fs::write(root.join(name), "x").unwrap();
        }
        for other in ["plain2", "xx", "qq", "b", "d/f", "e"] {
            fs::write(root.join(other), "x").unwrap();
        }
        let placed: HashSet<PathBuf> = names.iter().map(PathBuf::from).collect();
        let text = exclude(b"/e", &placed);
        fs::write(root.join(".git/info/exclude"), text).unwrap();
        let left = git(root, &["ls-files", "--others", "--exclude-standard"]);
        assert_eq!(left, "b\nd/f\nplain2\nqq\nxx\n");
        assert_eq!(exclude(b"own", &HashSet::new()), b"own");
    }

    #[test]
    fn a_record_keeps_what_git_tracks() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        git(root, &["init", "-q"]);
        fs::write(root.join("tracked\n"), "1").unwrap();
        git(root, &["add", "."]);
        git(root, &["commit", "-qm", "one"]);
        for name in ["tracked\n", "carried\n", "other"] {
            fs::write(root.join(name), "2").unwrap();
        }
        let record = work::uncommitted(root).unwrap();
        let placed = ["tracked\n", "carried\n"].map(PathBuf::from).into();
        let kept = without(&record, &HostGit::new(root), &placed).unwrap();
        fs::remove_file(root.join("carried\n")).unwrap();
        assert_eq!(kept, work::uncommitted(root).unwrap());
        let none = ["absent".into()].into();
        assert_eq!(without(&record, &HostGit::new(root), &none).unwrap(), record);
    }
}
