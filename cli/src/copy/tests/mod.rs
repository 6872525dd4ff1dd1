//! Archives that are packed, and archives that attack whoever unpacks them.

mod attacks;
mod packing;

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use tar::EntryType;
use tempfile::TempDir;

use super::unpack::Unpacker;
use crate::ui::Meter;

/// One entry of a crafted archive. Nothing checks it.
#[derive(Debug)]
struct Entry {
    kind: EntryType,
    name: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    content: Vec<u8>,
}

fn entry(kind: EntryType, name: impl AsRef<[u8]>) -> Entry {
    Entry {
        kind,
        name: name.as_ref().to_vec(),
        link: Vec::new(),
        mode: if kind.is_dir() { 0o755 } else { 0o644 },
        content: Vec::new(),
    }
}

fn directory(name: impl AsRef<[u8]>) -> Entry {
    entry(EntryType::Directory, name)
}

fn file(name: impl AsRef<[u8]>, content: &str) -> Entry {
    Entry {
        content: content.as_bytes().to_vec(),
        ..entry(EntryType::Regular, name)
    }
}

fn linked(kind: EntryType, name: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Entry {
    Entry {
        link: target.as_ref().to_vec(),
        ..entry(kind, name)
    }
}

/// An archive without its end.
fn begun(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(entry.kind);
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_500_000_000);
        header.set_size(entry.content.len() as u64);
        let fields = header.as_old_mut();
        fields.name[..entry.name.len()].copy_from_slice(&entry.name);
        fields.linkname[..entry.link.len()].copy_from_slice(&entry.link);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(&entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = begun(entries);
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A destination, and beside it what nobody may touch.
struct Host {
    root: TempDir,
}

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("into")).unwrap();
        fs::create_dir(root.path().join("outside")).unwrap();
        fs::write(root.path().join("outside/canary"), "alive").unwrap();
        Self { root }
    }

    fn destination(&self) -> PathBuf {
        self.root.path().join("into")
    }

    fn outside(&self) -> PathBuf {
        self.root.path().join("outside")
    }

    /// Unpacks as `x` in `into`, and checks the canary and that no temporary file is left.
    fn unpack(&self, archive: &[u8]) -> (Vec<String>, Result<(), Failure>) {
        self.unpack_from(archive, Some("x"))
    }

    fn unpack_from(&self, archive: impl Read, name: Option<&str>) -> (Vec<String>, Result<(), Failure>) {
        let unpacker = Unpacker::new(&self.destination(), name.map(Into::into), Meter::new()).unwrap();
        let result = unpacker.unpack(archive);
        let outside: Vec<_> = fs::read_dir(self.outside()).unwrap().collect();
        assert_eq!(outside.len(), 1, "{outside:?}");
        assert_eq!(
            fs::read_to_string(self.outside().join("canary")).unwrap(),
            "alive"
        );
        let beside = fs::read_dir(self.root.path()).unwrap().count();
        assert_eq!(beside, 2, "something was written beside the destination");
        assert_eq!(temporaries(&self.destination()), Vec::<PathBuf>::new());
        result
    }

    fn refuses(&self, entries: &[Entry], why: &str) {
        let (_, result) = self.unpack(&archive(entries));
        let failure = result.unwrap_err();
        let text = failure.render();
        assert!(text.contains(why), "{text}");
    }
}

fn temporaries(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().as_bytes().starts_with(b".agentbox-cp-") {
            found.push(path.clone());
        }
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(temporaries(&path));
        }
    }
    found
}
