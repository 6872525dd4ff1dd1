//! The objects of a repository as one pack that is made while it is sent.

use std::path::Path;

use agentbox_ctl::failure::Failure;

use super::Repository;
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
    "--missing=allow-promisor",
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
    let command = repository.git.command(ARGUMENTS);
    repository
        .git
        .stream(command, tips.into_bytes(), |pack| {
            sender.pack(git_directory, pack)
        })
        .map_err(|failure| failure.hint("git fsck, where objects are missing"))
}
