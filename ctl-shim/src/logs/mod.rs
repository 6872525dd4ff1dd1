//! Unit logs: what a unit wrote, byte for byte, and when.
//!
//! ```text
//! pipe ─► pump ─► writer ─► web.log, web.log.1 … web.log.5      the bytes
//!                      └──► web.times, web.times.1 …            when they came
//!                                    │
//!                      reader ◄──────┘   one unit raw, or several merged by time
//! ```
//!
//! Reading is code over a directory: the supervisor reads a box's logs with it, and the host those of a stopped box
//! from a copy.

mod cursor;
mod files;
#[cfg(feature = "supervisor")]
mod last_line;
mod marker;
#[cfg(feature = "supervisor")]
pub mod pump;
pub mod reader;
mod times;
pub mod writer;

pub use files::is_kept;
#[cfg(feature = "supervisor")]
pub use last_line::last_line;
pub use marker::Marker;

#[cfg(test)]
mod tests;
