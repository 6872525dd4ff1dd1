//! Reads the directories of a workspace that has been worked in, several at a time, while the questions about what lies
//! in them are still on their way.
//!
//! ```text
//! list of what hosts sent ─► channel ─► threads ─► what lies in each directory ─► Warm
//! ```
//!
//! Directories that hold others come first, and nobody looks for a directory by its name before: found along with its
//! parent's names it costs once, found by itself it costs again.
//!
//! Some file systems, those in user space among them, give the attributes of everything in a directory along with the
//! names, for less than half of what they cost one by one, and as many as the buffer takes. Reading ahead keeps such a
//! file system busy all the time.

use std::collections::{HashMap, HashSet};
use std::fs::{File, Metadata};
use std::mem;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, ResolveFlags, Stat, openat2, statat};

/// Directories that are read at once.
const THREADS: usize = 4;
/// Bytes; the buffer for names is elsewhere.
const STACK: usize = 128 * 1024;
/// Bytes of names that are read at once.
const NAMES: usize = 32 * 1024;

/// A regular file, as it was when the walk came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Type and permissions.
    pub(super) mode: u32,
    /// Numbers of its owner and group.
    pub(super) user: u32,
    pub(super) group: u32,
    /// How many it has.
    pub(super) names: u64,
    /// Bytes.
    pub(super) size: u64,
    /// When it was changed last: seconds since the Unix epoch, negative before it.
    pub(super) seconds: i64,
    /// And nanoseconds.
    pub(super) nanoseconds: u32,
}

impl From<Stat> for Seen {
    fn from(stat: Stat) -> Self {
        Self {
            mode: stat.st_mode,
            user: stat.st_uid,
            group: stat.st_gid,
            names: stat.st_nlink,
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        }
    }
}

impl From<&Metadata> for Seen {
    fn from(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode(),
            user: metadata.uid(),
            group: metadata.gid(),
            names: metadata.nlink(),
            size: metadata.len(),
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        }
    }
}

/// What a directory holds.
struct Read {
    directory: Vec<u8>,
    /// Each with a NUL behind it.
    names: Vec<u8>,
    /// One for each name; `None` for what is no regular file.
    seen: Vec<Option<Seen>>,
}

/// A directory to read.
struct Order {
    directory: Vec<u8>,
    /// It holds others.
    is_outer: bool,
}

/// A walk under way.
pub(super) struct Walk {
    /// The workspace; nothing is read where it cannot be opened.
    root: Option<Arc<File>>,
    /// Directories that are read, or will be.
    directories: HashSet<Vec<u8>>,
    /// Brings directories to the threads, until it is closed.
    queue: Option<Sender<Order>>,
    /// Tells of each directory with others in it that it was read.
    outer: Receiver<()>,
    /// How many of them are yet to be read.
    outer_left: usize,
    threads: Vec<JoinHandle<Vec<Read>>>,
    /// What was read here.
    read: Vec<Read>,
}

impl Walk {
    /// Reads the workspace itself and the directories that lead to these paths.
    pub(super) fn new<'path>(workspace: &Path, paths: impl Iterator<Item = &'path [u8]>) -> Self {
        let root = File::open(workspace).ok().map(Arc::new);
        let (queue, queued) = channel();
        let (tell, outer) = channel();
        let queued = Arc::new(Mutex::new(queued));
        let threads = (0..THREADS).filter_map(|_| {
            let (root, queued, tell) = (root.clone()?, Arc::clone(&queued), tell.clone());
            let work = move || read_all(&root, &queued, &tell);
            Builder::new().stack_size(STACK).spawn(work).ok()
        });
        let orders = orders(paths);
        let walk = Self {
            threads: threads.collect(),
            root,
            outer_left: orders.iter().filter(|order| order.is_outer).count(),
            directories: orders.iter().map(|order| order.directory.clone()).collect(),
            queue: Some(queue),
            outer,
            read: Vec::new(),
        };
        for order in orders {
            // Where no thread runs, nothing is known.
            let _ = walk.queue.as_ref().map(|queue| queue.send(order));
        }
        walk
    }

    /// Waits until all directories of the list are known, as something in those that hold them.
    pub(super) fn settle(&mut self) {
        while self.outer_left > 0 && self.outer.recv().is_ok() {
            self.outer_left -= 1;
        }
        self.outer_left = 0;
    }

    /// Reads one more, unless that was said before.
    pub(super) fn directory(&mut self, directory: &[u8]) {
        if !self.directories.contains(directory) {
            self.directories.insert(directory.to_vec());
            let mut buffer = Vec::with_capacity(NAMES);
            let root = self.root.as_deref();
            self.read
                .extend(root.and_then(|root| read(root, directory.to_vec(), &mut buffer)));
        }
    }

    /// Waits until all are read, and gives every path with what is there.
    pub(super) fn finish(&mut self, mut take: impl FnMut(&[u8], Option<Seen>)) {
        self.queue = None;
        for thread in mem::take(&mut self.threads) {
            self.read.extend(thread.join().unwrap_or_default());
        }
        let mut path = Vec::new();
        for Read {
            directory,
            names,
            seen,
        } in mem::take(&mut self.read)
        {
            for (name, seen) in names.split(|byte| *byte == 0).zip(seen) {
                path.clear();
                if !directory.is_empty() {
                    path.extend_from_slice(&directory);
                    path.push(b'/');
                }
                path.extend_from_slice(name);
                take(&path, seen);
            }
        }
    }
}

