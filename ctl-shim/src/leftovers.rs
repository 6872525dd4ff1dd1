//! What a checkpoint holds and nobody wants in a new box: temporary files, logs of units, package lists, what was typed.
//!
//! It runs as root before anything else does. Nothing that a link leads to is touched, and nothing of another mount;
//! what cannot be removed stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::paths;

/// Clears them; `home` is the box user's.
pub fn clear(home: &str) {
    for directory in paths::NEVER_WARM.map(Path::new) {
        // The same only where no part of it is a link.
        if own_directory(directory).is_some_and(|real| real == directory) {
            empty(directory);
        }
    }
    let homes = own_directory(Path::new("/home")).and_then(|homes| fs::read_dir(homes).ok());
    let homes = homes.into_iter().flatten().flatten().map(|entry| entry.path());
    for home in homes.chain([PathBuf::from("/root"), PathBuf::from(home)]) {
        if let Some(home) = own_directory(&home) {
            forget(&home);
        }
    }
}

/// Removes what was typed by a home's owner, where it lies in the home itself.
fn forget(home: &Path) {
    let is_own = |directory: &Path| is_directory(directory) && device(directory) == device(home);
    for history in paths::HISTORIES {
        let path = home.join(history);
        // From the directory that it lies in up to the home.
        let depth = Path::new(history).components().count();
        if path.ancestors().skip(1).take(depth).all(is_own) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Where a directory really is; `None` where that is not in the checkpoint: what is mounted is somebody else's.
fn own_directory(path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    let is_own = is_directory(&real) && device(&real) == device(Path::new("/"));
    is_own.then_some(real)
}

fn device(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).map(|metadata| metadata.dev()).ok()
}

/// Removes what lies in a directory.
fn empty(directory: &Path) {
    let own = device(directory);
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if !is_directory(&path) || device(&path) == own {
            remove(&path);
        }
    }
}

/// Removes what lies there, a directory with what is in it.
pub fn remove(path: &Path) {
    if is_directory(path) {
        empty(path);
        let _ = fs::remove_dir(path);
    } else {
        let _ = fs::remove_file(path);
    }
}

/// Whether a directory lies there, and no link to one.
pub fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_links_lead_to_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (cleared, kept) = (directory.path().join("cleared"), directory.path().join("kept"));
        fs::create_dir_all(cleared.join("a/b")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(cleared.join("a/b/file"), "").unwrap();
        fs::write(kept.join("file"), "").unwrap();
        symlink(&kept, cleared.join("a/link")).unwrap();
        empty(&cleared);
        assert_eq!(fs::read_dir(&cleared).unwrap().count(), 0);
        assert!(kept.join("file").exists());
    }

    #[test]
    fn what_was_typed_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let (home, elsewhere) = (directory.path().join("home"), directory.path().join("elsewhere"));
        for path in [
            &home.join(".local/share/fish"),
            &home.join(".history"),
            &elsewhere.join("nushell"),
        ] {
            fs::create_dir_all(path).unwrap();
        }
        let all = [
            home.join(".bash_history"),
            home.join(".local/share/fish/fish_history"),
            home.join(".local/share/fish/fish_variables"),
            home.join(".history/kept"),
            elsewhere.join("nushell/history.txt"),
        ];
        for path in &all {
            fs::write(path, "").unwrap();
        }
        symlink(&elsewhere, home.join(".config")).unwrap();
        forget(&home);
        assert_eq!(all.map(|path| path.exists()), [false, false, true, true, true]);
        symlink(&elsewhere, directory.path().join("link")).unwrap();
        fs::write(elsewhere.join(".bash_history"), "").unwrap();
        forget(&directory.path().join("link"));
        assert!(elsewhere.join(".bash_history").exists());
    }
}
