//! What the wizard sees of a project: one bounded look, then a plain value.
//!
//! ```text
//! directory ─► Look::at (few levels, few files, never through a link) ─► Look ─► Part ─► stacks
//! ```
//!
//! A project is a stranger's. Nothing of it is run, no link is followed, nothing but regular files is opened, and
//! however large it is, the look ends.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::json::without_comments;
use super::yaml;
use crate::host_file;

/// Levels of directories below the root: `apps/web/src` has three.
const DEPTH: usize = 3;
/// Most directories that are listed.
const DIRECTORIES: usize = 600;
/// Most entries of one directory that are noted.
const ENTRIES: usize = 4000;
/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 1 << 20;
/// Most bytes of all files together.
const TOTAL_LIMIT: u64 = 24 << 20;

/// Directories that hold what was made or fetched, and those that are about something else than running the project.
const PASSED_OVER: &[&str] = &[
    "__pycache__",
    "_build",
    "bower_components",
    "build",
    "coverage",
    "deps",
    "dist",
    "examples",
    "example",
    "fixtures",
    "log",
    "logs",
    "node_modules",
    "out",
    "site-packages",
    "target",
    "templates",
    "test",
    "testdata",
    "tests",
    "tmp",
    "vendor",
    "venv",
];

/// Directories with a dot that say something about running the project.
const TELLING: &[&str] = &[".cursor", ".devcontainer"];

/// Files whose text is wanted, wherever they lie.
const WANTED: &[&str] = &[
    ".bun-version",
    ".pnp.cjs",
    ".yarnrc.yml",
    "Cargo.toml",
    "Gemfile",
    "Makefile",
    "Pipfile",
    "Procfile",
    "Procfile.dev",
    "GNUmakefile",
    "makefile",
    "application.properties",
    "application.yaml",
    "application.yml",
    "artisan",
    "build.gradle",
    "build.gradle.kts",
    "compose.yaml",
    "compose.yml",
    "composer.json",
    "conductor.json",
    "config.ru",
    "devcontainer.json",
    ".devcontainer.json",
    "docker-compose.yaml",
    "docker-compose.yml",
    "environment.json",
    "go.mod",
    "mix.exs",
    "package.json",
    "pnpm-workspace.yaml",
    "pom.xml",
    "pyproject.toml",
    "requirements.txt",
];

/// Names of programs' first files, with any of [`SOURCE_ENDINGS`].
const SOURCES: &[&str] = &[
    "__init__",
    "api",
    "app",
    "application",
    "asgi",
    "index",
    "main",
    "run",
    "server",
    "wsgi",
    "vite.config",
    "astro.config",
    "nuxt.config",
];
const SOURCE_ENDINGS: &[&str] = &[
    "cjs", "cts", "go", "js", "mjs", "mts", "php", "py", "rb", "rs", "ts",
];

/// What lies at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Directory,
    /// A regular file; its text where it is wanted and could be had.
    File {
        text: Option<String>,
        size: u64,
    },
    /// A link, a pipe, a socket, a device: nothing that is opened.
    Other,
}

/// A project as it was when it was looked at. Paths are relative to its root, with `/` between names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    entries: BTreeMap<String, Entry>,
    /// What could not be seen, for the user.
    pub(crate) notes: Vec<String>,
}

/// One directory of a project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'look> {
    look: &'look Look,
    /// Its path, empty for the root.
    pub(crate) path: &'look str,
}

struct Looker {
    look: Look,
    root: PathBuf,
    directories: usize,
    left: u64,
}

impl Look {
    /// Looks at a directory. What cannot be read is as if it were not there.
    pub(crate) fn at(root: &Path) -> Self {
        let mut looker = Looker {
            look: Self::default(),
            root: root.to_owned(),
            directories: 0,
            left: TOTAL_LIMIT,
        };
        // Breadth first: what is nearer to the root matters more, should a limit be met.
        let mut level = vec![String::new()];
        for depth in 0..=DEPTH {
            let mut next = Vec::new();
            for path in level {
                next.extend(looker.directory(&path));
            }
            level = if depth < DEPTH { next } else { Vec::new() };
        }
        looker.look.note_mistakes();
        looker.look
    }

