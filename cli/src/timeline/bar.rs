//! What all pictures of a timeline have in common.

use agentbox_ctl::report::{ServiceState, TaskState, UnitState};

/// How a state is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bar {
    /// Its needs are not met.
    Waiting,
    /// It is on its way: a task that runs, a service that is not ready.
    Work,
    /// It is there.
    Up,
    /// Its probe has run out of time.
    Unhealthy,
    /// It has failed and will be tried again.
    Backoff,
    /// It is being ended.
    Stopping,
    /// Nothing happens any more.
    Rest,
}

impl Bar {
    pub(super) const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Work,
        Self::Up,
        Self::Unhealthy,
        Self::Backoff,
        Self::Stopping,
    ];

    pub(super) fn of(state: UnitState) -> Self {
        match state {
            UnitState::Service(state) => match state {
                ServiceState::Waiting => Self::Waiting,
                ServiceState::Starting => Self::Work,
                ServiceState::Running | ServiceState::Ready => Self::Up,
                ServiceState::Unhealthy => Self::Unhealthy,
                ServiceState::Backoff => Self::Backoff,
                ServiceState::Stopping => Self::Stopping,
                ServiceState::Pending | ServiceState::Crashed | ServiceState::Stopped => Self::Rest,
            },
            UnitState::Task(state) => match state {
                TaskState::Waiting => Self::Waiting,
                TaskState::Running => Self::Work,
                TaskState::Pending
                | TaskState::Done
                | TaskState::Failed
                | TaskState::Skipped
                | TaskState::Stopped => Self::Rest,
            },
        }
    }

    /// The word of the legend.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Work => "at work",
            Self::Up => "up",
            Self::Unhealthy => "unhealthy",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Rest => "",
        }
    }
}

/// Whether the state came from a failure; such a moment is marked.
pub(super) fn is_failure(state: UnitState) -> bool {
    matches!(
        state,
        UnitState::Service(ServiceState::Crashed | ServiceState::Backoff)
            | UnitState::Task(TaskState::Failed)
    )
}

/// A time for a person: `0.25s`, `3m05s`, `2h10m`, `4d07h`.
pub(super) fn seconds(millis: u64) -> String {
    let hundredths = millis.saturating_add(5) / 10;
    let seconds = hundredths / 100;
    match seconds {
        0..60 => format!("{seconds}.{:02}s", hundredths % 100),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_people() {
        let shown = [0, 4, 5, 1_250, 59_994, 59_995, 185_000, 7_800_000, 370_800_000].map(seconds);
        assert_eq!(
            shown.join(" · "),
            "0.00s · 0.00s · 0.01s · 1.25s · 59.99s · 1m00s · 3m05s · 2h10m · 4d07h"
        );
    }
}
