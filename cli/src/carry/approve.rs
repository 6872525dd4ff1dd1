//! The list that a person says yes to, and what of it their word depends on.

use std::path::Path;

use agentbox_ctl::config::model::Carry;
use agentbox_ctl::failure::Failure;
use serde::Serialize;

use super::{Entry, Found, ItemKind, Plan};
use crate::approval::{self, Answer, Decision, Line, Request};
use crate::context::Context;
use crate::ui::size;

/// What an approval is pinned to: the entry as written, where it leads, what it is, and what was warned about.
///
/// Content and size are left out: a token that is renewed every night would else ask every morning, and who is asked
/// every morning reads no more. That the approved file is the copied one is seen to at the copy.
#[derive(Serialize)]
struct Pinned<'a> {
    entry: &'a Carry,
    /// Bytes of the path, which need not be text.
    path: Option<&'a [u8]>,
    is_directory: bool,
    warnings: &'a [String],
}

/// Asks for the user's word for everything in the plan, where it is not remembered.
///
/// # Errors
/// A plan that nobody has allowed (1).
pub fn approve(context: &Context, project: &Path, plan: &Plan, answer: Answer) -> Result<Decision, Failure> {
    if plan.is_empty() {
        return Ok(Decision::Approved);
    }
    let content = content(plan)?;
    let (files, bytes) = plan.totals();
    let request = Request {
        kind: "carry",
        project,
        heading: "what agentbox.yaml wants to carry into the box".to_owned(),
        subject: plan.entries.iter().map(line).collect(),
        question: format!("Copy {} ({}) into the box?", counted(files), size(bytes)),
        content: &content,
        hints: vec![
            "agentbox create --carry-yes allows it".to_owned(),
            "agentbox create --carry skip makes a box without".to_owned(),
        ],
    };
    approval::decide(context, &request, answer)
}

fn content(plan: &Plan) -> Result<Vec<u8>, Failure> {
    let pinned: Vec<Pinned<'_>> = plan
        .entries
        .iter()
        .map(|entry| Pinned {
            entry: &entry.carry,
            path: entry
                .found
                .as_ref()
                .map(|found| found.path.as_os_str().as_encoded_bytes()),
            is_directory: entry.found.as_ref().is_some_and(Found::is_directory),
            warnings: entry
                .found
                .as_ref()
                .map(|found| found.warnings.as_slice())
                .unwrap_or_default(),
        })
        .collect();
    serde_json::to_vec(&pinned).map_err(|error| Failure::failed("cannot encode carry").because(&error))
}

fn line(entry: &Entry) -> Line {
    let carry = &entry.carry;
    let (src, dest) = (shown(Path::new(&carry.src)), shown(Path::new(&carry.dest)));
    let Some(found) = &entry.found else {
        return Line {
            text: format!("{src}: missing and optional, left out"),
            warnings: Vec::new(),
        };
    };
    let size = size(found.tree.bytes);
    let mut notes = vec![match found.is_directory() {
        true => format!("directory, {}, {size}", counted(found.tree.files)),
        false => size,
    }];
    let is_text = |item: &&super::Item| matches!(item.kind, ItemKind::File(_));
    if let Some(mode) = carry.mode {
        notes.push(format!("mode {mode:04o}"));
    } else if carry.secret {
        notes.push("mode 0600".to_owned());
    } else if let Some(item) = found.tree.items.first().filter(is_text) {
        notes.push(format!("mode {:04o}", item.mode));
    } else {
        notes.push("modes as here".to_owned());
    }
    if let Some(user) = &carry.user {
        notes.push(format!("for user {}", shown(Path::new(user))));
    }
    if !carry.exclude.is_empty() {
        let globs: Vec<String> = carry.exclude.iter().map(|glob| shown(Path::new(glob))).collect();
        notes.push(format!("without {}", globs.join(" ")));
    }
    if carry.secret {
        notes.push("secret".to_owned());
    }
    Line {
        text: format!("{src} to {dest} ({})", notes.join(", ")),
        warnings: found.warnings.clone(),
    }
}

