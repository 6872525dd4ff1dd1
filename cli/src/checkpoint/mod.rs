//! Checkpoints: images that hold a box's file system, for new boxes to start warm.
//!
//! ```text
//! box ─► survey (git, volumes, carried files) ─► Record ─► commit, or flatten ─► image with labels ─► tag
//!                                                                                     │
//! catalog ◄── engine's images: label and tag ◄────────────────────────────────────────┘
//!    └─► find(REF) ─► list, show, rm, set-default, create --from
//! ```
//!
//! There is no other record: the labels say what a checkpoint is, its tag whose and what it is called, another tag
//! which one is its project's default. An image without such a tag is none, so it becomes one, and stops being one, in
//! one step of the engine's.

mod archive;
mod catalog;
mod changes;
mod claim;
mod commit;
mod exposed;
mod filter;
mod flatten;
mod inside;
mod manifest;
mod record;
mod reference;
mod remove;
mod scan;
mod start;
mod still;
mod survey;
mod take;
mod used;

pub use self::catalog::{Catalog, Checkpoint, key_of};
pub use self::claim::is_being_taken;
pub use self::inside::{Directory, Inside, look_inside};
pub use self::manifest::Manifest;
pub use self::record::{Parent, Record, VolumeLeftOut};
pub use self::reference::{Key, NONE, is_default_tag};
pub use self::remove::{check_unused, clear_default, remove, set_default};
pub use self::scan::Finding;
pub use self::start::{config_of, warm_up};
pub use self::take::{Taken, Wanted, take};
pub use self::used::{boxes_of, users_of};
