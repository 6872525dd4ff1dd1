//! The host's repository, as far as a pull reads and writes it.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use agentbox_ctl::failure::Failure;

use super::plan::{Change, Relation, Wanted, branch_of, namespace_of, short_name};
use crate::host_git::HostGit;

/// What the host has of a box, by reference.
///
/// # Errors
/// Those of git.
pub fn known(git: &HostGit, name: &str) -> Result<BTreeMap<String, String>, Failure> {
    let listed = git.text([
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        &branch_of(name),
        &namespace_of(name),
    ])?;
    Ok(listed
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(id, reference)| (reference.to_owned(), id.to_owned()))
        .collect())
}

/// Refuses to move a branch under somebody's feet: one that a work tree has checked out, or is rebasing.
///
/// # Errors
/// Such a branch, with the work tree.
pub fn refuse_checked_out(git: &HostGit, name: &str, reference: &str) -> Result<(), Failure> {
    let listed = git.text(["worktree", "list", "--porcelain"])?;
    let mut place = "";
    for line in listed.lines() {
        if let Some(path) = line.strip_prefix("worktree ") {
            place = path;
        } else if line.strip_prefix("branch ") == Some(reference) {
            return Err(Failure::failed(format!(
                "branch {} is checked out in {place}, and its files would no longer fit it",
                short_name(reference)
            ))
            .hint(format!(
                "git -C {place} switch --detach, then agentbox pull {name}; git switch {} goes back to it",
                short_name(reference)
            )));
        }
    }
    Ok(())
}

/// How `old` stands to the wanted commit. All objects are there.
///
/// # Errors
/// A wanted object that is no commit.
pub fn relate(git: &HostGit, wanted: Wanted, old: Option<String>) -> Result<Change, Failure> {
    let commit = format!("{}^{{commit}}", wanted.id);
    if git
        .text(["rev-parse", "--quiet", "--verify", &commit])
        .ok()
        .as_ref()
        != Some(&wanted.id)
    {
        return Err(Failure::failed(format!(
            "what the box has as {} is no commit",
            wanted.source
        )));
    }
    let is_ancestor = |one: &str, other: &str| git.agrees(["merge-base", "--is-ancestor", one, other]);
    let relation = match &old {
        None => Relation::New,
        Some(old) if is_ancestor(old, &wanted.id) => Relation::Ahead,
        Some(old) if is_ancestor(&wanted.id, old) => Relation::Behind,
        Some(_) => Relation::Diverged,
    };
    Ok(Change {
        wanted,
        old,
        relation,
    })
}

/// Writes all references or none. One that was changed meanwhile by somebody else is not overwritten.
///
/// # Errors
/// Those of git.
pub fn write(git: &HostGit, changes: &[Change]) -> Result<(), Failure> {
    let mut input = String::new();
    for Change { wanted, old, .. } in changes {
        let nothing = "0".repeat(wanted.id.len());
        let old = old.as_deref().unwrap_or(&nothing);
        input.push_str(&format!("update {} {} {old}\n", wanted.reference, wanted.id));
    }
    let mut child = git
        .command(["update-ref", "-m", "agentbox pull", "--stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| Failure::failed("cannot run git").because(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A git that stops reading says why.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child
        .wait_with_output()
        .map_err(|error| Failure::failed("lost track of git").because(&error))?;
    if output.status.success() {
        return Ok(());
    }
    let failure = Failure::failed("cannot write the branches of the box; none was changed");
    Err(String::from_utf8_lossy(&output.stderr)
        .lines()
        .take(5)
        .fold(failure, Failure::cause)
        .hint("git for-each-ref refs/heads/agentbox refs/agentbox shows what is in the way"))
}
