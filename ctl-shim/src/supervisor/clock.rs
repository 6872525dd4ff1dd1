//! A clock that stands still while the box is paused.
//!
//! A frozen process cannot see that it is frozen, and the monotonic clock goes on. But a sleep that was meant to
//! end at a known time and ends much later was slept through: what lies beyond the intended end is taken out.
//! While a deadline is pending that a pause must not eat up, sleeps are kept short, so that what is wrongly
//! counted is at most one of them.

use std::time::{Duration, Instant};

use super::machine::Active;

/// Longest sleep while a deadline is pending that must not run during a pause.
pub(super) const SHORT_SLEEP: Duration = Duration::from_millis(200);

/// Lateness up to this is scheduling, beyond it a pause.
const TOLERANCE: Duration = Duration::from_millis(400);

/// The clock.
#[derive(Debug)]
pub(super) struct Clock {
    start: Instant,
    paused: Duration,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            paused: Duration::ZERO,
        }
    }

    /// Time since the start, pauses left out.
    pub(super) fn now(&self) -> Active {
        self.start.elapsed().saturating_sub(self.paused)
    }

    /// The instant at which [`Clock::now`] will be `at`, if no pause comes between.
    pub(super) fn instant_of(&self, at: Active) -> Instant {
        self.start + self.paused + at
    }

    /// Called after a sleep that was to end at `planned`: takes out what was slept through.
    pub(super) fn woke(&mut self, planned: Instant, now: Instant) {
        let late = now.saturating_duration_since(planned);
        if late > TOLERANCE {
            self.paused += late;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_within_reason_counts_and_a_pause_does_not() {
        let mut clock = Clock::new();
        let planned = clock.start + Duration::from_millis(200);
        clock.woke(planned, planned + Duration::from_millis(100));
        assert_eq!(clock.paused, Duration::ZERO);
        clock.woke(planned, planned + Duration::from_secs(60));
        assert_eq!(clock.paused, Duration::from_secs(60));
        assert_eq!(
            clock.instant_of(Duration::from_secs(1)),
            clock.start + Duration::from_secs(61)
        );
    }
}
