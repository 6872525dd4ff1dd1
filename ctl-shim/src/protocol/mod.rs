//! The socket protocol between the supervisor and its clients.
//!
//! A connection carries [frames](frame): a length, a kind, a request id, a payload. A client sends requests with
//! ids of its choice; replies carry the same id, in any order, so many requests share one connection:
//!
//! ```text
//! client ── Request{id 1: status} ────────► supervisor
//!        ── Request{id 2: logs -f} ───────►
//!        ◄── Reply::Done{id 1: report} ───
//!        ◄── Data{id 2: bytes} ───────────     at most WINDOW frames ahead of the client's Ack
//!        ── Ack{id 2: n} ─────────────────►
//!        ── Cancel{id 2} ─────────────────►
//! ```
//!
//! A stream that its reader does not drain holds back only itself: the supervisor sends at most [`WINDOW`]
//! frames beyond the last acknowledged one and buffers nothing more. In a [dialled](dial) connection data flows both
//! ways, each with a window of its own. A peer that sends more than it may loses that request, not the connection;
//! frames of requests that are gone mean nothing.

pub mod dial;
pub mod frame;
pub mod message;
pub mod seed;
pub mod seed_answer;
pub mod session;

/// Version of the protocol. Host and box may differ by one.
pub const VERSION: u32 = 1;
/// Stream frames (items and data) that may be under way unacknowledged, per request.
pub const WINDOW: u32 = 64;
/// Largest payload of a frame in bytes; a longer one ends the connection.
pub const MAX_FRAME: usize = 1 << 20;
/// Requests under way on one connection; more are refused.
pub const MAX_REQUESTS: usize = 256;
/// What the message of a supervisor says that has no such request.
pub const NOT_UNDERSTOOD: &str = "cannot understand the request";
