//! What lies at a source: every file, directory and link to copy, with a stamp by which a change shows.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;

use super::pattern::Excludes;
use crate::host_file;

/// Most files, directories and links of all entries together.
pub(super) const MAX_ITEMS: usize = 100_000;
/// Directories of the kernel.
const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];

/// A file, or a directory with everything below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The top first, each directory before what is in it.
    pub items: Vec<Item>,
    /// Regular files.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// One thing to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Path below the source; empty for the source itself.
    pub below: PathBuf,
    /// Permission bits on the host, without set-id and sticky bits.
    pub mode: u32,
    /// What it is.
    pub kind: ItemKind,
}

/// What a thing to copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A regular file.
    File(Stamp),
    /// A directory.
    Directory,
    /// A symbolic link, copied as one.
    Link(PathBuf),
}

/// Tells a file from any other, and its content now from its content later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    /// Length in bytes.
    pub size: u64,
    modified: (i64, i64),
    // Nobody can set this one back.
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the file was last written to, in seconds since the Unix epoch.
    pub fn modified_seconds(&self) -> u64 {
        u64::try_from(self.modified.0).unwrap_or_default()
    }

    /// Opens the file that this stamp is of.
    ///
    /// # Errors
    /// Another file, or another content, at that path; one that cannot be read.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let file = host_file::open(path)?;
        self.check(&file)?;
        Ok(file)
    }

    /// Whether an open file still is what it was.
    ///
    /// # Errors
    /// One that is not.
    pub fn check(&self, file: &File) -> io::Result<()> {
        if Self::of(&file.metadata()?) == *self {
            Ok(())
        } else {
            Err(io::Error::other("it has changed since it was looked at"))
        }
    }
}

/// What a look may cost: counts down over all entries.
#[derive(Debug)]
pub(super) struct Allowance {
    /// The cap on bytes, for the message.
    pub(super) max_bytes: u64,
    /// Bytes left.
    pub(super) bytes: u64,
    /// Items left.
    pub(super) items: usize,
}

impl Allowance {
    pub(super) fn new(max_bytes: u64) -> Self {
        Self {
            max_bytes,
            bytes: max_bytes,
            items: MAX_ITEMS,
        }
    }

    fn take(&mut self, bytes: u64) -> Result<(), Failure> {
        let hint = "leave files out with exclude, or agentbox create --carry skip";
        self.items = self
            .items
            .checked_sub(1)
            .ok_or_else(|| Failure::failed(format!("carry has more than {MAX_ITEMS} files")).hint(hint))?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            Failure::failed(format!(
                "carry has more than {}, the most that carry.max_bytes allows",
                crate::ui::size(self.max_bytes)
            ))
            .hint(hint)
        })?;
        Ok(())
    }
}

/// Whether a path is one of the kernel's, or below one.
pub(super) fn is_kernels(path: &Path) -> bool {
    KERNEL.iter().any(|directory| path.starts_with(directory))
}

/// Looks at everything at `source`, which is absolute and without links, and hands each file, open, to `inspect`.
/// Links below it are not followed, so no loop of them goes on for ever.
///
/// # Errors
/// Something that is no file, directory or link, or cannot be read; more than is allowed.
pub(super) fn walk(
    source: &Path,
    excludes: &Excludes,
    allowance: &mut Allowance,
    inspect: &mut dyn FnMut(&Path, &File) -> io::Result<()>,
) -> Result<Tree, Failure> {
    let mut tree = Tree::default();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        let path = if below.as_os_str().is_empty() {
            source.to_owned()
        } else {
            source.join(&below)
        };
        if is_kernels(&path) {
            return Err(kernels(&path));
        }
        let cannot = |error: &io::Error| cannot_read(&path, error);
        let metadata = path.symlink_metadata().map_err(|error| cannot(&error))?;
        let kind = metadata.file_type();
        let (kind, size) = if kind.is_file() {
            let file = host_file::open(&path).map_err(|error| cannot(&error))?;
            let stamp = Stamp::of(&metadata);
            stamp
                .check(&file)
                .and_then(|()| inspect(&below, &file))
                .map_err(|error| cannot(&error))?;
            (ItemKind::File(stamp), stamp.size)
        } else if kind.is_dir() {
            let mut names = names_in(&path).map_err(|error| cannot(&error))?;
            names.retain(|name| !excludes.matches(&below.join(name)));
            // The last is looked at first.
            waiting.extend(names.into_iter().rev().map(|name| below.join(name)));
            (ItemKind::Directory, 0)
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).map_err(|error| cannot(&error))?;
            (ItemKind::Link(target), 0)
        } else {
            return Err(special(&path, &metadata, &below));
        };
        allowance.take(size)?;
        tree.files += u64::from(matches!(kind, ItemKind::File(_)));
        tree.bytes += size;
        let mode = metadata.mode() & 0o777;
        tree.items.push(Item { below, mode, kind });
    }
    Ok(tree)
}

