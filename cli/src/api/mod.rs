//! The HTTP API: what commands do with service specs, setup scripts and boxes, for programs.
//!
//! ```text
//! web::serve ─► Gate: on? same site? token? route? small enough? ─► Job ─► Worker: a process `agentbox api answer`
//!                 │          │        │       │                              │
//!                 └──────────┴────────┴───────┴─► an error as JSON           └─► work: store, engine, box ─► Reply
//!
//! ROUTES ─┬─► Gate
//!         └─► openapi, the document of everything above
//! ```
//!
//! The relay itself only guards the door. Each request that passes is answered by a process of its own, as if somebody had
//! called the command: the relay, which lives long and serves all boxes, stays as small and as hard to break as it was.
//! A client that hangs up, or a relay that ends, closes that process's stdin, which undoes what is half made.

mod error;
mod gate;
mod openapi;
mod path;
mod route;
mod schema;
#[cfg(test)]
mod tests;
mod token;
mod work;
mod worker;

pub use self::gate::{Gate, is_below};
pub use self::token::{Access, Token};
pub use self::work::answer;
pub use self::worker::Program;
