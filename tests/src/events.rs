//! What `agentbox events --json` prints, and what has to hold for it.

use std::time::Duration;

use serde_json::Value;

use crate::process::Running;
use crate::test_box::TestBox;
use crate::wait::wait_for;

/// The events of all whole lines: who is killed may have left half of one.
///
/// # Panics
/// Where a line is no JSON.
#[track_caller]
pub fn parse(text: &str) -> Vec<Value> {
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    text[..end]
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}")))
        .collect()
}

/// Those of units, which have numbers.
pub fn numbered(events: &[Value]) -> Vec<Value> {
    let mut events = events.to_vec();
    events.retain(|event| !event["seq"].is_null());
    events
}

/// The numbers, in the order of the events.
pub fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().filter_map(|event| event["seq"].as_u64()).collect()
}

/// The states that a box came from and went to; `-` is none.
pub fn box_states(events: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    events
        .iter()
        .filter(|event| event["kind"] == "box-state")
        .map(|event| (text(&event["from"]), text(&event["to"])))
        .collect()
}

/// What is wrong with the states of a box as they follow each other.
pub fn broken_chain(events: &[Value]) -> Option<String> {
    let states = box_states(events);
    let stays = states.iter().find(|(from, to)| from == to);
    let jumps = states.windows(2).find(|pair| pair[0].1 != pair[1].0);
    stays
        .map(|(from, _)| format!("from {from} to {from} in {states:?}"))
        .or_else(|| jumps.map(|pair| format!("{:?} is followed by {:?} in {states:?}", pair[0], pair[1])))
}

/// The events of a box, as the relay or, with `--no-relay`, the box has them: the answer has to come from where it was asked for.
///
/// # Errors
/// What was said instead.
pub fn of(test_box: &TestBox<'_>, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let output = test_box.run("events", &[&["--json", "-v"], arguments].concat());
    if output.code == 0 && !output.stderr.contains("without the relay") {
        Ok(parse(&output.stdout))
    } else {
        Err(output.to_string())
    }
}

/// Waits until a follower has printed what the box has recorded, and gives all of it.
///
/// # Panics
/// After `limit`; where a number is missing or comes twice, or the box's states do not follow each other.
#[track_caller]
pub fn all_once(follower: &Running, test_box: &TestBox<'_>, limit: Duration) -> Vec<Value> {
    let own = wait_for("the box's own events", limit, || of(test_box, &["--no-relay"]));
    let own = numbers(&own);
    let seen = wait_for("all events", limit, || {
        let seen = parse(&follower.stdout());
        if numbers(&seen).last() >= own.last() {
            Ok(seen)
        } else {
            Err(format!("{:?} of {own:?}; {}", numbers(&seen), follower.stderr()))
        }
    });
    let last = numbers(&seen).last().copied().unwrap_or(0);
    assert_eq!(
        numbers(&seen),
        (1..=last).collect::<Vec<_>>(),
        "{}",
        follower.stderr()
    );
    assert_eq!(broken_chain(&seen), None);
    seen
}
