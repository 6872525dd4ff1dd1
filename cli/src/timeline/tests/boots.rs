//! What becomes of the events.

use agentbox_ctl::report::{EventKind, ServiceState};
use agentbox_ctl::time::Timestamp;

use super::super::{Row, Timeline};
use super::{START, Story, chain, event, trouble};
use crate::testing;

fn row<'a>(timeline: &'a Timeline, name: &str) -> &'a Row {
    timeline.units.iter().find(|row| row.name == name).unwrap()
}

#[test]
fn a_boot_ends_when_all_are_there() {
    let timeline = chain().timeline();
    assert!(timeline.settled && timeline.is_well());
    assert_eq!((timeline.units_from_ms, timeline.until_ms), (Some(300), 3_300));
    let names: Vec<&str> = timeline.units.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["t-install", "worker", "db", "web"]);
    let db = row(&timeline, "db");
    assert_eq!(
        (db.began_ms, db.ready_ms, db.restarts),
        (Some(1_310), Some(2_300), 0)
    );
    let spans: Vec<_> = db
        .spans
        .iter()
        .map(|span| (span.state.as_str(), span.start_ms, span.end_ms))
        .collect();
    assert_eq!(
        spans,
        [
            ("waiting", 300, Some(1_310)),
            ("starting", 1_310, Some(2_300)),
            ("ready", 2_300, None)
        ]
    );
}

#[test]
fn what_happens_later_does_not_belong_to_it() {
    let mut story = chain();
    let week = 7 * 86_400_000;
    story.events.push(event(10, week, "web", "ready backoff 1"));
    story
        .events
        .push(event(11, week + 500, "web", "backoff starting"));
    let timeline = story.timeline();
    assert_eq!((timeline.until_ms, timeline.later_changes), (3_300, 2));
    assert_eq!(row(&timeline, "web").state_word(), "ready");
}

#[test]
fn a_service_that_falls_over_at_once_was_not_up() {
    let story = Story::new(
        &[],
        &[
            (100, "web", "pending running"),
            (300, "web", "running backoff 1"),
            (800, "web", "backoff running"),
        ],
    );
    let timeline = story.timeline();
    assert_eq!((timeline.until_ms, timeline.later_changes), (800, 0));
    let web = row(&timeline, "web");
    assert_eq!(
        (web.began_ms, web.ready_ms, web.restarts),
        (Some(100), Some(800), 1)
    );
}

#[test]
fn another_process_is_a_restart_and_another_probe_is_none() {
    let mut story = Story::new(
        &[],
        &[
            (100, "web", "pending starting"),
            (200, "web", "starting ready"),
            (300, "web", "ready starting"),
            (400, "web", "starting ready"),
        ],
    );
    let mut restarts = |pids: [u32; 4]| {
        for (event, pid) in story.events.iter_mut().zip(pids) {
            event.pid = Some(pid);
        }
        row(&story.timeline(), "web").restarts
    };
    assert_eq!((restarts([7, 7, 9, 9]), restarts([7, 7, 7, 7])), (1, 0));
}

#[test]
fn a_stop_right_after_the_boot_is_none_of_it() {
    let mut story = chain();
    story.events.push(event(10, 3_400, "web", "ready stopping"));
    story.events.push(event(11, 3_450, "web", "stopping stopped"));
    let timeline = story.timeline();
    assert_eq!((timeline.until_ms, timeline.later_changes), (3_300, 2));
    assert!(timeline.critical_path.is_some());
}

#[test]
fn failures_end_it_too_and_say_what_hangs_on_them() {
    let timeline = trouble().timeline();
    assert!(timeline.settled && !timeline.is_well());
    assert_eq!((timeline.until_ms, timeline.not_ready()), (4_000, 5));
    assert_eq!(row(&timeline, "web").blocked_on, ["t-migrate"]);
    assert_eq!(row(&timeline, "flaky").restarts, 2);
    assert_eq!(row(&timeline, "broken").ready_ms, None);
    assert_eq!(row(&timeline, "spare").began_ms, None);
}

