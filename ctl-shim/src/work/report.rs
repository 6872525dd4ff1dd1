//! What a box's repository holds, as the box tells the host. The host believes none of it without a look.

use serde::{Deserialize, Serialize};

/// Most references that a report names.
pub const REFERENCES: usize = 20_000;
/// The commit that a box's branch was forked from.
pub const BASE: &str = "refs/agentbox/base";
/// The record of what was uncommitted when the box was made, inside the repository's directory.
pub const SEED_RECORD: &str = "agentbox-seed";

/// A reference and where it points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// Full name. Entries of the stash are `refs/agentbox/stash/0` and so on, a HEAD on no branch is
    /// `refs/agentbox/head`.
    pub name: String,
    /// Object id.
    pub id: String,
}

/// What is not committed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uncommitted {
    /// Nothing.
    #[default]
    Nothing,
    /// Exactly what the box was made with.
    Seeded,
    /// Something else.
    New,
}

/// State of the repository in a work tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Report {
    /// There is a git to look with.
    pub git: bool,
    /// There is a repository.
    pub repository: bool,
    /// The commit that is checked out; `None` before the first.
    pub head: Option<String>,
    /// Full name of the branch that is checked out; `None` where HEAD is on none.
    pub branch: Option<String>,
    /// What [`BASE`] points to.
    pub base: Option<String>,
    /// The history is cut off somewhere.
    pub shallow: bool,
    /// Branches, tags, entries of the stash, a HEAD on no branch.
    pub references: Vec<Reference>,
    /// There are more than [`REFERENCES`] of them.
    pub more: bool,
    /// What is not committed.
    pub uncommitted: Uncommitted,
    /// How many paths are not committed.
    pub changes: usize,
    /// What a bundle cannot hold: repositories and submodules inside that have changed, files that cannot be read.
    pub nested: Vec<String>,
}
