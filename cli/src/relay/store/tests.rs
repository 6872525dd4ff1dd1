use std::ops::RangeInclusive;

use agentbox_ctl::report::EventKind;
use agentbox_ctl::time::Timestamp;

use super::tables::{KEPT, KEPT_UNNUMBERED, LARGEST};
use super::*;
use crate::testing::event;

fn numbered(range: RangeInclusive<u64>) -> Vec<Event> {
    range.map(|seq| event(seq, "web", "running", "backoff")).collect()
}

fn box_state(to: &str) -> Event {
    Event {
        seq: None,
        kind: EventKind::BoxState,
        unit: None,
        from: None,
        to: Some(to.to_owned()),
        ..event(0, "web", "running", "stopped")
    }
}

fn numbers(events: &[(i64, Event)]) -> Vec<u64> {
    events.iter().filter_map(|(_, event)| event.seq).collect()
}

fn states(events: &[(i64, Event)]) -> Vec<(Option<&str>, Option<&str>)> {
    let states = events
        .iter()
        .filter(|(_, event)| event.kind == EventKind::BoxState);
    states
        .map(|(_, event)| (event.from.as_deref(), event.to.as_deref()))
        .collect()
}

fn place() -> (tempfile::TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("events.db");
    (directory, path)
}

#[tokio::test]
async fn every_number_once_whoever_sends_it_how_often() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    assert_eq!(store.add("a", 0, numbered(1..=5)).await.unwrap(), 5);
    assert_eq!(store.add("a", 2, numbered(3..=8)).await.unwrap(), 8);
    store.add("b", 0, numbered(1..=2)).await.unwrap();
    store.record("a", box_state("stopped")).await.unwrap();
    drop(store);
    let store = Store::open(&path).unwrap();
    assert_eq!(store.last("a").await.unwrap(), 8);
    assert_eq!(store.add("a", 7, numbered(8..=9)).await.unwrap(), 9);
    let all = store.after("a", None, 0).await.unwrap();
    assert_eq!(numbers(&all), (1..=9).collect::<Vec<_>>());
    assert_eq!(all[8].1.kind, EventKind::BoxState);
    let some = store.after("a", Some(6), 0).await.unwrap();
    assert_eq!(numbers(&some), [7, 8, 9]);
    assert_eq!(some.len(), 4);
    let row = some[2].0;
    assert_eq!(numbers(&store.after("a", None, row).await.unwrap()), [9]);
    assert_eq!(store.count().await.unwrap(), 12);
}

#[tokio::test]
async fn who_is_told_finds_it() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    let mut told = store.told();
    store.add("a", 0, numbered(1..=1)).await.unwrap();
    told.changed().await.unwrap();
    assert_eq!(store.after("a", None, 0).await.unwrap().len(), 1);
}

#[tokio::test]
async fn states_of_a_box_follow_each_other() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    // Two ways to one engine may both tell.
    for to in ["running", "running", "paused", "running", "running", "stopped"] {
        store.record("a", box_state(to)).await.unwrap();
    }
    let all = store.after("a", None, 0).await.unwrap();
    let expected = [
        (None, Some("running")),
        (Some("running"), Some("paused")),
        (Some("paused"), Some("running")),
        (Some("running"), Some("stopped")),
    ];
    assert_eq!(states(&all), expected);
}

#[tokio::test]
async fn what_has_no_number_is_newer_than_one_when_it_came_later() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    store.record("a", box_state("running")).await.unwrap();
    store.add("a", 0, numbered(1..=3)).await.unwrap();
    store.record("a", box_state("paused")).await.unwrap();
    store.add("a", 3, numbered(4..=4)).await.unwrap();
    let paused = [(Some("running"), Some("paused"))];
    assert_eq!(states(&store.after("a", Some(2), 0).await.unwrap()), paused);
    assert_eq!(states(&store.after("a", Some(3), 0).await.unwrap()), paused);
    assert_eq!(states(&store.after("a", Some(4), 0).await.unwrap()), []);
    assert_eq!(store.after("a", Some(u64::MAX), 0).await.unwrap(), []);
}

#[tokio::test]
async fn only_the_newest_are_kept_and_what_is_missing_is_one_gap() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    store.add("a", 0, numbered(1..=11)).await.unwrap();
    let row = store.after("a", Some(9), 0).await.unwrap()[0].0;
    store.add("a", 11, numbered(12..=12_000)).await.unwrap();
    assert_eq!(store.count().await.unwrap(), KEPT);
    // Of a reader that begins, and of one that was slow.
    for row in [0, row] {
        let events = store.after("a", Some(10), row).await.unwrap();
        assert_eq!(events[0].1.kind, EventKind::Gap);
        assert_eq!(numbers(&events[..3]), [2000, 2001, 2002]);
        let (row, event) = &events[3];
        let next = store.after("a", event.seq, *row).await.unwrap();
        assert_eq!(numbers(&next[..1]), [2004]);
    }
    let all = store.after("a", None, 0).await.unwrap();
    assert_eq!(numbers(&all[..1]), [2001]);
    for _ in 0..600 {
        store.record("a", box_state("paused")).await.unwrap();
        store.record("a", box_state("running")).await.unwrap();
    }
    assert_eq!(store.count().await.unwrap(), KEPT + KEPT_UNNUMBERED);
}

