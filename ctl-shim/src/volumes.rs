//! The named volumes of a new box. Docker makes a volume root's, and so every directory above it that the image does not
//! have; the box user could not write there, nor the project's directories be filled.

use std::fs;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;

use crate::paths;
use crate::process::users::Credentials;

/// Gives the user those that are empty, or hold what was carried there, and what lies above them in the workspace and in the user's home. What somebody
/// else owns stays theirs: the image means it so.
pub fn give(volumes: &[String], user: &Credentials) {
    for volume in volumes {
        let path = Path::new(volume);
        if holds_only_theirs(path, user) {
            hand_over(path, user);
        }
        for above in path.ancestors().skip(1) {
            if is_below(above, paths::WORKSPACE) || is_below(above, &user.home) {
                hand_over(above, user);
            }
        }
    }
}

/// Whether nothing of anybody else's lies there.
fn holds_only_theirs(directory: &Path, user: &Credentials) -> bool {
    let theirs = |entry: fs::DirEntry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user.uid);
    fs::read_dir(directory).is_ok_and(|entries| entries.flatten().all(theirs))
}

fn hand_over(directory: &Path, user: &Credentials) {
    let is_roots =
        fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == 0);
    if is_roots {
        // One that keeps its owner is one that the user cannot write to, as they will see.
        let _ = lchown(directory, Some(user.uid), Some(user.gid));
    }
}

fn is_below(path: &Path, directory: &str) -> bool {
    directory != "/" && path != Path::new(directory) && path.starts_with(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_above_is_the_user_s_in_the_workspace_and_at_home() {
        let below = |path: &str, directory: &str| is_below(Path::new(path), directory);
        assert!(below("/workspace/apps", "/workspace"));
        assert!(!below("/workspace", "/workspace"));
        assert!(!below("/workspaces/apps", "/workspace"));
        assert!(below("/home/node/.cache/x", "/home/node"));
        assert!(!below("/opt", "/"), "a user without a home");
    }
}
