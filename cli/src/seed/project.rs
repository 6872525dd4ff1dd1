//! The project directory: everything that git would not ignore, and nothing of git's own.

use std::fs::{self, File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::{CONFIG_NAME, WORKSPACE};
use ignore::WalkBuilder;

use super::{Archive, Report, Seed, relative};

/// Most warnings that are kept.
const WARNINGS: usize = 10;

/// Writes the project below `/workspace`.
///
/// # Errors
/// A file that cannot be read: a box that lacks part of the project would fail in ways that nobody understands.
pub(super) fn write(seed: &Seed, archive: &mut Archive<'_>) -> Result<Report, Failure> {
    let mut report = Report::default();
    let walk = WalkBuilder::new(&seed.project)
        .hidden(false)
        .ignore(false)
        .require_git(false)
        .parents(seed.in_git)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in walk {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => continue,
            Err(error) => return Err(unreadable(&seed.project, &error)),
        };
        let path = entry.path();
        let Ok(inside) = path.strip_prefix(&seed.project) else {
            continue;
        };
        // The project's own directory, and the configuration that was validated, are there already.
        if inside.as_os_str().is_empty() || (inside == Path::new(CONFIG_NAME) && seed.config.is_some()) {
            continue;
        }
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            // Deleted while we walk.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(path, &error)),
        };
        one(seed, archive, path, inside, &metadata, &mut report)?;
    }
    Ok(report)
}

fn one(
    seed: &Seed,
    archive: &mut Archive<'_>,
    path: &Path,
    inside: &Path,
    metadata: &Metadata,
    report: &mut Report,
) -> Result<(), Failure> {
    let target = Path::new(relative(WORKSPACE)).join(inside);
    let kind = metadata.file_type();
    let entry_type = if kind.is_dir() {
        tar::EntryType::Directory
    } else if kind.is_file() {
        tar::EntryType::Regular
    } else if kind.is_symlink() {
        tar::EntryType::Symlink
    } else {
        warn(
            report,
            format!("left out {}: not a file, directory or link", inside.display()),
        );
        return Ok(());
    };
    let size = if kind.is_file() { metadata.len() } else { 0 };
    let mut header = archive.header(entry_type, size, metadata.mode() & 0o7777, seed.owner);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or_default());
    let cannot_send =
        |error: std::io::Error| Failure::failed(format!("cannot send {}", inside.display())).because(&error);
    if kind.is_dir() {
        archive
            .builder
            .append_data(&mut header, &target, std::io::empty())
            .map_err(cannot_send)
    } else if kind.is_symlink() {
        let link = fs::read_link(path).map_err(|error| unreadable(path, &error))?;
        archive
            .builder
            .append_link(&mut header, &target, link)
            .map_err(cannot_send)
    } else {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unreadable(path, &error)),
        };
        report.files += 1;
        report.bytes += size;
        archive.sized(&mut header, &target, file).map_err(cannot_send)
    }
}

fn warn(report: &mut Report, text: String) {
    match report.warnings.len() {
        count if count < WARNINGS => report.warnings.push(text),
        WARNINGS => report.warnings.push("left out more of the kind".to_owned()),
        _ => {}
    }
}

fn unreadable(path: &Path, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::failed(format!("cannot read {}", path.display()))
        .because(error)
        .hint("make it readable, or list it in .gitignore to leave it out, then agentbox create")
}

fn is_gone(error: &ignore::Error) -> bool {
    error
        .io_error()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::super::Owner;
    use super::*;
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct Entry {
        kind: tar::EntryType,
        mode: u32,
        owner: (u64, u64),
        content: Vec<u8>,
        link: Option<String>,
    }

    fn archived(seed: &Seed) -> (BTreeMap<String, Entry>, Report) {
        let mut bytes = Vec::new();
        let report = seed.write(&mut bytes).unwrap();
        let mut entries = BTreeMap::new();
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let header = entry.header();
            entries.insert(
                path,
                Entry {
                    kind: header.entry_type(),
                    mode: header.mode().unwrap(),
                    owner: (header.uid().unwrap(), header.gid().unwrap()),
                    link: entry
                        .link_name()
                        .unwrap()
                        .map(|link| link.to_string_lossy().into_owned()),
                    content,
                },
            );
        }
        (entries, report)
    }

    #[test]
    fn what_git_ignores_stays_and_the_rest_arrives_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let long = "d/".repeat(80) + "deep.txt";
        fs::create_dir_all(root.join(&long).parent().unwrap()).unwrap();
        for (path, content) in [
            (".gitignore", "ignored\nagentbox.yaml\nnode_modules/\n"),
            ("ignored", "x"),
            ("agentbox.yaml", "stale"),
            (".hidden", "h"),
            ("script", "#!"),
            (long.as_str(), "deep"),
        ] {
            fs::write(root.join(path), content).unwrap();
        }
        for hidden in [".git", "node_modules", "sub"] {
            fs::create_dir(root.join(hidden)).unwrap();
            fs::write(root.join(hidden).join("file"), "").unwrap();
        }
        fs::write(root.join("sub/.git"), "gitdir: elsewhere").unwrap();
        fs::set_permissions(root.join("script"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", root.join("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).unwrap();

        let seed = Seed {
            owner: Owner {
                user: 1000,
                group: 1001,
            },
            identity: b"{}".to_vec(),
            config: Some(b"services: {}\n".to_vec()),
            project: root.to_owned(),
            in_git: true,
            directories: vec!["/workspace/cache".into()],
        };
        let (entries, report) = archived(&seed);
        let in_workspace: Vec<&str> = entries
            .keys()
            .filter_map(|path| path.strip_prefix("workspace/"))
            .filter(|path| !path.is_empty() && !path.starts_with('d'))
            .collect();
        assert_eq!(
            in_workspace,
            [
                ".gitignore",
                ".hidden",
                "agentbox.yaml",
                "cache/",
                "link",
                "script",
                "sub",
                "sub/file"
            ]
        );
        assert_eq!(entries["workspace/agentbox.yaml"].content, b"services: {}\n");
        assert_eq!(entries["workspace/script"].mode, 0o755);
        assert_eq!(entries["workspace/script"].owner, (1000, 1001));
        assert_eq!(entries["workspace/link"].kind, tar::EntryType::Symlink);
        assert_eq!(entries["workspace/link"].link.as_deref(), Some("/etc/passwd"));
        assert_eq!(entries[&format!("workspace/{long}")].content, b"deep");
        let private = &entries["var/lib/agentbox/private/"];
        assert_eq!((private.mode, private.owner), (0o700, (0, 0)));
        assert_eq!(entries["var/lib/agentbox/private/box.json"].mode, 0o600);
        assert_eq!(
            entries["usr/local/bin/agentbox-ctl"].content.len(),
            crate::supervisor_binary::BYTES.len()
        );
        assert_eq!(
            report.warnings,
            ["left out socket: not a file, directory or link"]
        );
        assert_eq!(report.files, 5);
    }
}
