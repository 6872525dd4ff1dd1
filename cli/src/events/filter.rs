//! Which events of a box somebody wants to see.

use agentbox_ctl::report::{Event, EventKind};
use agentbox_ctl::time::Timestamp;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// With what happened at this time or later.
    Time(Timestamp),
    /// With what has a higher sequence number.
    Number(u64),
}

impl Since {
    /// Parses a sequence number, a duration into the past or a time.
    ///
    /// # Errors
    /// A text that is none of them.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map(Self::Number)
                .map_err(|_| format!("`{text}` is too large for a sequence number"));
        }
        Timestamp::parse_since(text, now)
            .map(Self::Time)
            .map_err(|error| format!("{error}, nor a sequence number"))
    }
}

/// What an event has to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Where to begin; `None` is the oldest that is kept.
    pub since: Option<Since>,
    /// Of one of these units; empty means any.
    pub units: Vec<String>,
    /// Of one of these kinds; empty means any.
    pub kinds: Vec<EventKind>,
}

impl Filter {
    /// Only events with a higher sequence number.
    pub fn after(&self) -> Option<u64> {
        match self.since {
            Some(Since::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// Only events at or after this time.
    pub fn time(&self) -> Option<Timestamp> {
        match self.since {
            Some(Since::Time(time)) => Some(time),
            _ => None,
        }
    }

    /// Whether an event is wanted. Events that were missed may have been of any unit.
    pub fn wants(&self, event: &Event) -> bool {
        let begun = match self.since {
            None => true,
            Some(Since::Time(time)) => event.time >= time,
            Some(Since::Number(number)) => event.seq.is_none_or(|seq| seq > number),
        };
        let of_unit = self.units.is_empty()
            || event.kind == EventKind::Gap
            || event.unit.as_ref().is_some_and(|unit| self.units.contains(unit));
        let of_kind = self.kinds.is_empty() || self.kinds.contains(&event.kind);
        begun && of_unit && of_kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, kind: EventKind, unit: Option<&str>) -> Event {
        Event {
            seq: Some(seq),
            time: Timestamp::from_millis(seq * 1000),
            box_name: None,
            kind,
            unit: unit.map(str::to_owned),
            from: None,
            to: None,
            pid: None,
            exit_code: None,
        }
    }

    #[test]
    fn since_is_a_number_a_duration_or_a_time() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        assert_eq!(Since::parse("0", now), Ok(Since::Number(0)));
        assert_eq!(Since::parse("42", now), Ok(Since::Number(42)));
        assert_eq!(
            Since::parse("5m", now),
            Ok(Since::Time(Timestamp::from_millis(1_699_999_700_000)))
        );
        assert_eq!(Since::parse("2023-11-14T22:13:20Z", now), Ok(Since::Time(now)));
        for wrong in ["", "-1", "+1", "1.5", "99999999999999999999", "yesterday"] {
            assert!(Since::parse(wrong, now).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_condition_counts_and_all_have_to_hold() {
        let events = [
            event(1, EventKind::ServiceState, Some("web")),
            event(2, EventKind::TaskState, Some("build")),
            event(3, EventKind::Gap, None),
            event(4, EventKind::ServiceState, Some("web")),
            event(5, EventKind::ServiceState, Some("worker")),
        ];
        let seen = |filter: &Filter| -> Vec<u64> {
            let wanted = events.iter().filter(|event| filter.wants(event));
            wanted.filter_map(|event| event.seq).collect()
        };
        let mut filter = Filter::default();
        assert_eq!(seen(&filter), [1, 2, 3, 4, 5]);
        filter.since = Some(Since::Number(1));
        assert_eq!(seen(&filter), [2, 3, 4, 5]);
        filter.units = vec!["web".to_owned(), "build".to_owned()];
        assert_eq!(seen(&filter), [2, 3, 4]);
        filter.kinds = vec![EventKind::ServiceState];
        assert_eq!(seen(&filter), [4]);
        filter.since = Some(Since::Time(Timestamp::from_millis(1000)));
        assert_eq!(seen(&filter), [1, 4]);
    }
}