    /// Names manifests that cannot be read: a project would seem to have none.
    fn note_mistakes(&mut self) {
        for (path, entry) in &self.entries {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Entry::File { text: Some(text), .. } = entry else {
                continue;
            };
            // What lies deeper is seldom what the project is run by.
            if directory.contains('/') {
                continue;
            }
            let mistake = match name {
                "package.json" | "composer.json" | "conductor.json" | "devcontainer.json"
                | ".devcontainer.json" => read_json(text).err().map(|error| error.to_string()),
                "environment.json" if directory == ".cursor" => {
                    read_json(text).err().map(|error| error.to_string())
                }
                "Cargo.toml" | "pyproject.toml" => {
                    let read = toml::from_str::<Value>(text);
                    read.err().map(|error| error.message().to_owned())
                }
                _ => None,
            };
            if let Some(mistake) = mistake {
                self.notes.push(format!("{path} cannot be read: {mistake}"));
            }
        }
    }

    /// The root directory.
    pub(crate) fn root(&self) -> Part<'_> {
        Part { look: self, path: "" }
    }

    /// All directories below the root, in order of their paths; those with a dot are left out.
    pub(crate) fn directories(&self) -> impl Iterator<Item = Part<'_>> {
        self.entries
            .iter()
            .filter(|(path, entry)| {
                **entry == Entry::Directory && !path.contains("/.") && !path.starts_with('.')
            })
            .map(|(path, _)| Part { look: self, path })
    }

    /// Paths of all regular files with their sizes in bytes.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries.iter().filter_map(|(path, entry)| match entry {
            Entry::File { size, .. } => Some((path.as_str(), *size)),
            Entry::Directory | Entry::Other => None,
        })
    }

    /// Whether a directory was listed, by its path.
    pub(crate) fn saw_directory(&self, path: &str) -> bool {
        path.is_empty() || self.entries.get(path) == Some(&Entry::Directory)
    }
}

impl Looker {
    /// Notes what a directory has; gives the directories to list next.
    fn directory(&mut self, path: &str) -> Vec<String> {
        if self.directories >= DIRECTORIES {
            return Vec::new();
        }
        self.directories += 1;
        let Ok(listing) = fs::read_dir(self.root.join(path)) else {
            return Vec::new();
        };
        let mut names: Vec<_> = listing
            .flatten()
            .take(ENTRIES)
            .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry)))
            .collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        let mut next = Vec::new();
        for (name, entry) in names {
            let inside = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            let Ok(kind) = entry.file_type() else { continue };
            let seen = if kind.is_dir() {
                let hidden = name.starts_with('.') && !TELLING.contains(&name.as_str());
                if hidden || PASSED_OVER.contains(&name.as_str()) {
                    continue;
                }
                next.push(inside.clone());
                Entry::Directory
            } else if kind.is_file() {
                let size = entry.metadata().map_or(0, |metadata| metadata.len());
                let is_program = path.ends_with("src/bin") && name.ends_with(".rs");
                let text = (is_wanted(&name) || is_program)
                    .then(|| self.text(&inside, size))
                    .flatten();
                Entry::File { text, size }
            } else {
                if is_wanted(&name) && !path.contains('/') {
                    self.look
                        .notes
                        .push(format!("{inside} is not a regular file and was not read"));
                }
                Entry::Other
            };
            self.look.entries.insert(inside, seen);
        }
        next
    }

    fn text(&mut self, path: &str, size: u64) -> Option<String> {
        if size > FILE_LIMIT {
            self.look
                .notes
                .push(format!("{path} is larger than 1 MiB and was not read"));
            return None;
        }
        if size > self.left {
            return None;
        }
        let mut bytes = Vec::new();
        // It may have become something else since it was listed: no link is followed, no pipe waited for.
        let file = open_regular(&self.root.join(path))?;
        file.take(FILE_LIMIT).read_to_end(&mut bytes).ok()?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        let Ok(text) = String::from_utf8(bytes) else {
            if !path.contains('/') {
                self.look
                    .notes
                    .push(format!("{path} is not UTF-8 text and was not read"));
            }
            return None;
        };
        Some(text.strip_prefix('\u{feff}').map_or(text.clone(), str::to_owned))
    }
}

fn open_regular(path: &Path) -> Option<File> {
    let file = host_file::open(path).ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}

/// JSON, or JSON with comments and trailing commas.
fn read_json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).or_else(|error| {
        // The first error has the line and column of the file as it is.
        serde_json::from_str(&without_comments(text)).map_err(|_| error)
    })
}

fn is_wanted(name: &str) -> bool {
    if WANTED.contains(&name) {
        return true;
    }
    name.rsplit_once('.')
        .is_some_and(|(stem, ending)| SOURCES.contains(&stem) && SOURCE_ENDINGS.contains(&ending))
}

