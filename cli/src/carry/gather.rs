//! From the entries of the file to what lies on this host: where, how much, and what is odd about it.

use std::io;
use std::path::{Path, PathBuf};

use agentbox_ctl::config::model::Carry;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::approve::shown;
use super::pattern::Excludes;
use super::tree::{self, Allowance, Item, ItemKind, Tree};
use super::{Entry, Found, MAX_SECRET_BYTES, Plan, suspicion};

/// Most examples in one warning.
const EXAMPLES: usize = 3;
/// Files that the engine lays over the box's own at every start.
const ENGINE: [&str; 3] = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];

/// What sources are relative to.
#[derive(Debug, Clone, Copy)]
pub struct Roots<'a> {
    /// The project, absolute and without links.
    pub project: &'a Path,
    /// The user's home directory, where there is one.
    pub home: Option<&'a Path>,
}

/// Looks at the sources of all entries.
///
/// # Errors
/// A source that is missing and not optional, is the kernel's, cannot be read or is no file; more than `max_bytes`
/// in all; destinations that exclude each other, or that the project has in another form.
pub fn gather(entries: &[Carry], roots: Roots<'_>, max_bytes: u64) -> Result<Plan, Failure> {
    let mut allowance = Allowance::new(max_bytes);
    let mut plan = Plan::default();
    for carry in entries {
        let found = find(carry, roots, &mut allowance)?;
        if let Some(found) = &found {
            check_project(carry, &found.tree, roots.project)?;
        }
        plan.entries.push(Entry {
            carry: carry.clone(),
            found,
        });
    }
    let secret: u64 = plan
        .found()
        .filter(|(entry, _)| entry.carry.secret)
        .map(|(_, found)| found.tree.bytes)
        .sum();
    if secret > MAX_SECRET_BYTES {
        return Err(Failure::failed(format!(
            "the secrets of carry have more than {} MiB, and they lie in the box's memory",
            MAX_SECRET_BYTES >> 20
        ))
        .hint("leave files out with exclude, or carry them without secret: true"));
    }
    check_nesting(&plan)?;
    Ok(plan)
}

fn find(carry: &Carry, roots: Roots<'_>, allowance: &mut Allowance) -> Result<Option<Found>, Failure> {
    let (base, written) = resolve(&carry.src, roots)?;
    let source = match written.canonicalize() {
        Ok(source) => source,
        Err(error) if carry.optional && is_missing(&error) => return Ok(None),
        Err(error) => {
            return Err(Failure::failed(format!("cannot carry {}", shown(&written)))
                .because(&error)
                .hint("make it, mark the entry optional: true, or agentbox create --carry skip"));
        }
    };
    if source.parent().is_none() {
        return Err(
            Failure::failed(format!("{} leads to the whole file system", shown(&written)))
                .hint("name a file or directory as src in agentbox.yaml"),
        );
    }
    if tree::is_kernels(&source) {
        return Err(tree::kernels(&source));
    }
    let mut secrets = Vec::new();
    let excludes = Excludes::new(&carry.exclude);
    let tree = tree::walk(&source, &excludes, allowance, &mut |below, file| {
        let path = joined(&source, below);
        // The name that is written counts too: a link with a harmless name is no disguise, nor the other way round.
        let by_path = suspicion::of_path(&path).or_else(|| suspicion::of_path(&joined(&written, below)));
        let reason = match by_path {
            Some(reason) => Some(reason),
            None => suspicion::of_content(file)?,
        };
        if let Some(reason) = reason {
            secrets.push((below.to_owned(), reason));
        }
        Ok(())
    })?;
    let is_file = !matches!(
        tree.items.first().map(|item| &item.kind),
        Some(ItemKind::Directory)
    );
    if is_file && !carry.exclude.is_empty() {
        return Err(Failure::failed(format!(
            "exclude has no effect on {}, which is a file",
            shown(&written)
        ))
        .hint("remove exclude from that entry of agentbox.yaml"));
    }
    let mut warnings = Vec::new();
    warnings.extend(leaves(&written, &source, base.as_deref()));
    warnings.extend(outward_links(&source, &tree));
    warnings.extend(secret_looking(&secrets, carry.secret));
    Ok(Some(Found {
        path: source,
        tree,
        warnings,
    }))
}

