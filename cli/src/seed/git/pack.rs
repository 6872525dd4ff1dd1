//! The objects of a repository as one pack that is made while it is sent.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use agentbox_ctl::failure::Failure;

use super::Repository;
use crate::host_git::HostGit;
use crate::seed::stream::Sender;

/// How the pack is made: what is packed already is copied, and nothing is searched for better deltas, since the pack
/// goes no further than to an engine that is near.
const ARGUMENTS: [&str; 8] = [
    "pack-objects",
    "--revs",
    "--stdout",
    "--quiet",
    "--delta-base-offset",
    "--window=0",
    "--compression=1",
    "--missing=allow-any",
];

/// Sends what the box's refs and index need. Nothing where there is nothing.
///
/// # Errors
/// A git that fails, as for objects that are missing; a stream that nobody reads any more.
pub(super) fn write(
    sender: &mut Sender<'_>,
    repository: &Repository,
    git_directory: &Path,
) -> Result<(), Failure> {
    let tips: String = repository.tips().flat_map(|tip| [tip, "\n"]).collect();
    if tips.is_empty() {
        return Ok(());
    }
    let cannot_run = |error: std::io::Error| HostGit::cannot_run(&error);
    let mut child = repository
        .git
        .command(ARGUMENTS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(cannot_run)?;
    let input = child.stdin.take();
    let output = child.stdout.take();
    // It reads all of the tips before it writes, so neither waits for the other.
    let told = input.map_or(Ok(()), |mut input| input.write_all(tips.as_bytes()));
    let sent = match output {
        Some(output) => sender.pack(git_directory, output),
        None => Ok(()),
    };
    if sent.is_err() {
        let _ = child.kill();
    }
    let ended = child.wait_with_output().map_err(cannot_run)?;
    sent?;
    if !ended.status.success() {
        return Err(repository
            .git
            .failed(&ended.stderr)
            .hint("git fsck, where objects are missing"));
    }
    told.map_err(cannot_run)
}
