//! Files that git stores as something else than what lies in the work tree, as Git LFS does.
//!
//! The box has neither the filter nor what it keeps outside of git, so an unchanged file of that kind goes in as git
//! has it: a pointer. Anything else would show there as changed, and be committed as what it must not be.

use std::collections::{HashMap, HashSet};
use std::io::Read;

use agentbox_ctl::failure::Failure;

use super::tree::{Objects, mode};
use crate::host_git::HostGit;

/// Largest stored form that is taken, in bytes: a pointer has some hundred.
const LIMIT: u64 = 64 << 20;

/// Ids and modes of the files that go in as git stores them, by path.
#[derive(Debug, Default)]
pub(super) struct Stored(HashMap<Vec<u8>, (String, u32)>);

/// A file as git stores it.
pub(super) struct Content {
    pub(super) mode: u32,
    pub(super) bytes: Vec<u8>,
}

impl Stored {
    /// Finds them. Costs nothing where git knows no filter.
    ///
    /// # Errors
    /// A git that fails.
    pub(super) fn find(git: &HostGit, drivers: &[String]) -> Result<Self, Failure> {
        if drivers.is_empty() {
            return Ok(Self::default());
        }
        let listed = git.read(["ls-files", "-z", "--cached"])?;
        let filtered = filtered(git, drivers, listed)?;
        if filtered.is_empty() {
            return Ok(Self::default());
        }
        // Not `diff-files`, to which a file with another time is changed; nor `diff`, which writes the index.
        let changed: HashSet<Vec<u8>> = git
            .read([
                "status",
                "--porcelain=v1",
                "-z",
                "--untracked-files=no",
                "--ignore-submodules=all",
                "--no-renames",
            ])?
            .split(|byte| *byte == 0)
            // The second letter is about the work tree.
            .filter(|entry| entry.get(1).is_some_and(|letter| *letter != b' '))
            .filter_map(|entry| entry.get(3..).map(<[u8]>::to_vec))
            .collect();
        let stages = git.read(["ls-files", "-z", "--stage"])?;
        let mut stored = HashMap::new();
        for entry in stages.split(|byte| *byte == 0) {
            // mode id stage TAB path
            let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else {
                continue;
            };
            let (head, path) = (String::from_utf8_lossy(&entry[..tab]), &entry[tab + 1..]);
            let fields: Vec<&str> = head.split(' ').collect();
            if let [bits, id, "0"] = fields.as_slice()
                && filtered.contains(path)
                && !changed.contains(path)
                && bits.starts_with("100")
            {
                let bits = u32::from_str_radix(bits, 8).unwrap_or_default();
                stored.insert(path.to_vec(), ((*id).to_owned(), mode(bits)));
            }
        }
        Ok(Self(stored))
    }

    /// Entries for `git update-index -z --index-info`, without the size that the file has here: git takes a file of
    /// another size for changed, whatever is in it.
    pub(super) fn entries(&self) -> Vec<u8> {
        let mut entries = Vec::new();
        for (path, (id, mode)) in &self.0 {
            entries.extend_from_slice(format!("100{mode:o} {id}\t").as_bytes());
            entries.extend_from_slice(path);
            entries.push(0);
        }
        entries
    }

    /// What gives their content.
    ///
    /// # Errors
    /// A git that cannot be run.
    pub(super) fn contents(&self, git: &HostGit) -> Result<Contents<'_>, Failure> {
        let objects = if self.0.is_empty() {
            None
        } else {
            Some(Objects::open(git)?)
        };
        Ok(Contents {
            stored: self,
            objects,
        })
    }

    /// How many there are, for a note.
    pub(super) fn note(&self) -> Option<String> {
        match self.0.len() {
            0 => None,
            1 => Some("1 file is in the box as git stores it, unfiltered (Git LFS: a pointer)".to_owned()),
            count => Some(format!(
                "{count} files are in the box as git stores them, unfiltered (Git LFS: pointers)"
            )),
        }
    }
}

/// Gives the content of stored files.
pub(super) struct Contents<'a> {
    stored: &'a Stored,
    objects: Option<Objects>,
}

impl Contents<'_> {
    /// What git stores for a path; `None` where the work tree has it as well.
    ///
    /// # Errors
    /// An object that is missing, or larger than anything that a filter leaves.
    pub(super) fn of(&mut self, path: &[u8]) -> Result<Option<Content>, Failure> {
        let (Some(objects), Some((id, mode))) = (&mut self.objects, self.stored.0.get(path)) else {
            return Ok(None);
        };
        let bytes = objects.read(id, LIMIT)?;
        Ok(Some(Content { mode: *mode, bytes }))
    }
}

/// Paths whose `filter` attribute names one of `drivers`.
fn filtered(git: &HostGit, drivers: &[String], listed: Vec<u8>) -> Result<HashSet<Vec<u8>>, Failure> {
    let command = git.command(["check-attr", "-z", "--stdin", "filter"]);
    let mut answers = Vec::new();
    git.stream(command, listed, |printed| {
        printed
            .read_to_end(&mut answers)
            .map_err(|error| super::cannot_list(&error))
    })?;
    // path NUL attribute NUL value NUL
    let fields: Vec<&[u8]> = answers.split(|byte| *byte == 0).collect();
    Ok(fields
        .chunks_exact(3)
        .filter(|fields| drivers.iter().any(|driver| driver.as_bytes() == fields[2]))
        .map(|fields| fields[0].to_vec())
        .collect())
}
