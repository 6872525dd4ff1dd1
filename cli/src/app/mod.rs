//! Apps: names for ports of a box, each with a URL of its own on the relay's proxy.
//!
//! ```text
//! app create, HTTP ─► check ─► store ─► apps.json in the private volume ─► told to the relay ─► http://APP.BOX.localhost
//! app expose ─► what listens ─► a name that is free ──┘                          │
//! app list ◄── health ◄── what listens                                     web proxy
//! ```

mod health;
mod model;
mod store;

pub use self::health::{Health, Listening, listener, ports};
pub use self::model::{App, LONGEST_NAME, MOST, check, url};
pub use self::store::{create, expose, find, list, remove};