/// The source's path as written, and the directory that it is said to lie in.
fn resolve(src: &str, roots: Roots<'_>) -> Result<(Option<PathBuf>, PathBuf), Failure> {
    if let Some(below) = src.strip_prefix("./") {
        return Ok((Some(roots.project.to_owned()), roots.project.join(below)));
    }
    let Some(below) = src.strip_prefix("~/") else {
        return Ok((None, PathBuf::from(src)));
    };
    let home = roots.home.filter(|home| home.is_absolute()).ok_or_else(|| {
        Failure::failed(format!(
            "cannot carry {}: there is no home directory",
            shown(Path::new(src))
        ))
        .hint("set HOME")
    })?;
    Ok((Some(home.to_owned()), home.join(below)))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn joined(path: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() {
        path.to_owned()
    } else {
        path.join(below)
    }
}

/// A warning where a link leads out of the directory that the entry names; without one, wherever it leads.
fn leaves(written: &Path, source: &Path, base: Option<&Path>) -> Option<String> {
    let is_where_it_says = match base {
        Some(base) => base.canonicalize().is_ok_and(|base| source.starts_with(base)),
        None => source == written,
    };
    (!is_where_it_says).then(|| format!("a link leads elsewhere: what is copied is {}", shown(source)))
}

/// A warning for links in a directory that lead out of it: the box sees them, but not what they lead to.
fn outward_links(source: &Path, tree: &Tree) -> Option<String> {
    let leads_out = |item: &&Item| match &item.kind {
        ItemKind::Link(target) => {
            let mut depth = item.below.components().count();
            depth = depth.saturating_sub(1);
            target.is_absolute()
                || target.components().any(|part| match part {
                    std::path::Component::ParentDir if depth == 0 => true,
                    std::path::Component::ParentDir => {
                        depth -= 1;
                        false
                    }
                    std::path::Component::Normal(_) => {
                        depth += 1;
                        false
                    }
                    _ => false,
                })
        }
        _ => false,
    };
    let links: Vec<&Path> = tree
        .items
        .iter()
        .filter(leads_out)
        .map(|item| item.below.as_path())
        .collect();
    let list = examples(&links)?;
    Some(format!(
        "copied as links, which lead out of {}: {list}",
        shown(source)
    ))
}

fn secret_looking(secrets: &[(PathBuf, String)], is_secret: bool) -> Option<String> {
    let (first, reason) = secrets.first()?;
    let advice = if is_secret {
        ""
    } else {
        "; secret: true would keep it out of the box's file system"
    };
    if first.as_os_str().is_empty() {
        return Some(format!("it looks like a secret ({reason}){advice}"));
    }
    let paths: Vec<&Path> = secrets.iter().map(|(path, _)| path.as_path()).collect();
    let list = examples(&paths)?;
    Some(format!("looks like secrets: {list}{advice}"))
}

/// The first few paths, and how many more there are.
fn examples(paths: &[&Path]) -> Option<String> {
    let first: Vec<String> = paths.iter().take(EXAMPLES).map(|path| shown(path)).collect();
    let more = paths.len().saturating_sub(EXAMPLES);
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, more) => Some(format!("{} and {more} more", first.join(", "))),
    }
}