#[test]
fn what_is_on_its_way_goes_on_until_now() {
    let mut story = chain();
    story.events.truncate(8);
    let timeline = story.timeline();
    assert!(!timeline.settled);
    assert_eq!(timeline.until_ms, 60_000);
    // Nobody knows when a paused box was paused.
    story.until = None;
    assert_eq!(story.timeline().until_ms, 2_310);
}

#[test]
fn a_former_start_does_not_show() {
    let mut story = chain();
    let mut former = story.events.clone();
    for (event, seq) in former.iter_mut().zip(1..) {
        event.seq = Some(seq);
        event.time = Timestamp::from_millis(event.time.as_millis() - 100_000);
    }
    for (event, seq) in story.events.iter_mut().zip(10..) {
        event.seq = Some(seq);
    }
    let alone = story.timeline();
    former.extend(story.events);
    story.events = former;
    let timeline = story.timeline();
    assert!(!timeline.beginning_missing);
    assert_eq!(timeline.units, chain().timeline().units);
    assert!(
        alone.beginning_missing,
        "whether there were others is not known without an older one"
    );
}

#[test]
fn an_engine_that_notes_the_start_late_hides_nothing() {
    let mut story = chain();
    for event in &mut story.events {
        event.time = Timestamp::from_millis(event.time.as_millis() - 350);
    }
    let timeline = story.timeline();
    assert_eq!(timeline.started_at, Timestamp::from_millis(START - 50));
    assert_eq!(timeline.units_from_ms, Some(0));
    assert_eq!(row(&timeline, "db").spans.len(), 3);
}

#[test]
fn a_beginning_that_is_gone_is_not_made_up() {
    let mut story = chain();
    story.events.drain(..5);
    let timeline = story.timeline();
    assert!(timeline.beginning_missing);
    assert_eq!((timeline.from_ms, timeline.units_from_ms), (1_310, None));
    assert_eq!(timeline.critical_path, None);
    assert!(timeline.units.iter().all(|row| row.name != "worker"));
    story.events.remove(0);
    let timeline = story.timeline();
    let db = row(&timeline, "db");
    assert_eq!(
        (db.began_ms, db.ready_ms),
        (None, Some(2_300)),
        "it was starting already"
    );
    assert_eq!(row(&timeline, "web").began_ms, Some(2_310));
    story.events = chain().events;
    story.events[0].kind = EventKind::Gap;
    assert!(story.timeline().beginning_missing);
}

#[test]
fn a_clock_that_is_set_back_turns_no_bar_around() {
    let mut story = chain();
    story.events[6].time = Timestamp::from_millis(START + 700);
    let timeline = story.timeline();
    for span in timeline.units.iter().flat_map(|row| &row.spans) {
        assert!(span.end_ms.is_none_or(|end| end >= span.start_ms));
    }
}

#[test]
fn units_without_events_are_as_the_table_has_them() {
    let mut story = Story::new(&[], &[]);
    story.units = testing::report(vec![testing::service("web", ServiceState::Pending)], Vec::new());
    let timeline = story.timeline();
    assert!(!timeline.settled);
    assert_eq!(row(&timeline, "web").state_word(), "pending");
    story.units = testing::report(Vec::new(), Vec::new());
    assert!(story.timeline().settled);
}

#[test]
fn units_that_did_something_later_only_were_as_they_were_before_or_not_there() {
    let mut story = chain();
    story.events.drain(..4);
    story.events.push(event(10, 90_000, "worker", "running stopping"));
    story.events.push(event(11, 90_001, "new", "pending running"));
    let timeline = story.timeline();
    let worker = row(&timeline, "worker");
    assert_eq!((worker.state_word(), worker.began_ms), ("running", None));
    assert!(timeline.units.iter().all(|row| row.name != "new"));
}

#[test]
fn a_unit_that_was_removed_is_gone() {
    let mut story = chain();
    story.events.push(event(10, 3_400, "worker", "running removed"));
    let timeline = story.timeline();
    let worker = row(&timeline, "worker");
    assert_eq!((worker.state, worker.ready_ms), (None, None));
    assert_eq!(worker.spans.last().and_then(|span| span.end_ms), Some(3_400));
}
