//! What users are told about units: states, status tables, events. The JSON of these types is a promise.

mod event;
mod plain;
mod state;
mod status;

pub use event::{Event, EventKind};
pub use plain::{one_line, strip_controls};
pub use state::{ServiceState, TaskState, UnitState};
pub use status::{ServiceStatus, TaskStatus, UnitsReport};