/// What the project has at a path of the box must be of the same sort: one of the two would replace the other.
fn check_project(carry: &Carry, tree: &Tree, project: &Path) -> Result<(), Failure> {
    if ENGINE.contains(&carry.dest.as_str()) {
        return Err(Failure::failed(format!(
            "{} of a box is written by the engine at every start",
            carry.dest
        ))
        .hint("choose another dest in agentbox.yaml"));
    }
    let Some(below) = carry.dest.strip_prefix(paths::WORKSPACE) else {
        return Ok(());
    };
    let top = project.join(below.trim_start_matches('/'));
    let conflict = |path: &Path, wants_directory: bool| -> Result<(), Failure> {
        let Ok(there) = path.symlink_metadata() else {
            return Ok(());
        };
        if there.is_dir() == wants_directory {
            return Ok(());
        }
        let what = if wants_directory {
            "is no directory in the project, and carry wants one there"
        } else {
            "is a directory of the project, and carry wants a file there"
        };
        Err(Failure::failed(format!("{} {what}", shown(path))).hint("choose another dest in agentbox.yaml"))
    };
    let above = top.ancestors().skip(1);
    for directory in above.take_while(|directory| directory.starts_with(project)) {
        conflict(directory, true)?;
    }
    if carry.secret {
        return conflict(&top, false);
    }
    for item in &tree.items {
        conflict(&joined(&top, &item.below), item.kind == ItemKind::Directory)?;
    }
    Ok(())
}

