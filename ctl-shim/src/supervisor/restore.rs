//! What a supervisor that crashed has left to know: its record, and the events since.

use std::collections::HashMap;
use std::path::Path;

use super::{journal, machine};
use crate::paths;
use crate::report::{Record, ServiceState, TaskState, UnitState};

/// By unit name.
pub(super) type Restored = HashMap<String, machine::Restored>;

/// Reads it. What cannot be read is not known, and the units concerned start afresh.
pub(super) fn read(private: &Path, journal_path: &Path) -> Restored {
    let record: Record = std::fs::read(private.join(paths::RECORD_NAME))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut restored = Restored::new();
    for service in record.units.services {
        let state = UnitState::Service(service.state);
        restored.insert(
            service.name,
            machine::Restored {
                state,
                restarts: service.restarts,
            },
        );
    }
    for task in record.units.tasks {
        restored.insert(
            task.name,
            machine::Restored {
                state: UnitState::Task(task.state),
                restarts: 0,
            },
        );
    }
    let Ok(events) = journal::read(journal_path) else {
        return restored;
    };
    for event in events.flatten().filter(|event| event.seq > Some(record.seq)) {
        let (Some(name), Some(state)) = (event.unit, event.to) else {
            continue;
        };
        let Some(state) = state_of(event.kind, &state) else {
            continue;
        };
        let known = restored
            .entry(name)
            .or_insert(machine::Restored { state, restarts: 0 });
        known.state = state;
        let came_back = matches!(
            state,
            UnitState::Service(ServiceState::Starting | ServiceState::Running)
        );
        if came_back && event.from.as_deref() == Some(ServiceState::Backoff.as_str()) {
            known.restarts += 1;
        }
    }
    restored
}

fn state_of(kind: crate::report::EventKind, word: &str) -> Option<UnitState> {
    let value = serde_json::Value::String(word.to_owned());
    match kind {
        crate::report::EventKind::ServiceState => serde_json::from_value::<ServiceState>(value)
            .ok()
            .map(UnitState::Service),
        crate::report::EventKind::TaskState => serde_json::from_value::<TaskState>(value)
            .ok()
            .map(UnitState::Task),
        _ => None,
    }
}
