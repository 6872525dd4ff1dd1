//! The settings files of a user: where they lie, how they are read and how they are changed.
//!
//! Writers take turns by a lock beside the files. A file is replaced as a whole, so a reader, who takes no lock, and
//! whoever comes after a crash, find the old text or the new one.

use std::ffi::OsString;
use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use agentbox_ctl::config;
use agentbox_ctl::config::settings::Entry;
use agentbox_ctl::failure::Failure;

use super::change::Change;
use super::edit::{Edited, edit};
use super::layers::below_home;
use crate::project_config;

/// Longest name of a file, in bytes, with room for the ending of a temporary one.
const LONGEST_NAME: usize = 200;

/// Whose settings a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One project's.
    Project,
    /// All projects'.
    Global,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Project => "project settings",
            Self::Global => "global settings",
        })
    }
}

/// One settings file, which may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFile {
    /// Whose it is.
    pub scope: Scope,
    /// Where it lies.
    pub path: PathBuf,
    /// The directory of all settings files, which has the lock.
    directory: PathBuf,
    /// First line of a new file.
    heading: Option<String>,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// Nothing: it was so already.
    Not,
    /// The lines of the key.
    InPlace,
    /// The whole file was written anew; its comments are at its top now.
    Anew,
}

impl SettingsFile {
    /// The file for all projects, in the user's directory for agentbox.
    pub fn global(directory: &Path) -> Self {
        Self {
            scope: Scope::Global,
            path: directory.join("config.yaml"),
            directory: directory.to_owned(),
            heading: None,
        }
    }

    /// The file of the project at `root`, an absolute path without links.
    pub fn of_project(directory: &Path, root: &Path) -> Self {
        Self {
            scope: Scope::Project,
            path: directory.join("projects").join(file_name(root)),
            directory: directory.to_owned(),
            heading: Some(format!(
                "# Settings of {:?} for agentbox.\n",
                root.display().to_string()
            )),
        }
    }

    /// The file as messages name it.
    pub fn shown(&self, home: Option<&Path>) -> String {
        below_home(&self.path, home)
    }

    /// Reads and checks it. A missing file has no settings.
    ///
    /// # Errors
    /// All its mistakes in one usage failure (2); a file that cannot be read.
    pub fn read(&self, home: Option<&Path>) -> Result<Vec<Entry>, Failure> {
        Ok(self.read_text(home)?.1)
    }

    fn read_text(&self, home: Option<&Path>) -> Result<(String, Vec<Entry>), Failure> {
        let bytes = project_config::read(&self.path)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match config::load_settings(&bytes) {
            Ok(entries) => Ok((text, entries)),
            Err(mistakes) => {
                let name = self.shown(home);
                let mut failure = Failure::usage(format!("{name} has mistakes"));
                failure.rendered = Some(config::render(&name, &text, &mistakes));
                Err(failure)
            }
        }
    }

    /// Changes it, alone among all writers.
    ///
    /// # Errors
    /// A file that has mistakes already (2), entries that contradict each other (2), one that cannot be written.
    /// It is as before then.
    pub fn change(&self, change: &Change, home: Option<&Path>) -> Result<Changed, Failure> {
        let cannot = |error: io::Error| {
            Failure::failed(format!("cannot write {}", self.shown(home)))
                .because(&error)
                .hint(format!("ls -ld {}", self.directory.display()))
        };
        // A link to somewhere else stays one: what it leads to is replaced.
        let target = match self.path.canonicalize() {
            Ok(target) => target,
            Err(_) => self.path.clone(),
        };
        let parent = target.parent().unwrap_or(&self.directory);
        for directory in [self.directory.as_path(), parent] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(directory)
                .map_err(cannot)?;
        }
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.directory.join(".lock"))
            .map_err(cannot)?;
        lock.lock().map_err(cannot)?;
        let (text, before) = self.read_text(home)?;
        if same(&change.apply(&before), &before) {
            return Ok(Changed::Not);
        }
        let start = match &self.heading {
            Some(heading) if text.is_empty() => heading.clone(),
            _ => text,
        };
        let Edited { text, anew } = edit(&start, &before, change).map_err(|wrong| {
            Failure::usage(format!("cannot change {}", self.shown(home)))
                .cause(wrong)
                .hint(format!("agentbox config get {}", change.key().name))
        })?;
        replace(&target, parent, &text).map_err(cannot)?;
        Ok(if anew { Changed::Anew } else { Changed::InPlace })
    }
}

fn same(left: &[Entry], right: &[Entry]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| (left.key, &left.name, &left.text) == (right.key, &right.name, &right.text))
}

