//! Work in a git repository: what is not committed, and what a box has that its project may not have.
//!
//! ```text
//! directory ─► git status ─► paths ─► hash-object ─► record      (host: at the seeding; box: at `destroy`)
//! ```
//!
//! Everything here only looks: no index is refreshed, no hook, filter or file system monitor runs, whatever the
//! repository's configuration says.

mod git;
mod uncommitted;

pub use self::git::{git, is_installed, quiet, read};
pub use self::uncommitted::{changed_paths, is_same, uncommitted};
