//! Commands that run at a box's events: `on`.
//!
//! ```text
//! [events](crate::events) ─► Follower ─► event ─► Pattern ─► run: one command at a time
//! ```

mod command;
mod pattern;

pub use self::command::{Ending, Handler};
pub use self::pattern::Pattern;
