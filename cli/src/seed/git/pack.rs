//! The objects of a repository as one pack that is made while it is sent.

use std::io::{self, Read};
use std::path::Path;

use agentbox_ctl::failure::Failure;

use super::Repository;
use crate::seed::questions::Known;
use crate::seed::stream::{Sender, cannot_read};

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

/// Bytes of a pack before its objects; the last four tell how many there are.
const HEAD: usize = 12;

/// Sends what the box's refs and index need and is not `known`. Nothing where there is nothing.
///
/// # Errors
/// A git that fails, as for objects that are missing; a stream that nobody reads any more.
pub(super) fn write(
    sender: &mut Sender<'_>,
    repository: &Repository,
    git_directory: &Path,
    known: &Known,
) -> Result<(), Failure> {
    let mut tips: String = repository.tips().flat_map(|tip| [tip, "\n"]).collect();
    if tips.is_empty() || *known == Known::Everything {
        return Ok(());
    }
    if let Known::These(ids) = known {
        tips.extend(ids.iter().flat_map(|id| ["^", id, "\n"]));
    }
    let command = repository.git.command(ARGUMENTS);
    repository
        .git
        .stream(command, tips.into_bytes(), |pack| {
            let mut head = Vec::with_capacity(HEAD);
            pack.by_ref()
                .take(HEAD as u64)
                .read_to_end(&mut head)
                .map_err(|error| cannot_read(git_directory, &error))?;
            // Nothing but its own check sum follows.
            if head.ends_with(&[0; 4]) {
                return match io::copy(pack, &mut io::sink()) {
                    Ok(_) => Ok(()),
                    Err(error) => Err(cannot_read(git_directory, &error)),
                };
            }
            sender.pack(git_directory, head.as_slice().chain(pack))
        })
        .map_err(|failure| failure.hint("git fsck, where objects are missing"))
}
