//! The git directory of a repository that has been worked in: whose it is, what of it is of use.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{ALL_BITS, WRITABLE, is_own, path_of, tree};
use crate::leftovers::is_directory;

/// What the owner needs to read a file.
const READABLE: u32 = 0o400;

/// Makes a directory or a file the user's. Where that fails, git says what it cannot do.
pub(super) fn own(workspace: &Path, path: &[u8]) {
    let full = path_of(workspace, path);
    let Ok(metadata) = fs::symlink_metadata(&full) else {
        return;
    };
    let needed = if metadata.is_dir() { WRITABLE } else { READABLE };
    if metadata.is_symlink() {
        return;
    }
    if !is_own(&metadata) {
        let _ = tree::take(workspace, path);
    }
    let mode = metadata.mode() & ALL_BITS;
    if mode & needed != needed {
        let _ = fs::set_permissions(&full, Permissions::from_mode(mode | needed));
    }
}

/// Makes objects the user's; one that cannot be read is none. `false` where some lie elsewhere, or were left with a
/// remote of which the box will know no more.
pub(super) fn own_objects(workspace: &Path, path: &[u8]) -> bool {
    let mut is_whole = true;
    own(workspace, path);
    let names = |path: &[u8]| {
        let entries = fs::read_dir(path_of(workspace, path)).into_iter().flatten();
        entries
            .flatten()
            .map(|entry| (entry.file_name().into_vec(), entry.metadata()))
            .collect::<Vec<_>>()
    };
    for (name, metadata) in names(path) {
        let Ok(metadata) = metadata else { continue };
        is_whole &= !metadata.is_symlink();
        if !metadata.is_dir() {
            continue;
        }
        let directory = below(path, &name);
        own(workspace, &directory);
        for (name, metadata) in names(&directory) {
            is_whole &= !name.ends_with(b".promisor");
            let is_closed = |metadata: Metadata| !is_own(&metadata) || metadata.mode() & READABLE == 0;
            if metadata.is_ok_and(is_closed) {
                let object = below(&directory, &name);
                own(workspace, &object);
                if File::open(path_of(workspace, &object)).is_err() {
                    let _ = tree::remove(workspace, &object);
                }
            }
        }
    }
    is_whole
}

/// Leaves of a git directory the objects, and those only where they lie in it and are of use: all come anew where the
/// host was told of none, and what is left of another repository, or broken, would only trouble git.
pub(super) fn reset(workspace: &Path, git_directory: &[u8], has_objects: bool) -> io::Result<()> {
    let directory = path_of(workspace, git_directory);
    if !is_directory(&directory) {
        return match tree::remove(workspace, git_directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    for entry in fs::read_dir(&directory)? {
        let name = entry?.file_name().into_vec();
        let stays =
            has_objects && name == b"objects" && is_directory(&directory.join(OsStr::from_bytes(&name)));
        let inside = below(git_directory, &name);
        if stays {
            let _ = tree::remove(workspace, &below(&inside, b"maintenance.lock"));
        } else {
            tree::remove(workspace, &inside)?;
        }
    }
    Ok(())
}

/// Takes apart `mode id stage TAB name NUL`: all names, each with a NUL behind it, and those of submodules.
pub(super) fn tracked(listed: &[u8]) -> (Vec<u8>, Vec<&[u8]>) {
    let (mut names, mut submodules) = (Vec::new(), Vec::new());
    for entry in listed.split(|byte| *byte == 0) {
        let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else {
            continue;
        };
        let name = entry.get(tab + 1..).unwrap_or_default();
        names.extend_from_slice(name);
        names.push(0);
        if entry.starts_with(b"160000 ") {
            submodules.push(name);
        }
    }
    (names, submodules)
}

/// A path below another.
pub(super) fn below(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, b"/", name].concat()
}
