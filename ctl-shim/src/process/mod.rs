//! Processes of units: who they run as, what they see, how they start, how their trees are found and ended.
//!
//! ```text
//! users ─► Credentials ─┐
//! environment ──────────┼─► spawn ─► pid ─► tree::UnitHandle ─► members, signal_tree, kill_tree
//! tag::Life ─► Tag ─────┘                        ▲
//!                             reap ─► who ended ─┘        tag::Life of former lives ─► tree::sweep
//! ```
//!
//! Everything here is synchronous and uses no async runtime: the daemon is a subreaper and collects exit
//! statuses itself, with [`reap`].

pub mod env_file;
pub mod environment;
pub mod place;
pub mod reap;
mod scan;
pub mod signals;
pub mod spawn;
pub mod tag;
pub mod tree;
pub mod users;
