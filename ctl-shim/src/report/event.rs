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

impl EventKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ServiceState, Self::TaskState, Self::BoxState, Self::Gap];

    /// The word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceState => "service-state",
            Self::TaskState => "task-state",
            Self::BoxState => "box-state",
            Self::Gap => "gap",
        }
    }

    /// The kind that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
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

impl Event {
    /// What a reader is told that missed the events up to the number `missed`: they are no longer kept.
    pub fn gap(missed: u64) -> Self {
        Self {
            seq: Some(missed),
            time: Timestamp::now(),
            box_name: None,
            kind: EventKind::Gap,
            unit: None,
            from: None,
            to: None,
            pid: None,
            exit_code: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_json() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            assert_eq!(EventKind::from_word(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::from_word("Gap"), None);
    }
}
