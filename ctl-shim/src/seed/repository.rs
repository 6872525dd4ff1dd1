//! The git directory of a repository that has been worked in: whose it is, what of it is of use.

use std::ffi::OsStr;
use std::fs::{self, File, FileType, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{ALL_BITS, WRITABLE, is_own, path_of, tree};
use crate::leftovers::is_directory;

/// What the owner needs to read a file.
const READABLE: u32 = 0o400;

/// Makes the objects of a git directory the user's, and what lists the files. `false` where objects lie elsewhere, or were
/// left with a remote of which the box will know no more.
pub(super) fn own_objects(workspace: &Path, git_directory: &[u8]) -> bool {
    let objects = below(git_directory, b"objects");
    let packs = below(&objects, b"pack");
    // Whoever else makes objects leaves more than those, and to look at each takes long where there are thousands.
    let is_foreign = [git_directory, &objects, &packs]
        .into_iter()
        .any(|directory| has_foreign(workspace, directory));
    for path in [&objects, &packs, &below(git_directory, b"index")] {
        own(workspace, path);
    }
    let mut is_whole = true;
    for (name, kind) in entries(workspace, &objects) {
        is_whole &= !kind.is_symlink();
        if is_foreign && kind.is_dir() {
            own_all(workspace, &below(&objects, &name));
        }
    }
    let is_promised = |(name, _): &(Vec<u8>, FileType)| name.ends_with(b".promisor");
    is_whole && !entries(workspace, &packs).iter().any(is_promised)
}

/// Whether a directory, or something that lies in it, is somebody else's.
fn has_foreign(workspace: &Path, directory: &[u8]) -> bool {
    let is_foreign =
        |path: &[u8]| fs::symlink_metadata(path_of(workspace, path)).is_ok_and(|metadata| !is_own(&metadata));
    let is_objects = directory.ends_with(b"/objects");
    is_foreign(directory)
        || (!is_objects
            && entries(workspace, directory)
                .iter()
                .any(|(name, _)| is_foreign(&below(directory, name))))
}

/// Makes a directory of objects the user's, with what lies in it. An object that cannot be read is none.
fn own_all(workspace: &Path, directory: &[u8]) {
    own(workspace, directory);
    for (name, _) in entries(workspace, directory) {
        let object = below(directory, &name);
        own(workspace, &object);
        if File::open(path_of(workspace, &object)).is_err() {
            let _ = tree::remove(workspace, &object);
        }
    }
}

/// What lies in a directory; nothing where it cannot be read.
fn entries(workspace: &Path, directory: &[u8]) -> Vec<(Vec<u8>, FileType)> {
    let entries = fs::read_dir(path_of(workspace, directory)).into_iter().flatten();
    let of_kind = |entry: fs::DirEntry| Some((entry.file_name().into_vec(), entry.file_type().ok()?));
    entries.flatten().filter_map(of_kind).collect()
}

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
