//! Reads the directories of a workspace that has been worked in, several at a time, while the questions about what lies
//! in them are still on their way.
//!
//! ```text
//! list of what hosts sent ─► channel ─► threads ─► what lies in each directory ─► Warm
//! ```
//!
//! Some file systems, those in user space among them, give the attributes of everything in a directory along with the
//! names, for less than half of what they cost one by one, and as many as the buffer takes. Reading ahead keeps such a
//! file system busy all the time.

use std::collections::HashSet;
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

/// A walk under way.
pub(super) struct Walk {
    /// The workspace; nothing is read where it cannot be opened.
    root: Option<Arc<File>>,
    /// Directories that are read, or will be.
    directories: HashSet<Vec<u8>>,
    /// Brings directories to the threads, until it is closed.
    queue: Option<Sender<Vec<u8>>>,
    threads: Vec<JoinHandle<Vec<Read>>>,
    /// What was read here.
    read: Vec<Read>,
}

impl Walk {
    /// Begins with the workspace itself.
    pub(super) fn new(workspace: &Path) -> Self {
        let root = File::open(workspace).ok().map(Arc::new);
        let (queue, queued) = channel();
        let queued = Arc::new(Mutex::new(queued));
        let threads = (0..THREADS).filter_map(|_| {
            let (root, queued) = (root.clone()?, Arc::clone(&queued));
            let work = move || read_all(&root, &queued);
            Builder::new().stack_size(STACK).spawn(work).ok()
        });
        let mut walk = Self {
            threads: threads.collect(),
            root,
            directories: HashSet::new(),
            queue: Some(queue),
            read: Vec::new(),
        };
        walk.ahead(b"");
        walk
    }

    /// Lets the directories be read that lead to a path.
    pub(super) fn lead_to(&mut self, path: &[u8]) {
        let Some(slash) = path.iter().rposition(|byte| *byte == b'/') else {
            return;
        };
        let above = path.get(..slash).unwrap_or_default();
        if !self.directories.contains(above) {
            self.lead_to(above);
            self.ahead(above);
        }
    }

    fn ahead(&mut self, directory: &[u8]) {
        self.directories.insert(directory.to_vec());
        if let Some(queue) = &self.queue {
            // Where no thread runs, nothing is known.
            let _ = queue.send(directory.to_vec());
        }
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

/// What a thread does until there is no more.
fn read_all(root: &File, queued: &Mutex<Receiver<Vec<u8>>>) -> Vec<Read> {
    let mut buffer = Vec::with_capacity(NAMES);
    let mut found = Vec::new();
    loop {
        let next = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(directory) => found.extend(read(root, directory, &mut buffer)),
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
        let mut walk = Walk::new(root.path());
        for path in ["a/b/c/x", "a/b/c/y", "a/d/x", "gone/x", "link/x", "x"] {
            walk.lead_to(path.as_bytes());
        }
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
}
