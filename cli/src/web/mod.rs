//! `http://<box>.localhost:PORT`: one port on the host's loopback that leads to the web services of all boxes.
//!
//! ```text
//! client ─► serve ─► target: whom for? ─► origin: may this page ask? ─► route: is the service ready? ─► forward ─► box
//!                        │                     │                            │                            │
//!                        └─────────────────────┴──── page: a notice, or the list of boxes ◄──────────────┘
//! ```
//!
//! Everything streams: a piece is read when the piece before it has been taken. What either side breaks off ends on the
//! other, too.

mod body;
mod boxes;
mod forward;
mod headers;
mod host;
mod listen;
mod origin;
mod page;
mod pool;
mod route;
mod serve;
mod target;
#[cfg(test)]
mod tests;

pub use self::boxes::{Boxes, Connection, Duplex, WebBox};
pub use self::listen::{DEFAULT_PORT, FILE, bind};
pub use self::serve::serve;
