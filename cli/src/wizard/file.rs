//! Putting the file into the project: whole or not at all, and never over one that is there.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;

/// Writes `agentbox.yaml` into a directory.
///
/// # Errors
/// One that is there already, a directory that cannot be written, a disk that is full. Nothing is left behind then.
pub(crate) fn write(directory: &Path, text: &str) -> Result<(), Failure> {
    let path = directory.join(CONFIG_NAME);
    let cannot = |error: &std::io::Error| {
        if error.kind() == std::io::ErrorKind::AlreadyExists {
            return exists(&path);
        }
        Failure::failed(format!("cannot write {}", path.display()))
            .because(error)
            .hint(format!("ls -ld {}", directory.display()))
    };
    let mut file = tempfile::Builder::new()
        .prefix(".agentbox.yaml.")
        // Less the user's umask, as any file.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(|error| cannot(&error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| cannot(&error))?;
    file.persist_noclobber(&path)
        .map_err(|error| cannot(&error.error))?;
    Ok(())
}

/// There is a file already.
pub(crate) fn exists(path: &Path) -> Failure {
    Failure::failed(format!("{} exists already", path.display()))
        .hint("agentbox validate checks it, agentbox init --print shows what would be proposed")
}

/// Keeps a text that a person wrote and that could not be put where it belongs; says where.
pub(crate) fn keep(text: &str) -> Option<String> {
    let mut file = tempfile::Builder::new()
        .prefix("agentbox-")
        .suffix(".yaml")
        .tempfile()
        .ok()?;
    file.write_all(text.as_bytes()).ok()?;
    let (_, path) = file.keep().ok()?;
    Some(path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_is_there_stays() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), "a: 1\n").unwrap();
        let failure = write(directory.path(), "b: 2\n").unwrap_err();
        assert!(
            failure.message.ends_with("agentbox.yaml exists already"),
            "{failure}"
        );
        assert_eq!(
            fs::read_to_string(directory.path().join(CONFIG_NAME)).unwrap(),
            "a: 1\n"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        // A link that leads nowhere is something, too.
        let other = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", other.path().join(CONFIG_NAME)).unwrap();
        assert!(write(other.path(), "b: 2\n").is_err());
        assert!(!other.path().join("nowhere").exists());
    }
}
