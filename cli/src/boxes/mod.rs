//! Boxes as the engine knows them: labels, names, what state each is in, and which one a user means.
//!
//! ```text
//! engine's containers ─► observe ─► [BoxInfo] + half-made ones ─► find(BOX) ─► one BoxInfo
//! ```

pub mod identity;
pub mod label;
pub mod maker;
pub mod name;
mod observe;
pub mod private;
mod resolve;

pub use self::observe::{BoxInfo, BoxState, HalfMade, Observation, observe};
pub use self::resolve::{find, is_absent, of_project, resolve};

#[cfg(test)]
pub(crate) use self::observe::tests::sample;
