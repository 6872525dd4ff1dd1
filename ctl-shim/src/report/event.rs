//! State events.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// The state of a service.
    ServiceState,
    /// The state of a task.
    TaskState,
    /// The state of a box; comes from the host and has no `seq`.
    BoxState,
    /// Events that a reader missed: the journal no longer has those before `seq`.
    Gap,
}

/// One line of `events --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Number of a unit event, from 1, never reset while the box lives.
    pub seq: Option<u64>,
    /// When it happened.
    pub time: Timestamp,
    /// Name of the box.
    #[serde(rename = "box")]
    pub box_name: Option<String>,
    /// What changed.
    pub kind: EventKind,
    /// The unit, where it is a unit's.
    pub unit: Option<String>,
    /// State before; `null` where the unit was not known before.
    pub from: Option<String>,
    /// State after; `null` where the unit is gone (removed by a reload).
    pub to: Option<String>,
    /// Leader's process id, while there is one.
    pub pid: Option<u32>,
    /// Exit code, where the event is an exit.
    pub exit_code: Option<i32>,
}