/// Sorted, so that two looks at one directory are the same.
fn names_in(path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// The failure for a source that is the kernel's.
pub(super) fn kernels(path: &Path) -> Failure {
    Failure::failed(format!(
        "{} is the kernel's, and not for carry",
        super::approve::shown(path)
    ))
    .hint("name another src in agentbox.yaml, or agentbox create --carry skip")
}

fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot carry {}", super::approve::shown(path)))
        .because(error)
        .hint("make it readable, leave it out with exclude, or agentbox create --carry skip")
}

fn special(path: &Path, metadata: &Metadata, below: &Path) -> Failure {
    let kind = metadata.file_type();
    let what = if kind.is_socket() {
        "a socket"
    } else if kind.is_fifo() {
        "a pipe"
    } else {
        "a device"
    };
    let hint = if below.as_os_str().is_empty() {
        "name a file or directory as src in agentbox.yaml, or agentbox create --carry skip".to_owned()
    } else {
        format!(
            "leave it out in agentbox.yaml: exclude: [\"{}\"]",
            below.display()
        )
    };
    Failure::failed(format!(
        "cannot carry {}: it is {what}",
        super::approve::shown(path)
    ))
    .hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn look(source: &Path, excludes: &[&str], allowance: &mut Allowance) -> Result<Tree, Failure> {
        let excludes: Vec<String> = excludes.iter().map(|glob| (*glob).to_owned()).collect();
        walk(source, &Excludes::new(&excludes), allowance, &mut |_, _| Ok(()))
    }

    #[test]
    fn loops_of_links_end_and_links_stay_links() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        symlink("..", root.join("a/b/up")).unwrap();
        symlink("/", root.join("a/all")).unwrap();
        fs::write(root.join("a/file"), "12345").unwrap();
        fs::write(root.join("a/x.log"), "").unwrap();
        let tree = look(&root, &["*.log"], &mut Allowance::new(5)).unwrap();
        let paths: Vec<_> = tree
            .items
            .iter()
            .map(|item| item.below.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["", "a", "a/all", "a/b", "a/b/up", "a/file"]);
        assert_eq!(tree.items[2].kind, ItemKind::Link("/".into()));
        assert_eq!((tree.files, tree.bytes), (1, 5));
        let failure = look(&root, &[], &mut Allowance::new(4)).unwrap_err();
        assert!(failure.message.contains("more than 4 B"), "{failure}");
        let mut few = Allowance::new(5);
        few.items = 3;
        assert!(look(&root, &[], &mut few).is_err());
    }

    #[test]
    fn what_is_no_file_is_refused_without_waiting_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("s.sock")).unwrap();
        let failure = look(&root, &[], &mut Allowance::new(9)).unwrap_err();
        assert!(failure.message.ends_with("s.sock: it is a socket"), "{failure}");
        assert!(failure.hints[0].contains("exclude: [\"s.sock\"]"), "{failure:?}");
        look(&root, &["*.sock"], &mut Allowance::new(9)).unwrap();
        let pipe = root.join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        assert!(
            look(&pipe, &[], &mut Allowance::new(9))
                .unwrap_err()
                .message
                .ends_with("a pipe")
        );
        assert!(
            look(Path::new("/dev"), &[], &mut Allowance::new(9))
                .unwrap_err()
                .message
                .contains("the kernel's")
        );
    }

    #[test]
    fn a_changed_file_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "one").unwrap();
        let tree = look(&path, &[], &mut Allowance::new(9)).unwrap();
        let ItemKind::File(stamp) = tree.items[0].kind else {
            panic!("{tree:?}")
        };
        stamp.open(&path).unwrap();
        // Another file of the same size and times in its place.
        let other = directory.path().join("other");
        fs::write(&other, "two").unwrap();
        fs::File::open(&other)
            .unwrap()
            .set_modified(fs::metadata(&path).unwrap().modified().unwrap())
            .unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(stamp.open(&path).is_err());
        fs::remove_file(&path).unwrap();
        symlink("/etc/passwd", &path).unwrap();
        assert!(stamp.open(&path).is_err());
    }
}
