//! The relay: one process per user that keeps a channel to each of the user's running boxes.
//!
//! ```text
//! commands ── socket ─► server ─┬─ boxes ◄───── engine ◄── Docker's events
//!                               ├─ channel ═ bridge ═ link ═ exec `connect` ═► supervisor
//!                               └─ events ◄──── store ◄─── link
//! ```
//!
//! Commands do without it where it is not there: it makes them faster, remembers what happened, and is where stable URLs
//! lead. It learns of boxes from the engine alone and tells nobody anything that the engine and the boxes do not say.

mod batch;
mod bridge;
mod client;
mod engine;
mod link;
mod log;
mod place;
mod server;
mod store;
mod web;
pub mod wire;

use std::fs::{self, OpenOptions};

pub use self::client::{Absence, Events, Relay, ensure, health, hold, stop};
pub use self::place::Place;
pub use self::server::{Options, run};

/// The process that is the relay: who holds the lock, by what it wrote there.
pub fn holder(place: &Place) -> Option<u32> {
    let lock = OpenOptions::new()
        .read(true)
        .write(true)
        .open(place.lock())
        .ok()?;
    if lock.try_lock().is_ok() {
        return None;
    }
    fs::read_to_string(place.lock()).ok()?.trim().parse().ok()
}
