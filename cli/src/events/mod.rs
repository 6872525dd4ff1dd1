//! The events of a box: which are wanted, and one after the other through everything that happens to it.

mod filter;
mod follower;

pub use self::filter::{Filter, Since};
pub use self::follower::Follower;