/// The directories that lead to paths, the workspace included: first those that hold others, from the workspace down.
fn orders<'path>(paths: impl Iterator<Item = &'path [u8]>) -> Vec<Order> {
    // With whether it holds others.
    let mut directories = HashMap::from([(&b""[..], false)]);
    for path in paths {
        let mut directory = above(path);
        // What leads to one that is known is known, too.
        let mut is_new = directories
            .insert(directory, directories.get(directory) == Some(&true))
            .is_none();
        while is_new && !directory.is_empty() {
            directory = above(directory);
            is_new = directories.insert(directory, true).is_none();
        }
    }
    let mut orders: Vec<Order> = directories
        .into_iter()
        .map(|(directory, is_outer)| Order {
            directory: directory.to_vec(),
            is_outer,
        })
        .collect();
    let depth = |path: &[u8]| {
        (
            !path.is_empty(),
            path.iter().filter(|byte| **byte == b'/').count(),
        )
    };
    orders.sort_by_cached_key(|order| (!order.is_outer, depth(&order.directory)));
    orders
}

/// The directory that a path lies in; of the workspace itself that is it again.
fn above(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    slash.and_then(|slash| path.get(..slash)).unwrap_or_default()
}

/// What a thread does until there is no more.
fn read_all(root: &File, queued: &Mutex<Receiver<Order>>, tell: &Sender<()>) -> Vec<Read> {
    let mut buffer = Vec::with_capacity(NAMES);
    let mut found = Vec::new();
    loop {
        let next = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(order) => {
                found.extend(read(root, order.directory, &mut buffer));
                if order.is_outer {
                    // Who does not wait any more need not know.
                    let _ = tell.send(());
                }
            }
            Err(_) => return found,
        }
    }
}

/// Reads a directory below `root` that no link leads to. What cannot be read holds nothing: what comes there will tell.
fn read(root: &File, directory: Vec<u8>, buffer: &mut Vec<u8>) -> Option<Read> {
    let path: &[u8] = if directory.is_empty() { b"." } else { &directory };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = openat2(root, path, flags, Mode::empty(), resolve).ok()?;
    let (mut names, mut seen) = (Vec::new(), Vec::new());
    let mut entries = RawDir::new(&opened, buffer.spare_capacity_mut());
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = match entry.file_type() {
            FileType::RegularFile | FileType::Unknown => {
                statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW).ok()
            }
            _ => None,
        };
        let is_file = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        names.extend_from_slice(name.to_bytes_with_nul());
        seen.push(stat.filter(is_file).map(Seen::from));
    }
    Some(Read {
        directory,
        names,
        seen,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_lies_in_the_directories_of_a_list_and_in_others_is_found_once() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a/b/c", "a/d", "e", "f"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
            fs::write(root.path().join(directory).join("x"), "xx").unwrap();
        }
        symlink("f", root.path().join("link")).unwrap();
        let listed = ["a/b/c/x", "a/b/c/y", "a/d/x", "gone/x", "link/x", "x"];
        let mut walk = Walk::new(root.path(), listed.iter().map(|path| path.as_bytes()));
        walk.settle();
        walk.settle();
        walk.directory(b"e");
        walk.directory(b"e");
        walk.directory(b"a/d");
        let mut found = Vec::new();
        walk.finish(|path, seen| {
            let size = seen.map_or(String::new(), |seen| format!("={}", seen.size));
            found.push(format!("{}{size}", String::from_utf8_lossy(path)));
        });
        found.sort();
        assert_eq!(
            found,
            [
                "a",
                "a/b",
                "a/b/c",
                "a/b/c/x=2",
                "a/d",
                "a/d/x=2",
                "e",
                "e/x=2",
                "f",
                "link"
            ]
        );
    }

    #[test]
    fn directories_that_hold_others_come_first() {
        let paths = ["a/b/c/x", "a/y", "x", "a/b/y", "d/x", "d/e/f/x"];
        for paths in [paths.to_vec(), paths.into_iter().rev().collect()] {
            let orders = orders(paths.iter().map(|path| path.as_bytes()));
            let mut outer: Vec<_> = orders.iter().take_while(|order| order.is_outer).collect();
            assert!(orders.iter().skip(outer.len()).all(|order| !order.is_outer));
            outer.sort_by_key(|order| &order.directory);
            let name = |order: &Order| String::from_utf8_lossy(&order.directory).into_owned();
            assert_eq!(
                outer.iter().map(|order| name(order)).collect::<Vec<_>>(),
                ["", "a", "a/b", "d", "d/e"]
            );
            let mut inner: Vec<_> = orders.iter().skip(5).map(name).collect();
            inner.sort();
            assert_eq!(inner, ["a/b/c", "d/e/f"]);
            assert_eq!(orders[0].directory, b"");
        }
        assert_eq!(orders([].into_iter()).len(), 1);
    }

    #[test]
    fn a_workspace_that_is_not_there_holds_nobody_up() {
        let root = tempfile::tempdir().unwrap();
        let mut walk = Walk::new(&root.path().join("gone"), [&b"a/b"[..]].into_iter());
        walk.settle();
        walk.finish(|path, _| panic!("{path:?}"));
    }
}
