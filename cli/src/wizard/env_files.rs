//! Env files that git ignores: a copy of the project lacks them, and programs miss them.

use std::collections::HashSet;
use std::path::Path;

use ignore::WalkBuilder;

use super::look::Look;

/// Most files that are offered.
const LIMIT: usize = 40;
/// Largest one that is offered, in bytes: more is no env file.
const SIZE_LIMIT: u64 = 1 << 20;

/// A file of the project's that git ignores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvFile {
    /// From the project's root.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
}

/// The env files of a project that would not come along with it. Links are left out: where they lead is not the
/// project's to say.
pub(crate) fn ignored(root: &Path, in_git: bool, look: &Look) -> Vec<EnvFile> {
    let candidates: Vec<EnvFile> = look
        .files()
        .filter(|(path, size)| is_env_file(path.rsplit('/').next().unwrap_or(path)) && *size <= SIZE_LIMIT)
        .take(LIMIT)
        .map(|(path, size)| EnvFile {
            path: path.to_owned(),
            size,
        })
        .collect();
    if candidates.is_empty() {
        return candidates;
    }
    let coming = not_ignored(root, in_git, look, &candidates);
    candidates
        .into_iter()
        .filter(|file| !coming.contains(&file.path))
        .collect()
}

/// Those of the candidates that the project's copy has, by the same rules.
fn not_ignored(root: &Path, in_git: bool, look: &Look, candidates: &[EnvFile]) -> HashSet<String> {
    let look = look.clone();
    let wanted: HashSet<String> = candidates.iter().map(|file| file.path.clone()).collect();
    let names = wanted.clone();
    let base = root.to_owned();
    let inside = move |path: &Path| path.strip_prefix(&base).ok()?.to_str().map(str::to_owned);
    let relative = inside.clone();
    WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .require_git(false)
        .parents(in_git)
        .filter_entry(move |entry| {
            relative(entry.path()).is_some_and(|path| look.saw_directory(&path) || names.contains(&path))
        })
        .build()
        .flatten()
        .filter_map(|entry| inside(entry.path()))
        .filter(|path| wanted.contains(path))
        .collect()
}

/// By its name; patterns to copy from are no env files.
fn is_env_file(name: &str) -> bool {
    let is_pattern = ["example", "sample", "template", "dist", "schema", "defaults"]
        .iter()
        .any(|word| name.split('.').any(|part| part == *word));
    let is_env = name == ".envrc"
        || [".env", ".dev.vars", ".flaskenv"]
            .iter()
            .any(|stem| name == *stem || name.strip_prefix(stem).is_some_and(|rest| rest.starts_with('.')));
    is_env && !is_pattern && !name.ends_with('~')
}

/// A size as people read it.
pub(crate) fn shown_size(bytes: u64) -> String {
    match bytes {
        1 => "1 byte".to_owned(),
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{} KiB", bytes.div_ceil(1024)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn names() {
        for name in [
            ".env",
            ".env.local",
            ".envrc",
            ".dev.vars",
            ".env.production.local",
        ] {
            assert!(is_env_file(name), "{name}");
        }
        for name in [
            ".env.example",
            ".env.local.sample",
            "env",
            ".environment",
            ".envrc.template",
            ".env~",
        ] {
            assert!(!is_env_file(name), "{name}");
        }
    }

    #[test]
    fn only_what_git_ignores_is_offered() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        fs::create_dir_all(root.join("apps/web")).unwrap();
        fs::create_dir_all(root.join("node_modules/x")).unwrap();
        fs::write(root.join(".gitignore"), ".env*\n!.env.example\nnode_modules\n").unwrap();
        for path in [
            ".env",
            ".env.example",
            "apps/web/.env.local",
            ".envrc",
            "node_modules/x/.env",
        ] {
            fs::write(root.join(path), "A=1\n").unwrap();
        }
        fs::write(root.join("apps/web/.gitignore"), "!.env.local\n").unwrap();
        symlink("/etc/passwd", root.join(".env.link")).unwrap();
        let look = Look::at(root);
        let found: Vec<String> = ignored(root, true, &look)
            .into_iter()
            .map(|file| file.path)
            .collect();
        assert_eq!(found, [".env", ".envrc"]);
    }
}
