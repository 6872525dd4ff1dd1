//! Which directory is the project.

use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;

/// A project directory on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Absolute path without symbolic links.
    pub root: PathBuf,
    /// Whether it has an `agentbox.yaml`.
    pub has_config: bool,
    /// Whether it lies in a git work tree.
    pub in_git: bool,
}

impl Project {
    /// The project of a directory: the nearest directory upwards with an `agentbox.yaml`, not beyond the git top
    /// level (without git: only the directory itself); else the git top level, else the directory.
    ///
    /// # Errors
    /// A directory that does not exist.
    pub fn find(directory: &Path) -> Result<Self, Failure> {
        let directory = directory.canonicalize().map_err(|error| {
            Failure::usage(format!(
                "cannot open the project directory {}",
                directory.display()
            ))
            .because(&error)
            .hint("--project takes a directory that exists")
        })?;
        if !directory.is_dir() {
            return Err(Failure::usage(format!(
                "{} is not a directory",
                directory.display()
            )));
        }
        // A file counts too: that of a submodule or of a further work tree.
        let top = directory
            .ancestors()
            .find(|candidate| candidate.join(".git").exists());
        let last = top.unwrap_or(&directory);
        let with_config = directory
            .ancestors()
            .take_while(|candidate| candidate.starts_with(last))
            // A link that leads nowhere is a file that cannot be read, not one that is missing.
            .find(|candidate| candidate.join(CONFIG_NAME).symlink_metadata().is_ok());
        Ok(Self {
            root: with_config.unwrap_or(last).to_owned(),
            has_config: with_config.is_some(),
            in_git: top.is_some(),
        })
    }

    /// Path of the project's configuration file, whether or not it exists.
    pub fn config_path(&self) -> PathBuf {
        self.root.join(CONFIG_NAME)
    }

    /// The root as a label has it.
    pub fn label(&self) -> String {
        self.root.to_string_lossy().into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_nearest_configuration_up_to_the_git_top_level() {
        let outer = tempfile::tempdir().unwrap();
        let outer = outer.path().canonicalize().unwrap();
        let top = outer.join("repository");
        let deep = top.join("a/b");
        fs::create_dir_all(&deep).unwrap();
        fs::write(outer.join(CONFIG_NAME), "").unwrap();

        // Without git only the directory itself counts.
        assert_eq!(Project::find(&deep).unwrap().root, deep);
        fs::create_dir(top.join(".git")).unwrap();
        // The file above the top level does not count.
        let project = Project::find(&deep).unwrap();
        assert_eq!((project.root, project.has_config), (top.clone(), false));
        fs::write(top.join("a").join(CONFIG_NAME), "").unwrap();
        let project = Project::find(&deep).unwrap();
        assert_eq!((project.root, project.has_config), (top.join("a"), true));
    }
}
