//! Commands that run at a box's events: `on`.
//!
//! ```text
//! supervisor ── channel ──┐
//!                         ├─► Follower ─► event ─► Pattern ─► run: one command at a time
//! journal (stopped box) ──┘
//! ```
//!
//! The follower counts by sequence numbers, so whatever ends a channel, nothing is lost and nothing comes twice.

mod command;
mod follower;
mod pattern;

pub use self::command::{Ending, Handler};
pub use self::follower::Follower;
pub use self::pattern::Pattern;
