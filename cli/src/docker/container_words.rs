//! What the engine says of a container, in our words.

use agentbox_ctl::time::Timestamp;
use bollard::models::{ContainerStateStatusEnum, ContainerSummaryStateEnum};

use super::ContainerPhase;

pub(super) fn phase_of_summary(state: Option<ContainerSummaryStateEnum>) -> ContainerPhase {
    match state {
        Some(ContainerSummaryStateEnum::RUNNING) => ContainerPhase::Running,
        Some(ContainerSummaryStateEnum::PAUSED) => ContainerPhase::Paused,
        Some(ContainerSummaryStateEnum::RESTARTING) => ContainerPhase::Restarting,
        Some(ContainerSummaryStateEnum::REMOVING) => ContainerPhase::Removing,
        Some(ContainerSummaryStateEnum::EXITED) => ContainerPhase::Exited,
        Some(ContainerSummaryStateEnum::DEAD) => ContainerPhase::Dead,
        _ => ContainerPhase::Created,
    }
}

pub(super) fn phase_of_state(state: Option<ContainerStateStatusEnum>) -> ContainerPhase {
    match state {
        Some(ContainerStateStatusEnum::RUNNING) => ContainerPhase::Running,
        Some(ContainerStateStatusEnum::PAUSED) => ContainerPhase::Paused,
        Some(ContainerStateStatusEnum::RESTARTING) => ContainerPhase::Restarting,
        Some(ContainerStateStatusEnum::REMOVING) => ContainerPhase::Removing,
        Some(ContainerStateStatusEnum::EXITED) => ContainerPhase::Exited,
        Some(ContainerStateStatusEnum::DEAD) => ContainerPhase::Dead,
        _ => ContainerPhase::Created,
    }
}

/// The engine's form of a time; what never was is one in the year 1.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    humantime::parse_rfc3339(text).ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nanoseconds_and_what_never_was_has_none() {
        let started = time_of("2023-11-14T22:13:20.123456789Z");
        assert_eq!(started, Some(Timestamp::from_millis(1_700_000_000_123)));
        assert_eq!(time_of("0001-01-01T00:00:00Z"), None);
    }
}
