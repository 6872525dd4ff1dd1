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

mod apps;
mod batch;
mod bridge;
mod client;
mod engine;
mod link;
mod log;
mod owner;
mod place;
mod server;
mod store;
mod web;
pub mod wire;

pub use self::client::{Absence, Events, Relay, apps_changed, ensure, health, hold, stop};
pub use self::owner::holder;
pub use self::place::Place;
pub use self::server::{Options, run};
