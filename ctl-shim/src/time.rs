//! Points in time as users see them: RFC 3339 in UTC with milliseconds.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A wall-clock time with millisecond precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The current time.
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The current time, or the one after `earlier` where the clock has not got there: of two changes of one thing, the second
    /// has another time than the first.
    #[must_use]
    pub fn now_after(earlier: Self) -> Self {
        Self::now().max(Self(earlier.0.saturating_add(1)))
    }

    /// This time moved back by `duration`, not before the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Parses what `--since` takes: a duration into the past (`5m`, `1h 30m`) or an RFC 3339 time.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn parse_since(text: &str, now: Self) -> Result<Self, String> {
        if let Ok(duration) = humantime::parse_duration(text) {
            return Ok(now.before(duration));
        }
        humantime::parse_rfc3339_weak(text).map(Self::from).map_err(|_| {
            format!("`{text}` is neither a duration like `5m` nor a time like `2026-01-31T12:00:00Z`")
        })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = UNIX_EPOCH + Duration::from_millis(self.0);
        humantime::format_rfc3339_millis(time).fmt(formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text)
            .map(Self::from)
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_milliseconds_and_reads_them_back() {
        let time = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(time.to_string(), "2023-11-14T22:13:20.123Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), time);
    }

    #[test]
    fn since_takes_durations_and_times() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(
            Timestamp::parse_since("5m", now),
            Ok(Timestamp::from_millis(1_699_999_700_000))
        );
        assert_eq!(Timestamp::parse_since("2023-11-14T22:13:20Z", now), Ok(now));
        assert!(Timestamp::parse_since("yesterday", now).is_err());
    }
}
