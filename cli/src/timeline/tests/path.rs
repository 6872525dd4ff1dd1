//! The critical path.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Story, chain, event, trouble};
use crate::timeline::{Needs, Step, text};
use crate::ui::Style;

fn path(story: &Story) -> Vec<(String, u64, u64)> {
    let path = story.timeline().critical_path.unwrap_or_default();
    let parts = |step: Step| (step.unit, step.start_ms, step.end_ms);
    path.into_iter().map(parts).collect()
}

fn named(story: &Story) -> Vec<String> {
    path(story).into_iter().map(|(unit, ..)| unit).collect()
}

#[test]
fn it_goes_through_the_needs_that_were_last() {
    let expected = [
        ("t-install", 300, 1_300),
        ("db", 1_300, 2_300),
        ("web", 2_300, 3_300),
    ];
    assert_eq!(
        path(&chain()),
        expected.map(|(unit, start, end)| (unit.to_owned(), start, end))
    );
}

#[test]
fn a_need_that_had_to_come_up_again_counts_from_then() {
    let story = Story::new(
        &[("web", &["db", "cache"]), ("db", &[]), ("cache", &[])],
        &[
            (0, "web", "pending waiting"),
            (0, "db", "pending starting"),
            (0, "cache", "pending starting"),
            (100, "db", "starting ready"),
            (200, "db", "ready backoff 1"),
            (400, "cache", "starting ready"),
            (700, "db", "backoff starting"),
            (900, "db", "starting ready"),
            (901, "web", "waiting running"),
        ],
    );
    assert_eq!(
        path(&story),
        [("db".to_owned(), 0, 900), ("web".to_owned(), 900, 901)]
    );
}

#[test]
fn a_wait_for_ones_own_check_is_ones_own() {
    let mut story = Story::new(
        &[("t-a", &[]), ("t-b", &["t-a"])],
        &[
            (0, "t-b", "pending waiting"),
            (0, "t-a", "pending waiting"),
            (500, "t-a", "waiting done"),
            (800, "t-b", "waiting done"),
        ],
    );
    // Without a look, what it has waited for is not in this configuration.
    assert_eq!(story.timeline().critical_path, None);
    story.needs.as_mut().unwrap().get_mut("t-a").unwrap().looks = true;
    assert_eq!(
        path(&story),
        [("t-a".to_owned(), 0, 500), ("t-b".to_owned(), 500, 800)]
    );
}

#[test]
fn what_failed_is_not_on_it_and_without_needs_there_is_none() {
    assert_eq!(named(&trouble()), ["flaky"]);
    let mut story = chain();
    story.needs = None;
    assert_eq!(story.timeline().critical_path, None);
}

#[test]
fn needs_that_were_edited_away_make_up_no_path() {
    let mut story = chain();
    story.needs.as_mut().unwrap().remove("db");
    assert_eq!(story.timeline().critical_path, None);
    assert!(text(&story.timeline(), "demo", 80, Style::new(false)).contains("critical path: not known"));
}

#[test]
fn every_unit_needs_dockerd_where_there_is_one() {
    let story = Story::new(
        &[("db", &[])],
        &[
            (0, "docker.daemon", "pending starting"),
            (0, "db", "pending waiting"),
            (600, "docker.daemon", "starting ready"),
            (610, "db", "waiting starting"),
            (900, "db", "starting ready"),
        ],
    );
    assert_eq!(named(&story), ["docker.daemon", "db"]);
}

#[test]
fn needs_that_a_hostile_box_makes_a_circle_end_somewhere() {
    let story = Story::new(
        &[("a", &["b"]), ("b", &["a"])],
        &[
            (0, "a", "pending waiting"),
            (1, "b", "waiting running"),
            (2, "b", "running waiting"),
            (3, "a", "waiting running"),
            (4, "b", "waiting running"),
            (5, "a", "running waiting"),
            (6, "b", "running waiting"),
            (7, "b", "waiting running"),
            (8, "a", "waiting running"),
        ],
    );
    assert_eq!(story.timeline().critical_path, None);
}

