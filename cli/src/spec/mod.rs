//! What belongs to a person and not to a project: service specs and setup scripts, kept on this machine.
//!
//! ```text
//! flags, FILE, HTTP ─► draft (checked) ─► Store, one file each ─► copies in the private volumes of boxes
//! ```

mod attach;
mod draft;
mod store;

pub use attach::Library;
pub use draft::{DraftError, Drafted, checked, from_file, from_json};
pub use store::{Kept, Refused, Store};
