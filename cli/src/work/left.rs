//! What of a box's work the host's repository has.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work::{Reference, Report};

use crate::host_git::HostGit;
use crate::work::names::is_object_id;

/// Most commits that a bundle names as those that the host has.
const KNOWN: usize = 200;

/// The references of a box, sorted by whether they have left it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    /// Those that the host does not have, or has without any reference that leads there.
    pub missing: Vec<Reference>,
    /// Ids that the host has, to leave out of a bundle what they lead to.
    pub known: Vec<String>,
}

/// Looks for what a report names in the host's repository; without one everything is missing.
///
/// # Errors
/// Those of git.
pub fn left(git: Option<&HostGit>, report: &Report) -> Result<Left, Failure> {
    let references = &report.references;
    let Some(git) = git else {
        return Ok(Left {
            missing: references.clone(),
            known: Vec::new(),
        });
    };
    let ids: BTreeSet<&str> = references
        .iter()
        .map(|reference| &reference.id)
        .chain(&report.base)
        .map(String::as_str)
        .filter(|id| is_object_id(id))
        .collect();
    let present = present(git, &ids)?;
    let unreachable = unreachable(git, &present)?;
    let has = |id: &str| present.contains(id) && !unreachable.contains(id);
    Ok(Left {
        missing: references
            .iter()
            .filter(|reference| !has(&reference.id))
            .cloned()
            .collect(),
        // What the box began with leads to most of the rest.
        known: report
            .base
            .iter()
            .map(String::as_str)
            .chain(
                ids.iter()
                    .copied()
                    .filter(|id| Some(*id) != report.base.as_deref()),
            )
            .filter(|id| has(id))
            .take(KNOWN)
            .map(str::to_owned)
            .collect(),
    })
}

/// Those of `ids` that the repository has.
fn present<'a>(git: &HostGit, ids: &BTreeSet<&'a str>) -> Result<BTreeSet<&'a str>, Failure> {
    let input: String = ids.iter().map(|id| format!("{id}\n")).collect();
    let answers = asked(git, &["cat-file", "--batch-check=%(objectname)"], input)?;
    // One answer to each question: the id again, or that it is missing.
    Ok(ids
        .iter()
        .zip(answers.lines())
        .filter(|(id, answer)| *id == answer)
        .map(|(id, _)| *id)
        .collect())
}

/// Commits that no reference of the repository leads to, `ids` among them. One whose history is not whole counts too.
fn unreachable(git: &HostGit, ids: &BTreeSet<&str>) -> Result<BTreeSet<String>, Failure> {
    if ids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let walk = |ids: &mut dyn Iterator<Item = &&str>| {
        let mut input: String = ids.map(|id| format!("{id}\n")).collect();
        input.push_str("--not\n--all\n");
        asked(git, &["rev-list", "--stdin"], input)
    };
    if let Ok(listed) = walk(&mut ids.iter()) {
        return Ok(listed.lines().map(str::to_owned).collect());
    }
    // One of them keeps git from looking at any.
    Ok(ids
        .iter()
        .filter(|id| !walk(&mut std::iter::once(*id)).is_ok_and(|listed| listed.is_empty()))
        .map(|id| (*id).to_owned())
        .collect())
}

/// Checks that everything these commits lead to is there, as git does after a fetch of its own.
///
/// # Errors
/// A history that is cut off.
pub fn require_whole(git: &HostGit, name: &str, ids: &[&str]) -> Result<(), Failure> {
    let mut input: String = ids.iter().map(|id| format!("{id}\n")).collect();
    input.push_str("--not\n--all\n");
    asked(git, &["rev-list", "--objects", "--quiet", "--stdin"], input)
        .map(drop)
        .map_err(|failure| {
            let mut cut = Failure::failed(format!(
                "what box `{name}` has is not whole: part of its history is missing"
            ));
            cut.causes = failure.causes;
            cut.hint(format!(
                "agentbox exec {name} -- git fetch --unshallow, where it is a shallow clone"
            ))
        })
}

fn asked(git: &HostGit, arguments: &[&str], input: String) -> Result<String, Failure> {
    let mut child = git
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::failed("cannot run git").because(&error))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // A git that stops reading says why.
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        child.wait_with_output()
    })
    .map_err(|error| Failure::failed("lost track of git").because(&error))?;
    if !output.status.success() {
        let failure = Failure::failed("cannot look up the box's commits in the project's repository");
        return Err(String::from_utf8_lossy(&output.stderr)
            .lines()
            .take(3)
            .fold(failure, Failure::cause));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(name: &str, id: &str) -> Reference {
        Reference {
            name: name.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn only_what_a_reference_leads_to_has_left() {
        let directory = tempfile::tempdir().unwrap();
        let git = HostGit::new(directory.path());
        git.read(["init", "-q"]).unwrap();
        let tree = git
            .text(["hash-object", "-t", "tree", "-w", "/dev/null"])
            .unwrap();
        let commit = |message: &str, parent: Option<&str>| {
            let mut arguments = vec![
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@t",
                "commit-tree",
                &tree,
                "-m",
                message,
            ];
            arguments.extend(parent.map(|_| "-p"));
            arguments.extend(parent);
            git.text(arguments).unwrap()
        };
        let first = commit("first", None);
        let second = commit("second", Some(&first));
        let lost = commit("lost", Some(&first));
        git.read(["update-ref", "refs/heads/main", &second]).unwrap();
        let absent = "a".repeat(40);
        let report = Report {
            base: Some(first.clone()),
            references: vec![
                reference("refs/heads/first", &first),
                reference("refs/heads/second", &second),
                reference("refs/heads/lost", &lost),
                reference("refs/heads/new", &absent),
                reference("refs/heads/odd", "--all"),
            ],
            ..Report::default()
        };
        let found = left(Some(&git), &report).unwrap();
        let missing: Vec<&str> = found.missing.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(missing, ["refs/heads/lost", "refs/heads/new", "refs/heads/odd"]);
        assert!(found.known.contains(&first) && found.known.contains(&second) && found.known.len() == 2);
        assert_eq!(left(None, &report).unwrap().missing.len(), 5);

        // A commit whose parent is not there.
        let text = format!(
            "tree {tree}\nparent {absent}\nauthor t <t@t> 0 +0000\ncommitter t <t@t> 0 +0000\n\ncut\n"
        );
        let file = directory.path().join("commit");
        std::fs::write(&file, text).unwrap();
        let file = file.to_string_lossy();
        let cut = git
            .text(["hash-object", "-t", "commit", "-w", "--literally", &file])
            .unwrap();
        let mut report = report;
        report.references.push(reference("refs/heads/cut", &cut));
        let found = left(Some(&git), &report).unwrap();
        assert_eq!(found.missing.len(), 4);
        assert!(!found.known.contains(&cut) && found.known.contains(&second));
        assert!(require_whole(&git, "web", &[&cut]).is_err());
        assert!(require_whole(&git, "web", &[&second, &lost]).is_ok());
    }
}