impl<'look> Part<'look> {
    fn join(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}/{name}", self.path)
        }
    }

    /// Whether this is the project's root.
    pub(crate) fn is_root(&self) -> bool {
        self.path.is_empty()
    }

    /// The last name of its path, empty for the root.
    pub(crate) fn name(&self) -> &'look str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The project's root.
    pub(crate) fn project(&self) -> Self {
        Part {
            look: self.look,
            path: "",
        }
    }

    /// A directory in it, one with a dot too.
    pub(crate) fn below(&self, name: &str) -> Option<Self> {
        let (path, entry) = self.look.entries.get_key_value(&self.join(name))?;
        (*entry == Entry::Directory).then_some(Part {
            look: self.look,
            path,
        })
    }

    /// Names of the regular files right in it.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &'look str> + use<'look> {
        let prefix = self.join("");
        let below = self.look.entries.range(prefix.clone()..);
        below
            .map(move |(path, entry)| (path.strip_prefix(&prefix), entry))
            .take_while(|(rest, _)| rest.is_some())
            .filter(|(_, entry)| matches!(entry, Entry::File { .. }))
            .filter_map(|(rest, _)| rest.filter(|name| !name.contains('/')))
    }

    /// Path of something in it, from the project's root.
    pub(crate) fn path_of(&self, name: &str) -> String {
        self.join(name)
    }

    /// Whether it has this regular file.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(self.look.entries.get(&self.join(name)), Some(Entry::File { .. }))
    }

    /// The first of these files that it has.
    pub(crate) fn first_of<'name>(&self, names: &[&'name str]) -> Option<&'name str> {
        names.iter().copied().find(|name| self.has(name))
    }

    /// The text of a file.
    pub(crate) fn text(&self, name: &str) -> Option<&'look str> {
        match self.look.entries.get(&self.join(name)) {
            Some(Entry::File { text, .. }) => text.as_deref(),
            Some(Entry::Directory | Entry::Other) | None => None,
        }
    }

    /// A JSON file, which may have comments and trailing commas.
    pub(crate) fn json(&self, name: &str) -> Option<Value> {
        read_json(self.text(name)?).ok()
    }

    /// A TOML file.
    pub(crate) fn toml(&self, name: &str) -> Option<Value> {
        toml::from_str(self.text(name)?).ok()
    }

    /// A YAML file; all scalars but nulls are strings.
    pub(crate) fn yaml(&self, name: &str) -> Option<Value> {
        yaml::read(self.text(name)?).ok()
    }

    /// The directories right below it.
    pub(crate) fn children(&self) -> impl Iterator<Item = Part<'look>> + use<'look> {
        let prefix = if self.path.is_empty() {
            String::new()
        } else {
            format!("{}/", self.path)
        };
        let look = self.look;
        let below = look.entries.range(prefix.clone()..);
        below
            .map(move |(path, entry)| (path.strip_prefix(&prefix), path, entry))
            .take_while(|(rest, ..)| rest.is_some())
            .filter_map(move |(rest, path, entry)| {
                let name = rest.filter(|name| !name.contains('/') && !name.starts_with('.'))?;
                let is_directory = !name.is_empty() && *entry == Entry::Directory;
                is_directory.then_some(Part { look, path })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_and_pipes_are_not_opened_and_large_files_not_read() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("package.json"), "{\"name\":\"secret\"}").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        symlink(outside.path(), root.join("apps")).unwrap();
        symlink(outside.path().join("package.json"), root.join("package.json")).unwrap();
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            root.join("go.mod"),
            rustix::fs::Mode::from_raw_mode(0o600),
        )
        .unwrap();
        fs::create_dir(root.join("Cargo.toml")).unwrap();
        fs::write(root.join("pyproject.toml"), vec![b' '; (FILE_LIMIT + 1) as usize]).unwrap();

        let look = Look::at(root);
        let part = look.root();
        for name in ["package.json", "go.mod", "Cargo.toml", "pyproject.toml"] {
            assert_eq!(part.text(name), None, "{name}");
        }
        assert!(part.has("pyproject.toml") && !part.has("package.json") && !part.has("Cargo.toml"));
        assert!(!look.saw_directory("apps"));
        assert_eq!(
            look.notes,
            [
                "go.mod is not a regular file and was not read",
                "package.json is not a regular file and was not read",
                "pyproject.toml is larger than 1 MiB and was not read"
            ]
        );
    }

    #[test]
    fn a_deep_or_wide_project_ends_the_look() {
        let directory = tempfile::tempdir().unwrap();
        let deep = directory.path().join("a/b/c/d/e");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("package.json"), "{}").unwrap();
        for number in 0..DIRECTORIES + 50 {
            fs::create_dir(directory.path().join(format!("z{number}"))).unwrap();
        }
        let look = Look::at(directory.path());
        assert!(look.saw_directory("a"));
        assert!(look.files().next().is_none());
    }
}