/// How long each unit takes, and which of those before it needs.
fn any_graph() -> impl Strategy<Value = Vec<(u64, Vec<usize>)>> {
    prop::collection::vec((0_u64..500, prop::collection::vec(0_usize..12, 0..4)), 1..12)
}

/// What a supervisor would tell of them, and when each is there.
fn play(graph: &[(u64, Vec<usize>)]) -> (Story, Vec<u64>) {
    let mut story = Story::new(&[], &[]);
    let mut needs = HashMap::new();
    let mut ready: Vec<u64> = Vec::new();
    let mut told = Vec::new();
    for (unit, (takes, wanted)) in graph.iter().enumerate() {
        let wanted: Vec<usize> = wanted.iter().copied().filter(|&need| need < unit).collect();
        let begins = wanted.iter().map(|&need| ready[need]).max();
        let name = format!("t{unit}");
        // The rank puts the end of a need before the start of what waits for it, within one millisecond.
        if begins.is_some() {
            told.push(((0, 0, unit), name.clone(), "pending waiting"));
        }
        let (at, from) = match begins {
            Some(at) => (at, "waiting running"),
            None => (0, "pending running"),
        };
        told.push(((at, 2 * unit + 1, unit), name.clone(), from));
        ready.push(at + takes);
        told.push(((at + takes, 2 * unit + 2, unit), name.clone(), "running done 0"));
        let units = wanted.iter().map(|need| format!("t{need}")).collect();
        needs.insert(name, Needs { units, looks: false });
    }
    told.sort();
    story.needs = Some(needs);
    story.events = told
        .iter()
        .zip(1..)
        .map(|(((at, ..), name, change), seq)| event(seq, *at, name, change))
        .collect();
    (story, ready)
}

proptest! {
    #[test]
    fn it_is_a_chain_of_needs_without_gaps_up_to_the_last_unit(graph in any_graph()) {
        let (story, ready) = play(&graph);
        let timeline = story.timeline();
        let path = timeline.critical_path.clone().unwrap();
        prop_assert_eq!(path[0].start_ms, 0);
        prop_assert_eq!(path.last().map(|step| step.end_ms), ready.iter().copied().max());
        prop_assert_eq!(timeline.until_ms, ready.iter().copied().max().unwrap());
        for pair in path.windows(2) {
            prop_assert_eq!(pair[0].end_ms, pair[1].start_ms);
            let row = timeline.units.iter().find(|row| row.name == pair[1].unit).unwrap();
            prop_assert!(row.needs.contains(&pair[0].unit));
        }
        for step in &path {
            prop_assert!(step.start_ms <= step.end_ms);
            let row = timeline.units.iter().find(|row| row.name == step.unit).unwrap();
            prop_assert!(row.critical);
            prop_assert_eq!(row.ready_ms, Some(step.end_ms));
        }
    }

    #[test]
    fn no_journal_makes_it_fall(
        lines in prop::collection::vec((0_u64..5_000, 0_usize..4, 0_usize..9, 0_usize..9), 0..60)
    ) {
        let states = ["pending", "waiting", "starting", "running", "ready", "backoff", "crashed", "stopped", "removed"];
        let lines: Vec<(u64, String, String)> = lines
            .into_iter()
            .map(|(at, unit, from, to)| (at, format!("u{unit}"), format!("{} {}", states[from], states[to])))
            .collect();
        let lines: Vec<_> = lines.iter().map(|(at, unit, change)| (*at, unit.as_str(), change.as_str())).collect();
        let story = Story::new(&[("u0", &["u1", "u2"]), ("u1", &["u0", "u3"])], &lines);
        let timeline = story.timeline();
        for span in timeline.units.iter().flat_map(|row| &row.spans) {
            prop_assert!(span.end_ms.unwrap_or(timeline.until_ms) >= span.start_ms);
            prop_assert!(span.start_ms <= timeline.until_ms);
        }
        for pair in timeline.critical_path.unwrap_or_default().windows(2) {
            prop_assert_eq!(pair[0].end_ms, pair[1].start_ms);
        }
    }
}
