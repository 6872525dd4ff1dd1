//! Boots, from their events to their pictures.

mod boots;
mod path;
mod pictures;

use std::collections::HashMap;

use agentbox_ctl::report::{Event, EventKind, UnitsReport};
use agentbox_ctl::time::Timestamp;

use super::{Needs, Sources, Timeline};
use crate::testing;

/// When the box starts.
const START: u64 = 1_700_000_000_000;

/// A boot, told as `(milliseconds, unit, change)`; `change` is `from to` or `from to exit code`. Tasks are those whose
/// name begins with `t`.
#[derive(Debug, Clone)]
struct Story {
    events: Vec<Event>,
    needs: Option<HashMap<String, Needs>>,
    units: UnitsReport,
    until: Option<u64>,
}

impl Story {
    fn new(needs: &[(&str, &[&str])], lines: &[(u64, &str, &str)]) -> Self {
        let needs = needs.iter().map(|(unit, needs)| {
            let needs = needs.iter().map(|&need| need.to_owned()).collect();
            let needs = Needs {
                units: needs,
                looks: false,
            };
            ((*unit).to_owned(), needs)
        });
        Self {
            events: lines
                .iter()
                .zip(1..)
                .map(|((at, unit, change), seq)| event(seq, *at, unit, change))
                .collect(),
            needs: Some(needs.collect()),
            units: testing::report(Vec::new(), Vec::new()),
            until: Some(60_000),
        }
    }

    fn timeline(&self) -> Timeline {
        Timeline::new(&Sources {
            started_at: Timestamp::from_millis(START),
            until: self.until.map(|until| Timestamp::from_millis(START + until)),
            events: &self.events,
            units: &self.units,
            needs: self.needs.as_ref(),
        })
    }
}

fn event(seq: u64, at: u64, unit: &str, change: &str) -> Event {
    let mut words = change.split(' ').map(str::to_owned);
    Event {
        seq: Some(seq),
        time: Timestamp::from_millis(START + at),
        box_name: Some("demo".to_owned()),
        kind: match unit.starts_with('t') {
            true => EventKind::TaskState,
            false => EventKind::ServiceState,
        },
        unit: Some(unit.to_owned()),
        from: words.next(),
        to: words.next().filter(|word| word != "removed"),
        pid: None,
        exit_code: words.next().and_then(|word| word.parse().ok()),
    }
}

/// A chain of three: a task, a database that needs it, a web service that needs both.
fn chain() -> Story {
    Story::new(
        &[
            ("t-install", &[]),
            ("db", &["t-install"]),
            ("web", &["db", "t-install"]),
            ("worker", &[]),
        ],
        &[
            (300, "db", "pending waiting"),
            (300, "web", "pending waiting"),
            (310, "t-install", "pending running"),
            (315, "worker", "pending running"),
            (1_300, "t-install", "running done 0"),
            (1_310, "db", "waiting starting"),
            (2_300, "db", "starting ready"),
            (2_310, "web", "waiting starting"),
            (3_300, "web", "starting ready"),
        ],
    )
}

/// Everything that can go wrong.
fn trouble() -> Story {
    let mut story = Story::new(
        &[
            ("t-install", &[]),
            ("t-migrate", &["t-install"]),
            ("web", &["t-migrate"]),
            ("flaky", &[]),
            ("broken", &[]),
            ("slow", &[]),
            ("spare", &[]),
        ],
        &[
            (100, "spare", "pending stopped"),
            (100, "t-migrate", "pending waiting"),
            (100, "web", "pending waiting"),
            (110, "t-install", "pending running"),
            (115, "flaky", "pending running"),
            (120, "broken", "pending running"),
            (125, "slow", "pending starting"),
            (600, "t-install", "running failed 1"),
            (600, "t-migrate", "waiting skipped"),
            (700, "flaky", "running backoff 3"),
            (900, "broken", "running crashed 9"),
            (1_200, "flaky", "backoff running"),
            (1_500, "flaky", "running backoff 3"),
            (2_500, "flaky", "backoff running"),
            (4_000, "slow", "starting unhealthy"),
        ],
    );
    let mut task = testing::task("t-install", agentbox_ctl::report::TaskState::Failed);
    task.reason = Some("exited with code 1\u{1b}[2J".to_owned());
    story.units.tasks.push(task);
    story
}
