//! From a plan to paths, owners and modes of one box: pure, once it is known what the box's image has.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::approve::shown;
use super::people::{People, is_in};
use super::{Entry, Found, Item, ItemKind, Plan, Stamp};
use crate::seed::Owner;

/// Mode of directories that have to be made.
const MADE: u32 = 0o755;
/// The same for a secret in the user's home, such as `~/.aws`.
const MADE_FOR_SECRET: u32 = 0o700;
/// The box's own, and the kernel's. A box user's home can be anywhere, so `~/…` is looked at again.
const REFUSED: [&str; 10] = [
    "/proc",
    "/sys",
    "/dev",
    paths::STATE,
    paths::BINARY,
    "/run/agentbox",
    "/var/run/agentbox",
    paths::LOGS,
    paths::CONFIG,
    "/workspace/.git",
];

/// What a box has at a path before anything is put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing, or a link to nothing.
    Missing,
    /// A directory, or a link to one.
    Directory,
    /// Anything else.
    Other,
}

/// An entry with its destination in this box.
#[derive(Debug)]
pub(super) struct Destination<'a> {
    pub(super) entry: &'a Entry,
    pub(super) found: &'a Found,
    /// Absolute, in its shortest form.
    pub(super) path: String,
}

impl Destination<'_> {
    /// Whether a directory goes there, and not a file or a link.
    pub(super) fn wants_directory(&self) -> bool {
        self.found.is_directory() && !self.entry.carry.secret
    }
}

/// One thing to put into a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Put {
    /// Absolute.
    pub(super) path: PathBuf,
    pub(super) owner: Owner,
    pub(super) kind: PutKind,
}

/// What is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PutKind {
    Directory {
        mode: u32,
    },
    File {
        mode: u32,
        /// Path on the host.
        source: PathBuf,
        stamp: Stamp,
    },
    Link {
        target: PathBuf,
    },
    /// A file for root alone that is no file of the host's.
    Record {
        content: Vec<u8>,
    },
}

/// Where the entries go in a box of these people.
///
/// # Errors
/// What is the box's own; two entries for one place, or one below a file or link of another.
pub(super) fn destinations<'a>(plan: &'a Plan, people: &People) -> Result<Vec<Destination<'a>>, Failure> {
    let mut all: Vec<Destination<'a>> = Vec::new();
    for (entry, found) in plan.found() {
        let path = match entry.carry.dest.strip_prefix('~') {
            Some(below) => format!("{}{below}", people.home),
            None => entry.carry.dest.clone(),
        };
        if path == paths::WORKSPACE || is_refused(&path) {
            return Err(not_for_carry(&path));
        }
        all.push(Destination { entry, found, path });
    }
    for (index, one) in all.iter().enumerate() {
        for other in &all[..index] {
            let (outer, inner) = if is_in(&one.path, &other.path) {
                (other, one)
            } else if is_in(&other.path, &one.path) {
                (one, other)
            } else {
                continue;
            };
            let is_open = outer.found.is_directory() && !outer.entry.carry.secret;
            if outer.path == inner.path || !is_open {
                return Err(Failure::failed(format!(
                    "{} and {} exclude each other in this box",
                    shown(Path::new(&other.entry.carry.dest)),
                    shown(Path::new(&one.entry.carry.dest)),
                ))
                .hint("give one of them another dest in agentbox.yaml"));
            }
        }
    }
    Ok(all)
}

/// Whether a path is the box's own, or the kernel's.
pub(super) fn is_refused(path: &str) -> bool {
    REFUSED.iter().any(|own| is_in(path, own))
}

