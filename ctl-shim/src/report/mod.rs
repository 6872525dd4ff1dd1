//! What users are told about units: states, status tables, events. The JSON of these types is a promise.

mod event;
mod state;
mod status;

pub use event::{Event, EventKind};
pub use state::{ServiceState, TaskState, UnitState};
pub use status::{Record, ServiceStatus, TaskStatus, UnitsReport};
