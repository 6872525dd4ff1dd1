//! Work in a git repository: what is not committed, and what a box has that its project may not have.
//!
//! ```text
//! directory ─► git status ─► paths ─► hash-object ─► record      (host: at the seeding; box: at `destroy`)
//! workspace ─► inspect ─► Report, as JSON ─► host                (box)
//!     └──────► scratch ─► diff, bundle ─► stdout ─► host         (box)
//! ```
//!
//! Everything here only looks: no index is refreshed, no hook, filter or file system monitor runs, whatever the
//! repository's configuration says.

#[cfg(feature = "supervisor")]
mod common;
mod git;
#[cfg(feature = "supervisor")]
mod inspect;
mod report;
#[cfg(feature = "supervisor")]
mod scratch;
mod uncommitted;

pub use self::git::{cannot_run, failed, git, ignored, is_installed, quiet, read};
#[cfg(feature = "supervisor")]
pub use self::inspect::inspect;
pub use self::report::{BASE, REFERENCES, Reference, Report, SEED_RECORD, Uncommitted};
#[cfg(feature = "supervisor")]
pub use self::scratch::{bundle, diff};
pub use self::uncommitted::{HEAD_LINE as CLEAN, changed_paths, is_same, uncommitted};