/// A destination may lie in that of another entry only where that is a directory of the box.
fn check_nesting(plan: &Plan) -> Result<(), Failure> {
    let is_open = |entry: &Entry, found: &Found| {
        !entry.carry.secret
            && found
                .tree
                .items
                .first()
                .is_some_and(|top| top.kind == ItemKind::Directory)
    };
    let closed: Vec<&str> = plan
        .found()
        .filter(|(entry, found)| !is_open(entry, found))
        .map(|(entry, _)| entry.carry.dest.as_str())
        .collect();
    for (entry, _) in plan.found() {
        let dest = Path::new(&entry.carry.dest);
        let outer = closed
            .iter()
            .find(|outer| **outer != entry.carry.dest && dest.starts_with(outer));
        if let Some(outer) = outer {
            return Err(Failure::failed(format!(
                "{} lies below {}, which another entry of carry makes a file or a link",
                shown(dest),
                shown(Path::new(outer))
            ))
            .hint("choose another dest in agentbox.yaml"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    struct Host {
        _directory: tempfile::TempDir,
        project: PathBuf,
        home: PathBuf,
    }

    fn host() -> Host {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (project, home) = (root.join("shop"), root.join("me"));
        fs::create_dir(&project).unwrap();
        fs::create_dir(&home).unwrap();
        Host {
            _directory: directory,
            project,
            home,
        }
    }

    fn gathered(host: &Host, yaml: &str) -> Result<Plan, Failure> {
        let loaded = agentbox_ctl::config::load(yaml, &agentbox_ctl::config::LoadOptions::default());
        let roots = Roots {
            project: &host.project,
            home: Some(&host.home),
        };
        gather(&loaded.config.unwrap().carry, roots, 1000)
    }

    fn warnings(host: &Host, yaml: &str) -> String {
        let plan = gathered(host, yaml).unwrap();
        let all: Vec<String> = plan
            .found()
            .flat_map(|(_, found)| found.warnings.clone())
            .collect();
        all.join("\n")
            .replace(&host.project.display().to_string(), "PROJECT")
            .replace(&host.home.display().to_string(), "HOME")
    }

    fn refusal(host: &Host, yaml: &str) -> String {
        let text = gathered(host, yaml).unwrap_err().message;
        text.replace(&host.project.display().to_string(), "PROJECT")
            .replace(&host.home.display().to_string(), "HOME")
    }

    #[test]
    fn warnings_say_what_is_copied() {
        let host = host();
        fs::write(host.home.join("plain"), "x").unwrap();
        fs::write(host.home.join(".npmrc"), "x").unwrap();
        symlink(host.home.join(".npmrc"), host.project.join("innocent")).unwrap();
        fs::create_dir_all(host.project.join("d/e")).unwrap();
        for (link, target) in [
            ("up", "../.."),
            ("root", "/etc/x"),
            ("e/in", "../up"),
            ("self", "."),
        ] {
            symlink(target, host.project.join("d").join(link)).unwrap();
        }
        fs::write(host.project.join("d/k"), "-----BEGIN PRIVATE KEY-----").unwrap();
        assert_eq!(warnings(&host, "carry: [~/plain]"), "");
        insta::assert_snapshot!(warnings(&host, "carry: [./innocent=/x]"), @r"
        a link leads elsewhere: what is copied is HOME/.npmrc
        it looks like a secret (its name); secret: true would keep it out of the box's file system
        ");
        insta::assert_snapshot!(
            warnings(&host, "carry: [{src: ~/.npmrc, secret: true}]"),
            @"it looks like a secret (its name)"
        );
        insta::assert_snapshot!(warnings(&host, "carry: [./d]"), @r"
        copied as links, which lead out of PROJECT/d: root, up
        looks like secrets: k; secret: true would keep it out of the box's file system
        ");
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        let host = host();
        fs::write(host.project.join("file"), "x").unwrap();
        fs::create_dir_all(host.project.join("dir/sub")).unwrap();
        symlink("/proc/sys", host.project.join("kernel")).unwrap();
        symlink("loop", host.project.join("loop")).unwrap();
        symlink("/", host.project.join("all")).unwrap();
        symlink("/etc", host.project.join("etc")).unwrap();
        fs::write(host.home.join("big"), "x".repeat(1001)).unwrap();
        let cases = [
            "carry: [./missing]",
            "carry: [./kernel]",
            "carry: [./kernel/kernel/hostname=/e]",
            "carry: [./loop]",
            "carry: [./all=/x]",
            "carry: [~/big]",
            "carry: [./file=/workspace/dir]",
            "carry: [./dir=/workspace/file]",
            "carry: [./file=/workspace/file/below]",
            "carry: [./file=/workspace/etc/below]",
            "carry: [./file=/a, ./file=/a/b]",
            "carry: [{src: ./dir, dest: /a, secret: true}, ./file=/a/b]",
            "carry: [{src: ./file, dest: /a, exclude: [x]}]",
            "carry: [./file=/etc/hosts]",
        ];
        let all: Vec<String> = cases.iter().map(|yaml| refusal(&host, yaml)).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
cannot carry PROJECT/missing
/proc/sys is the kernel's, and not for carry
/proc/sys/kernel/hostname is the kernel's, and not for carry
cannot carry PROJECT/loop
PROJECT/all leads to the whole file system
carry has more than 1000 B, the most that carry.max_bytes allows
PROJECT/dir is a directory of the project, and carry wants a file there
PROJECT/file is no directory in the project, and carry wants one there
PROJECT/file is no directory in the project, and carry wants one there
PROJECT/etc is no directory in the project, and carry wants one there
/a/b lies below /a, which another entry of carry makes a file or a link
/a/b lies below /a, which another entry of carry makes a file or a link
exclude has no effect on PROJECT/file, which is a file
/etc/hosts of a box is written by the engine at every start
"#);
        assert!(
            gathered(&host, "carry: [{src: ./missing, optional: true}]")
                .unwrap()
                .is_empty()
        );
        assert!(gathered(&host, "carry: [./dir=/a, ./file=/a/b, ./file]").is_ok());
    }

    #[test]
    fn secrets_must_fit_into_memory() {
        let host = host();
        let file = fs::File::create(host.home.join("large")).unwrap();
        file.set_len(MAX_SECRET_BYTES + 1).unwrap();
        let carry = Carry {
            src: "~/large".to_owned(),
            dest: "~/large".to_owned(),
            secret: true,
            ..Carry::default()
        };
        let roots = Roots {
            project: &host.project,
            home: Some(&host.home),
        };
        assert!(
            gather(&[carry], roots, 1 << 30)
                .unwrap_err()
                .message
                .contains("16 MiB")
        );
    }
}
