//! Events as lines for a person.

use super::{Event, EventKind, one_line};

/// One event on one line, without a line end: `2026-01-31T12:00:00.000Z  web  starting → ready`.
///
/// Stripped of control characters, since an event comes from a box.
pub fn event_line(event: &Event) -> String {
    if event.kind == EventKind::Gap {
        let next = event
            .seq
            .map_or_else(String::new, |seq| format!(" up to number {seq}"));
        return format!("{}  (events{next} are no longer kept)", event.time);
    }
    let subject = match (&event.unit, &event.box_name) {
        (Some(unit), _) => one_line(unit),
        (None, Some(name)) => format!("box {}", one_line(name)).into(),
        (None, None) => "box".into(),
    };
    let change = match (&event.from, &event.to) {
        (Some(from), Some(to)) => format!("{} → {}", one_line(from), one_line(to)),
        (None, Some(to)) => one_line(to).into_owned(),
        (_, None) => "removed".to_owned(),
    };
    let exit = event
        .exit_code
        .map_or_else(String::new, |code| format!("  (exit code {code})"));
    format!("{}  {subject}  {change}{exit}", event.time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    #[test]
    fn a_line_each() {
        let event = Event {
            seq: Some(3),
            time: Timestamp::from_millis(1_700_000_000_123),
            box_name: Some("mybox".to_owned()),
            kind: EventKind::ServiceState,
            unit: Some("web".to_owned()),
            from: Some("running".to_owned()),
            to: Some("backoff".to_owned()),
            pid: None,
            exit_code: Some(1),
        };
        assert_eq!(
            event_line(&event),
            "2023-11-14T22:13:20.123Z  web  running → backoff  (exit code 1)"
        );
        let removed = Event {
            to: None,
            exit_code: None,
            ..event.clone()
        };
        assert_eq!(event_line(&removed), "2023-11-14T22:13:20.123Z  web  removed");
        let gap = Event {
            kind: EventKind::Gap,
            ..event
        };
        assert_eq!(
            event_line(&gap),
            "2023-11-14T22:13:20.123Z  (events up to number 3 are no longer kept)"
        );
    }
}