/// Everything to put, each directory before what is in it. `kinds` has what the box has where a directory is to go and
/// above each destination, as far up as something is missing.
///
/// # Errors
/// A file where a directory is wanted; users whom the image does not have; what is the box's own.
pub(super) fn compose(
    destinations: &[Destination<'_>],
    people: &People,
    kinds: &HashMap<String, There>,
) -> Result<Vec<Put>, Failure> {
    let mut puts = Vec::new();
    let mut made = HashSet::new();
    for destination in destinations {
        let (entry, found, dest) = (destination.entry, destination.found, &destination.path);
        let owner = people.owner_of(entry)?;
        let there = kinds.get(dest).copied().unwrap_or(There::Missing);
        if destination.wants_directory() && matches!(there, There::Other) {
            return Err(Failure::failed(format!(
                "{} is no directory in the image, and carry wants one there",
                shown(Path::new(dest))
            ))
            .hint("choose another dest in agentbox.yaml"));
        }
        for missing in missing_above(dest, kinds)? {
            if !made.insert(missing.clone()) {
                continue;
            }
            let is_users = people.is_in_home(&missing) || is_in(&missing, paths::WORKSPACE);
            let is_closed = entry.carry.secret && people.is_in_home(&missing);
            puts.push(Put {
                owner: if is_users { people.owner } else { Owner::ROOT },
                kind: PutKind::Directory {
                    mode: if is_closed { MADE_FOR_SECRET } else { MADE },
                },
                path: missing.into(),
            });
        }
        if entry.carry.secret {
            let place = secret_place(dest, &mut made, &mut puts);
            put_tree(
                entry,
                found,
                owner,
                &Path::new(paths::SECRETS).join(&place),
                false,
                &mut puts,
            );
            puts.push(Put {
                path: dest.into(),
                owner,
                kind: PutKind::Link {
                    target: Path::new(paths::SECRETS_IN_MEMORY).join(place),
                },
            });
        } else {
            // A directory that is there keeps its owner and mode.
            let has_top = there == There::Directory;
            made.insert(dest.clone());
            put_tree(entry, found, owner, Path::new(dest), has_top, &mut puts);
        }
    }
    for put in &puts {
        let path = put.path.to_string_lossy();
        let is_ours = is_in(&path, paths::SECRETS);
        if !is_ours && is_refused(&path) {
            return Err(not_for_carry(&path));
        }
    }
    Ok(puts)
}

/// The directories above a destination that are missing, the uppermost first.
fn missing_above(dest: &str, kinds: &HashMap<String, There>) -> Result<Vec<String>, Failure> {
    let mut missing = Vec::new();
    for above in above(dest) {
        match kinds.get(above) {
            Some(There::Directory) => break,
            None | Some(There::Missing) => missing.push(above.to_owned()),
            Some(There::Other) => {
                return Err(Failure::failed(format!(
                    "{} is no directory in the image, and {} would lie below it",
                    shown(Path::new(above)),
                    shown(Path::new(dest))
                ))
                .hint("choose another dest in agentbox.yaml"));
            }
        }
    }
    missing.reverse();
    Ok(missing)
}

/// The directories above a path, the nearest first, without `/`.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    path.rmatch_indices('/')
        .map(|(end, _)| &path[..end])
        .filter(|above| !above.is_empty())
}

