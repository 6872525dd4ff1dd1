//! What belongs to a person and not to a project: service specs and setup scripts, kept on this machine.
//!
//! ```text
//! flags, FILE, HTTP ─► draft (checked) ─► Store, one file each ─► copies in the private volumes of boxes
//!                                                                   │ refreshed at each start
//!                                                  pending ◄────────┘
//! ```

mod attach;
mod draft;
mod in_box;
mod kept;
mod pending;
mod refresh;
mod store;

pub use attach::{Attached, Library, detach};
pub use draft::{DraftError, Drafted, checked, from_file, from_json};
pub use in_box::{Look, attached, change, look};
pub use kept::{Kept, Refused};
pub use pending::{Pending, pending, pending_line};
pub use refresh::{Change, Refreshed};
pub use store::Store;