/// Puts a new file in the place of an old one. Only the user may read it: variables may be secrets.
fn replace(target: &Path, directory: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target).map_err(|error| error.error)?;
    // The rename itself is safe only once the directory is; a file system that cannot do that is no reason to fail.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}

/// The name of a project's file: its path with `%` for `/`, as editors name their swap files. What that makes too long
/// is cut to its end, behind a number of the whole.
fn file_name(root: &Path) -> OsString {
    let mut name = Vec::new();
    for &byte in root.as_os_str().as_bytes() {
        match byte {
            b'/' => name.push(b'%'),
            b'%' => name.extend(b"%%"),
            other => name.push(other),
        }
    }
    if name.len() > LONGEST_NAME {
        let mut short = format!("{:016x}-", number_of(root.as_os_str().as_bytes())).into_bytes();
        short.extend_from_slice(&name[name.len() - (LONGEST_NAME - short.len())..]);
        name = short;
    }
    name.extend(b".yaml");
    OsString::from_vec(name)
}

/// FNV-1a, 64 bits.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |number, &byte| {
        (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentbox_ctl::config::settings::key;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn set(name: &str, value: &str) -> Change {
        Change::set(key(name).unwrap(), None, value).unwrap()
    }

    #[test]
    fn names_of_files_are_one_to_one() {
        let name = |path: &str| file_name(Path::new(path)).into_string().unwrap();
        assert_eq!(name("/home/me/shop"), "%home%me%shop.yaml");
        assert_eq!(name("/home/me%shop"), "%home%me%%shop.yaml");
        let long = format!("/{}", "x".repeat(300));
        assert!(name(&long).len() <= LONGEST_NAME + 5);
        assert_ne!(name(&long), name(&long.replacen('x', "y", 1)));
    }

    #[test]
    fn a_change_makes_what_it_needs_for_the_user_alone() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("config/agentbox");
        let file = SettingsFile::of_project(&directory, Path::new("/p\nq"));
        assert_eq!(file.read(None), Ok(Vec::new()));
        assert_eq!(file.change(&set("box.memory", "4g"), None), Ok(Changed::InPlace));
        assert_eq!(file.change(&set("box.memory", "4g"), None), Ok(Changed::Not));
        let text = fs::read_to_string(&file.path).unwrap();
        assert_eq!(
            text,
            "# Settings of \"/p\\nq\" for agentbox.\nbox:\n  memory: 4g\n"
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(&directory)), (0o600, 0o700));
        fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
        file.change(&set("box.memory", "5g"), None).unwrap();
        assert_eq!(mode(&file.path), 0o600);
        // The lock and the file: nothing temporary is left.
        assert_eq!(fs::read_dir(file.path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_with_mistakes_is_told_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let file = SettingsFile::global(home.path());
        fs::write(&file.path, "box:\n  memroy: 4g\n").unwrap();
        let failure = file
            .change(&set("box.memory", "4g"), Some(home.path()))
            .unwrap_err();
        assert_eq!(failure.kind.exit_code(), 2);
        insta::assert_snapshot!(failure.render(), @r#"
error: ~/config.yaml:2:3: unknown key "memroy" in box of the file
  2 |   memroy: 4g
    |   ^^^^^^
  hint: did you mean "memory"?
"#);
        assert_eq!(fs::read_to_string(&file.path).unwrap(), "box:\n  memroy: 4g\n");
    }

    #[test]
    fn a_link_stays_a_link() {
        let home = tempfile::tempdir().unwrap();
        let real = home.path().join("dotfiles.yaml");
        fs::write(&real, "# linked\n").unwrap();
        let directory = home.path().join("agentbox");
        fs::create_dir(&directory).unwrap();
        let file = SettingsFile::global(&directory);
        symlink(&real, &file.path).unwrap();
        file.change(&set("box.memory", "4g"), None).unwrap();
        assert!(file.path.is_symlink());
        assert_eq!(
            fs::read_to_string(&real).unwrap(),
            "# linked\nbox:\n  memory: 4g\n"
        );
    }

    #[test]
    fn writers_take_turns() {
        let home = tempfile::tempdir().unwrap();
        let file = SettingsFile::global(home.path());
        std::thread::scope(|scope| {
            for number in 0..16 {
                let file = &file;
                scope.spawn(move || {
                    let name = Some(format!("V{number}"));
                    let change = Change::set(key("box.env").unwrap(), name, "x").unwrap();
                    file.change(&change, None).unwrap();
                });
            }
        });
        assert_eq!(file.read(None).unwrap().len(), 16);
    }
}
