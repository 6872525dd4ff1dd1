//! Work that comes back from a box.
//!
//! ```text
//! pull ───► report, git fetch over exec ─► refs/heads/agentbox/<box>, refs/agentbox/<box>/
//! diff ───► git diff in the box, or beside it ─► stdout
//! destroy ► report ─► bundle, or tar ────► saved/<box>-<time>
//! ```
//!
//! Whatever a box says or sends here is hostile: counted, looked at, and never configuration of a git on the host.

pub mod aside;
pub mod diff;
pub mod inside;
pub mod left;
pub mod names;
pub mod project;
pub mod pull;
pub mod save;