fn counted(files: u64) -> String {
    match files {
        1 => "1 file".to_owned(),
        files => format!("{files} files"),
    }
}

/// A path as a line can have it: quoted, with escapes, where it could be taken for something else.
pub(super) fn shown(path: &Path) -> String {
    let is_plain = |character: char| {
        character.is_alphanumeric() || "/._-+@%~=*?[]{}:,".contains(character) && character != '\u{fffd}'
    };
    match path.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        _ => format!("{path:?}"),
    }
}

impl Found {
    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.tree
            .items
            .first()
            .is_some_and(|top| top.kind == ItemKind::Directory)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Roots, gather};
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn plan(project: &Path, yaml: &str) -> Plan {
        let loaded = agentbox_ctl::config::load(yaml, &agentbox_ctl::config::LoadOptions::default());
        let roots = Roots {
            project,
            home: Some(project),
        };
        gather(&loaded.config.unwrap().carry, roots, 1 << 20).unwrap()
    }

    #[test]
    fn lines_say_what_goes_where_and_how() {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().canonicalize().unwrap();
        fs::create_dir(project.join("conf")).unwrap();
        fs::write(project.join("conf/a"), "x".repeat(2048)).unwrap();
        fs::write(project.join("token"), "x").unwrap();
        fs::set_permissions(project.join("token"), fs::Permissions::from_mode(0o640)).unwrap();
        let odd = project.join("a to b (1 B)\n\u{1b}[2J\u{202e}");
        fs::write(&odd, "x").unwrap();
        fs::set_permissions(&odd, fs::Permissions::from_mode(0o644)).unwrap();
        let plan = plan(
            &project,
            r#"
carry:
  - ./token
  - {src: ~/token, dest: ~/.token, mode: "0400", user: app, secret: true}
  - {src: ./token, dest: /t, secret: true}
  - {src: ./conf, dest: /etc/conf, exclude: ["*.log", "a b"]}
  - {src: ~/none, optional: true}
  - {src: "./a to b (1 B)\n\e[2J\u202e", dest: /c}
"#,
        );
        let lines: Vec<String> = plan.entries.iter().map(|entry| line(entry).text).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
./token to /workspace/token (1 B, mode 0640)
~/token to ~/.token (1 B, mode 0400, for user app, secret)
./token to /t (1 B, mode 0600, secret)
./conf to /etc/conf (directory, 1 file, 2 KiB, modes as here, without *.log "a b")
~/none: missing and optional, left out
"./a to b (1 B)\n\u{1b}[2J\u{202e}" to /c (1 B, mode 0644)
"#);
    }

    #[test]
    fn content_depends_on_the_list_and_not_on_the_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let project = directory.path().canonicalize().unwrap();
        fs::write(project.join("token"), "x").unwrap();
        let of = |yaml: &str| content(&plan(&project, yaml)).unwrap();
        let yaml = "carry: [./token=/t, {src: ./later, optional: true}]";
        let first = of(yaml);
        fs::write(project.join("token"), "renewed").unwrap();
        assert_eq!(of(yaml), first);
        for other in [
            "carry: [./token=/u, {src: ./later, optional: true}]",
            "carry: [{src: ./token, dest: /t, secret: true}, {src: ./later, optional: true}]",
            "carry: [{src: ./token, dest: /t, mode: '0644'}, {src: ./later, optional: true}]",
            "carry: [./token=/t]",
        ] {
            assert_ne!(of(other), first, "{other}");
        }
        // A new warning is a new question.
        fs::write(project.join("token"), "-----BEGIN PRIVATE KEY-----").unwrap();
        assert_ne!(of(yaml), first);
        fs::write(project.join("token"), "x").unwrap();
        fs::write(project.join("later"), "x").unwrap();
        assert_ne!(of(yaml), first);
        fs::remove_file(project.join("later")).unwrap();
        assert_eq!(of(yaml), first);
        // The same entry, leading to another file.
        fs::rename(project.join("token"), project.join("other")).unwrap();
        std::os::unix::fs::symlink("other", project.join("token")).unwrap();
        assert_ne!(of(yaml), first);
    }
}
