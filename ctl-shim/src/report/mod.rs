//! What users are told about units: states, status tables, events. The JSON of these types is a promise.

mod event;
mod line;
mod plain;
mod state;
mod status;
mod table;

pub use event::{Event, EventKind};
pub use line::event_line;
pub use plain::{is_unwanted, one_line, strip_controls};
pub use state::{ServiceState, TaskState, UnitState};
pub use status::{Record, ServiceStatus, TaskStatus, UnitsReport};
pub use table::{align, service_reason, service_state, status_table, task_reason};