#[tokio::test]
async fn a_box_may_send_anything() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    store.record("a", box_state("running")).await.unwrap();
    let large = Event {
        unit: Some("x".repeat(LARGEST)),
        ..event(1, "web", "a", "b")
    };
    let beyond = event(u64::MAX, "web", "a", "b");
    let unnumbered = Event {
        seq: None,
        ..event(0, "web", "a", "b")
    };
    let forged = Event {
        seq: Some(1),
        ..box_state("stopped")
    };
    let all = vec![
        large,
        beyond,
        unnumbered,
        box_state("dead"),
        forged,
        event(2, "web", "a", "b"),
    ];
    store.add("a", 0, all).await.unwrap();
    let stored = store.after("a", None, 0).await.unwrap();
    assert_eq!(numbers(&stored), [2]);
    assert_eq!(states(&stored), [(None, Some("running"))]);
    assert_eq!(store.last("a").await.unwrap(), 2);
    // What its host says goes on from what its host said.
    store.record("a", box_state("paused")).await.unwrap();
    let stored = store.after("a", None, 0).await.unwrap();
    assert_eq!(states(&stored)[1], (Some("running"), Some("paused")));
    // Numbers that run away cost nobody but the box.
    store.add("b", 0, numbered(1..=3)).await.unwrap();
    store
        .add("a", 2, vec![event(1 << 62, "web", "a", "b")])
        .await
        .unwrap();
    assert_eq!(numbers(&store.after("b", None, 0).await.unwrap()), [1, 2, 3]);
}

#[tokio::test]
async fn a_broken_file_is_put_aside() {
    let (directory, path) = place();
    let nonsense = "no database at all, but long enough to be looked at as one".repeat(100);
    std::fs::write(&path, &nonsense).unwrap();
    let store = Store::open(&path).unwrap();
    store.add("a", 0, numbered(1..=1)).await.unwrap();
    assert_eq!(store.last("a").await.unwrap(), 1);
    let aside = directory.path().join("events.db.broken");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), nonsense);
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_stays_where_it_is() {
    let (directory, path) = place();
    std::fs::create_dir(&path).unwrap();
    assert!(Store::open(&path).is_err());
    assert!(path.is_dir());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_file_that_is_gone_is_replaced_and_readers_go_on() {
    let (directory, path) = place();
    let store = Store::open(&path).unwrap();
    store.add("a", 0, numbered(1..=5)).await.unwrap();
    let read = store.after("a", None, 0).await.unwrap();
    let row = read.last().unwrap().0;
    std::fs::remove_dir_all(directory.path()).unwrap();
    // What comes next would leave a hole.
    let failure = store.add("a", 5, numbered(6..=6)).await.unwrap_err();
    assert!(
        failure.causes.iter().any(|cause| cause.contains("lost")),
        "{failure:?}"
    );
    assert_eq!(store.last("a").await.unwrap(), 0);
    assert_eq!(store.add("a", 0, numbered(1..=6)).await.unwrap(), 6);
    // Who has read up to 5 gets 6, by its number; its row is older than all that are there now.
    assert_eq!(numbers(&store.after("a", Some(5), row).await.unwrap()), [6]);
    assert_eq!(numbers(&store.after("a", Some(5), i64::MAX).await.unwrap()), [6]);
    assert!(path.exists());
}

#[tokio::test]
async fn one_change_that_cannot_be_made_costs_no_other() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    let (good, bad, state) = tokio::join!(
        store.add("a", 0, numbered(1..=2)),
        store.add("b", 7, numbered(8..=9)),
        store.record("c", box_state("running")),
    );
    assert_eq!(good.unwrap(), 2);
    assert!(bad.is_err());
    state.unwrap();
    assert_eq!(store.count().await.unwrap(), 3);
}

#[tokio::test]
async fn boxes_are_forgotten_a_day_after_their_own_engine_has_last_had_them() {
    let (_directory, path) = place();
    let store = Store::open(&path).unwrap();
    for id in ["here", "gone", "elsewhere"] {
        store.add(id, 0, numbered(1..=1)).await.unwrap();
    }
    store
        .keep("one", vec!["here".to_owned(), "gone".to_owned()])
        .await
        .unwrap();
    store.keep("two", vec!["elsewhere".to_owned()]).await.unwrap();
    drop(store);
    let database = Connection::open(&path).unwrap();
    let (day, hour) = (24 * 60 * 60 * 1000, 60 * 60 * 1000);
    let now = Timestamp::now().as_millis();
    // Two days of sleep.
    database
        .execute("UPDATE box SET seen = ?1", [now - 2 * day])
        .unwrap();
    let store = Store::open(&path).unwrap();
    store.keep("one", vec!["here".to_owned()]).await.unwrap();
    assert_eq!(store.last("here").await.unwrap(), 1);
    assert_eq!(store.last("gone").await.unwrap(), 0);
    // Its engine has not said.
    assert_eq!(store.last("elsewhere").await.unwrap(), 1);
    // A clock that went ahead and was set back.
    database
        .execute("UPDATE box SET seen = ?1", [now + 400 * day])
        .unwrap();
    store.keep("two", Vec::new()).await.unwrap();
    assert_eq!(store.last("elsewhere").await.unwrap(), 1);
    database
        .execute("UPDATE box SET seen = ?1", [now - day - hour])
        .unwrap();
    store.keep("two", Vec::new()).await.unwrap();
    assert_eq!(store.last("elsewhere").await.unwrap(), 0);
    assert_eq!(store.count().await.unwrap(), 1);
}
