//! What belongs to a person and not to a project: service specs and setup scripts, kept on this machine.
//!
//! ```text
//! flags, FILE, HTTP ─► draft (checked) ─► Store, one file each ─► copies in the private volumes of boxes
//! ```

mod attach;
mod store;

pub use attach::Library;
pub use store::{Kept, Refused, Store};