/// A directory of its own for a secret, named after its destination, so that a link which is left over from another
/// box never leads to another secret. The file keeps its name, which programs look at.
fn secret_place(dest: &str, made: &mut HashSet<String>, puts: &mut Vec<Put>) -> PathBuf {
    let digest = ring::digest::digest(&ring::digest::SHA256, dest.as_bytes());
    let key: String = digest.as_ref()[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let mut directory = |path: String, mode| {
        if made.insert(path.clone()) {
            puts.push(Put {
                path: path.into(),
                owner: Owner::ROOT,
                kind: PutKind::Directory { mode },
            });
        }
    };
    directory(paths::SECRETS.to_owned(), 0o700);
    directory(format!("{}/{key}", paths::SECRETS), 0o711);
    Path::new(&key).join(base_name(Path::new(dest)))
}

fn put_tree(entry: &Entry, found: &Found, owner: Owner, at: &Path, has_top: bool, puts: &mut Vec<Put>) {
    for item in &found.tree.items {
        let is_top = item.below.as_os_str().is_empty();
        if is_top && has_top {
            continue;
        }
        let join = |path: &Path| {
            if is_top {
                path.to_owned()
            } else {
                path.join(&item.below)
            }
        };
        let mode = mode_of(entry, item);
        let kind = match &item.kind {
            ItemKind::Directory => PutKind::Directory { mode },
            ItemKind::Link(target) => PutKind::Link {
                target: target.clone(),
            },
            ItemKind::File(stamp) => PutKind::File {
                mode,
                source: join(&found.path),
                stamp: *stamp,
            },
        };
        puts.push(Put {
            path: join(at),
            owner,
            kind,
        });
    }
}

fn mode_of(entry: &Entry, item: &Item) -> u32 {
    let mode = match entry.carry.mode {
        Some(mode) => mode,
        None if entry.carry.secret => 0o600,
        None => return item.mode,
    };
    if item.kind == ItemKind::Directory {
        // Whoever may read it may enter it, and its owner may fill it.
        mode | (mode & 0o444) >> 2 | 0o700
    } else {
        mode
    }
}

fn base_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn not_for_carry(path: &str) -> Failure {
    Failure::failed(format!("{} is not for carry", shown(Path::new(path))))
        .hint("choose another dest in agentbox.yaml")
}

#[cfg(test)]
mod tests {
    use super::super::{Roots, gather};
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const PASSWD: &[u8] =
        b"root:x:0:0::/root:/bin/sh\napp:x:33:34::/srv/app:/bin/sh\ndev:x:1000:1001::/home/dev/:/bin/sh\n";

    fn host() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("conf/sub")).unwrap();
        std::fs::write(root.join("conf/sub/x"), "x").unwrap();
        for (path, mode) in [("conf", 0o755), ("conf/sub", 0o755), ("conf/sub/x", 0o644)] {
            std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::write(root.join("token"), "t").unwrap();
        std::fs::create_dir(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/agentbox-ctl"), "t").unwrap();
        (directory, root)
    }

    fn composed(
        yaml: &str,
        image_user: &str,
        passwd: &[u8],
        there: &[(&str, There)],
    ) -> Result<String, Failure> {
        let (_directory, root) = host();
        let loaded = agentbox_ctl::config::load(yaml, &agentbox_ctl::config::LoadOptions::default());
        let roots = Roots {
            project: &root,
            home: None,
        };
        let plan = gather(&loaded.config.unwrap().carry, roots, 100).unwrap();
        let people = People::new(image_user, Some(passwd.to_vec()), None)?;
        let kinds = there
            .iter()
            .map(|(path, kind)| ((*path).to_owned(), *kind))
            .collect();
        let puts = compose(&destinations(&plan, &people)?, &people, &kinds)?;
        let lines: Vec<String> = puts
            .iter()
            .map(|put| {
                let what = match &put.kind {
                    PutKind::Directory { mode } => format!("d {mode:04o}"),
                    PutKind::File { mode, .. } => format!("f {mode:04o}"),
                    PutKind::Link { target } => format!("l {}", target.display()),
                    PutKind::Record { .. } => "r".to_owned(),
                };
                format!(
                    "{} {}:{} {what}",
                    put.path.display(),
                    put.owner.user,
                    put.owner.group
                )
            })
            .collect();
        Ok(lines.join("\n"))
    }

    const HOME: &[(&str, There)] = &[("/home/dev", There::Directory), ("/etc", There::Directory)];

    #[test]
    fn owners_modes_and_missing_directories() {
        let yaml = r#"
carry:
  - {src: ./token, dest: ~/.config/app/token, mode: "0640"}
  - {src: ./conf, dest: /opt/app/conf, user: app, mode: "0440"}
  - {src: ./conf, dest: /etc}
  - {src: ./token, dest: /workspace/a/token, user: 7, mode: "0600"}
"#;
        insta::assert_snapshot!(composed(yaml, "dev", PASSWD, HOME).unwrap(), @r#"
/home/dev/.config 1000:1001 d 0755
/home/dev/.config/app 1000:1001 d 0755
/home/dev/.config/app/token 1000:1001 f 0640
/opt 0:0 d 0755
/opt/app 0:0 d 0755
/opt/app/conf 33:34 d 0750
/opt/app/conf/sub 33:34 d 0750
/opt/app/conf/sub/x 33:34 f 0440
/etc/sub 1000:1001 d 0755
/etc/sub/x 1000:1001 f 0644
/workspace 1000:1001 d 0755
/workspace/a 1000:1001 d 0755
/workspace/a/token 7:0 f 0600
"#);
    }

    #[test]
    fn a_secret_is_a_link_to_memory() {
        let yaml = r#"
carry:
  - {src: ./token, dest: ~/.aws/credentials, secret: true}
  - {src: ./conf, dest: /etc/conf, secret: true, mode: "0440"}
"#;
        insta::assert_snapshot!(composed(yaml, "dev", PASSWD, HOME).unwrap(), @r#"
/home/dev/.aws 1000:1001 d 0700
/var/lib/agentbox/private/secrets 0:0 d 0700
/var/lib/agentbox/private/secrets/da40ba8862f60d44 0:0 d 0711
/var/lib/agentbox/private/secrets/da40ba8862f60d44/credentials 1000:1001 f 0600
/home/dev/.aws/credentials 1000:1001 l /run/agentbox/secrets/da40ba8862f60d44/credentials
/var/lib/agentbox/private/secrets/f929e76fe0d90e8f 0:0 d 0711
/var/lib/agentbox/private/secrets/f929e76fe0d90e8f/conf 1000:1001 d 0750
/var/lib/agentbox/private/secrets/f929e76fe0d90e8f/conf/sub 1000:1001 d 0750
/var/lib/agentbox/private/secrets/f929e76fe0d90e8f/conf/sub/x 1000:1001 f 0440
/etc/conf 1000:1001 l /run/agentbox/secrets/f929e76fe0d90e8f/conf
"#);
    }

    #[test]
    fn homes_of_all_sorts() {
        let yaml = "carry: [{src: ./token, dest: ~/a/t, mode: '0600'}]";
        let there = &[];
        // No entry: the number, and the root directory, which is nobody's home.
        insta::assert_snapshot!(composed(yaml, "4242", PASSWD, there).unwrap(), @r#"
/a 0:0 d 0755
/a/t 4242:0 f 0600
"#);
        insta::assert_snapshot!(composed(yaml, "", b"", there).unwrap(), @r#"
/root 0:0 d 0755
/root/a 0:0 d 0755
/root/a/t 0:0 f 0600
"#);
        let odd = |home: &str| format!("dev:x:1:1::{home}:/bin/sh\n").into_bytes();
        for home in ["relative", "/a/../../etc", "/workspace/.git", "/var/lib/agentbox"] {
            assert!(composed(yaml, "dev", &odd(home), there).is_err(), "{home}");
        }
        let refused = composed("carry: [./token=~/workspace]", "dev", &odd("/"), there);
        assert!(refused.is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |yaml: &str, there: &[(&str, There)]| {
            composed(yaml, "dev", PASSWD, there)
                .map_err(|failure| failure.message)
                .unwrap_err()
        };
        let all = [
            refusal("carry: [./conf=/etc/x]", &[("/etc/x", There::Other)]),
            refusal("carry: [./token=/etc/x/y]", &[("/etc/x", There::Other)]),
            refusal("carry: [./token=/home/dev/a, ./token=~/a]", HOME),
            refusal("carry: [./token=/home/dev/a, ./token=~/a/b]", HOME),
            refusal("carry: [{src: ./token, dest: /t, user: nobody}]", HOME),
            refusal("carry: [{src: ./token, dest: /t, user: 4294967295}]", HOME),
            refusal(
                "carry: [./bin=/usr/local/bin]",
                &[("/usr/local/bin", There::Directory)],
            ),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
/etc/x is no directory in the image, and carry wants one there
/etc/x is no directory in the image, and /etc/x/y would lie below it
/home/dev/a and ~/a exclude each other in this box
/home/dev/a and ~/a/b exclude each other in this box
the image has no user `nobody`, and carry wants /t to be theirs
the image has no user `4294967295`, and carry wants /t to be theirs
/usr/local/bin/agentbox-ctl is not for carry
"#);
    }
}
