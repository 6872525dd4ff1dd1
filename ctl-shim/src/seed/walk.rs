//! Reads the directories of a workspace that has been worked in, several at a time, while the questions about what lies
//! in them are still on their way.
//!
//! Some file systems, those in user space among them, give the attributes of everything in a directory along with the
//! names, for less than half of what they cost one by one; and reading ahead keeps such a file system busy all the time.

use std::collections::HashSet;
use std::fs;
use std::mem;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};

use super::path_of;

/// Directories that are read at once.
const THREADS: usize = 4;
/// Bytes; no more than a buffer of names is on it.
const STACK: usize = 128 * 1024;

/// What a directory holds.
struct Read {
    directory: Vec<u8>,
    /// Each with a NUL behind it.
    names: Vec<u8>,
}

/// A walk under way.
#[derive(Default)]
pub(super) struct Walk {
    workspace: PathBuf,
    /// Directories that are read, or will be.
    directories: HashSet<Vec<u8>>,
    ahead: Vec<JoinHandle<Vec<Read>>>,
    read: Vec<Read>,
}

impl Walk {
    /// Begins with the directories that lead to `paths`, in their order.
    pub(super) fn new<'a>(workspace: &Path, paths: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut directories = HashSet::new();
        let mut order = vec![Vec::new()];
        directories.insert(Vec::new());
        for path in paths {
            let first = order.len();
            let mut above = path;
            while let Some(slash) = above.iter().rposition(|byte| *byte == b'/') {
                above = above.get(..slash).unwrap_or_default();
                if !directories.insert(above.to_vec()) {
                    break;
                }
                order.push(above.to_vec());
            }
            order.get_mut(first..).unwrap_or_default().reverse();
        }
        let order = Arc::new(order);
        let next = Arc::new(AtomicUsize::new(0));
        let ahead = (0..THREADS).filter_map(|_| {
            let (order, next, workspace) = (Arc::clone(&order), Arc::clone(&next), workspace.to_owned());
            let work = move || {
                let mut found = Vec::new();
                while let Some(directory) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                    found.extend(read(&workspace, directory));
                }
                found
            };
            Builder::new().stack_size(STACK).spawn(work).ok()
        });
        Self {
            ahead: ahead.collect(),
            workspace: workspace.to_owned(),
            directories,
            read: Vec::new(),
        }
    }

    /// Reads one more, unless it was known before.
    pub(super) fn directory(&mut self, directory: &[u8]) {
        if !self.directories.contains(directory) {
            self.directories.insert(directory.to_vec());
            self.read.extend(read(&self.workspace, directory));
        }
    }

    /// Waits until all are read.
    pub(super) fn finish(&mut self) {
        for thread in mem::take(&mut self.ahead) {
            self.read.extend(thread.join().unwrap_or_default());
        }
    }

    /// Everything that was found.
    pub(super) fn paths(&self) -> impl Iterator<Item = Vec<u8>> {
        self.read.iter().flat_map(|Read { directory, names }| {
            let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            names.map(|name| match directory.as_slice() {
                b"" => name.to_vec(),
                directory => [directory, b"/", name].concat(),
            })
        })
    }
}

/// What cannot be read holds nothing: what comes there will tell.
fn read(workspace: &Path, directory: &[u8]) -> Option<Read> {
    let mut names = Vec::new();
    for entry in fs::read_dir(path_of(workspace, directory)).ok()?.flatten() {
        names.extend_from_slice(entry.file_name().as_bytes());
        names.push(0);
    }
    Some(Read {
        directory: directory.to_vec(),
        names,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_directories_of_a_list_and_in_others_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a/b/c", "a/d", "e", "f"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("x"), "").unwrap();
        }
        let listed: [&[u8]; 4] = [b"a/b/c/x", b"a/b/c/y", b"a/d/x", b"gone/x"];
        let mut walk = Walk::new(root.path(), listed.into_iter());
        walk.directory(b"e");
        walk.directory(b"e");
        walk.directory(b"a/d");
        walk.finish();
        let mut found: Vec<String> = walk
            .paths()
            .map(|path| String::from_utf8(path).unwrap())
            .collect();
        found.sort();
        assert_eq!(
            found,
            ["a", "a/b", "a/b/c", "a/b/c/x", "a/d", "a/d/x", "e", "e/x", "f"]
        );
    }
}
