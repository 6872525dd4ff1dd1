//! Where the programs under test are.

use std::path::{Path, PathBuf};

/// The `agentbox` binary: `AGENTBOX_TEST_BINARY`, else the one beside the test executable's directory.
///
/// # Panics
/// Where it has not been built.
pub fn agentbox() -> PathBuf {
    if let Some(path) = std::env::var_os("AGENTBOX_TEST_BINARY") {
        return PathBuf::from(path);
    }
    built("agentbox").unwrap_or_else(|| panic!("no `agentbox` binary: run `cargo build --workspace` first"))
}

/// The supervisor built for this machine, as a program of its own.
///
/// # Panics
/// Where it has not been built.
pub fn agentbox_ctl() -> PathBuf {
    if let Some(path) = std::env::var_os("AGENTBOX_TEST_CTL_BINARY") {
        return PathBuf::from(path);
    }
    built("agentbox-ctl")
        .unwrap_or_else(|| panic!("no `agentbox-ctl` binary: run `cargo build --workspace` first"))
}

/// A directory inside the target directory for what the tests make once and keep.
///
/// # Panics
/// Where it cannot be made.
pub fn cache_directory() -> PathBuf {
    let directory = profile_directory()
        .parent()
        .map_or_else(std::env::temp_dir, Path::to_path_buf)
        .join("agentbox-tests");
    std::fs::create_dir_all(&directory).expect("the cache directory can be made");
    directory
}

fn built(name: &str) -> Option<PathBuf> {
    let path = profile_directory().join(name);
    path.is_file().then_some(path)
}

/// `target/<profile>`: test executables lie in `deps` below it, others in it.
fn profile_directory() -> PathBuf {
    let executable = std::env::current_exe().expect("the test executable has a path");
    let directory = executable
        .parent()
        .expect("the test executable lies in a directory");
    if directory.file_name().is_some_and(|name| name == "deps") {
        directory.parent().unwrap_or(directory).to_path_buf()
    } else {
        directory.to_path_buf()
    }
}
