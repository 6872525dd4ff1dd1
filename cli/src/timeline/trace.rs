//! A timeline in the Trace Event Format, which chrome://tracing and Perfetto open: a thread for each unit.

use serde_json::{Value, json};

use super::bar::is_failure;
use super::{Row, Timeline};

/// The one process of the trace.
const PROCESS: u32 = 1;
/// The thread of the critical path.
const PATH: usize = 0;

/// The trace of the box `name`.
pub fn trace(timeline: &Timeline, name: &str) -> Value {
    let mut events = vec![metadata(
        "process_name",
        PATH,
        json!({"name": format!("box {name}")}),
    )];
    if let Some(path) = &timeline.critical_path {
        events.extend(thread(PATH, "critical path"));
        for step in path {
            let arguments = json!({});
            events.push(slice(PATH, &step.unit, step.start_ms, step.end_ms, arguments));
        }
    }
    for (index, row) in timeline.units.iter().enumerate() {
        unit(&mut events, row, index + 1, timeline.until_ms);
    }
    arrows(&mut events, timeline);
    json!({
        "traceEvents": events,
        "displayTimeUnit": "ms",
        "otherData": {
            "box": name,
            "startedAt": timeline.started_at,
            "settled": timeline.settled,
            "beginningMissing": timeline.beginning_missing,
        },
    })
}

/// The slices of a unit, and a mark where it failed.
fn unit(events: &mut Vec<Value>, row: &Row, number: usize, until: u64) {
    events.extend(thread(number, &row.name));
    for span in &row.spans {
        let arguments = json!({"exitCode": span.exit_code, "needs": row.needs});
        let end = span.end_ms.unwrap_or(until);
        events.push(slice(number, span.state.as_str(), span.start_ms, end, arguments));
        if is_failure(span.state) {
            events.push(json!({
                "ph": "i", "s": "t", "name": "failure", "cat": "unit", "pid": PROCESS, "tid": number,
                "ts": micros(span.start_ms), "args": {"exitCode": span.exit_code},
            }));
        }
    }
}

/// An arrow from each step of the critical path to the next.
fn arrows(events: &mut Vec<Value>, timeline: &Timeline) {
    let path = timeline.critical_path.as_deref().unwrap_or_default();
    let row_of = |unit: &str| timeline.units.iter().position(|row| row.name == unit);
    for (id, pair) in path.windows(2).enumerate() {
        let (Some(from), Some(to)) = (row_of(&pair[0].unit), row_of(&pair[1].unit)) else {
            continue;
        };
        // An arrow hangs on slices: it leaves the one that ends there, and enters the next unit's that begins then.
        let leaves = pair[0].end_ms.saturating_mul(1_000).saturating_sub(1);
        let enters = timeline.units[to]
            .spans
            .iter()
            .map(|span| span.start_ms)
            .find(|&start| start >= pair[1].start_ms)
            .unwrap_or(pair[1].end_ms);
        let ends = [("s", from, leaves), ("f", to, micros(enters))];
        for (phase, row, time) in ends {
            events.push(json!({
                "ph": phase, "bp": "e", "id": id, "name": "needs", "cat": "critical",
                "pid": PROCESS, "tid": row + 1, "ts": time,
            }));
        }
    }
}

fn thread(number: usize, name: &str) -> [Value; 2] {
    [
        metadata("thread_name", number, json!({"name": name})),
        metadata("thread_sort_index", number, json!({"sort_index": number})),
    ]
}

fn metadata(what: &str, thread: usize, arguments: Value) -> Value {
    json!({"ph": "M", "name": what, "pid": PROCESS, "tid": thread, "args": arguments})
}

fn slice(thread: usize, name: &str, start: u64, end: u64, arguments: Value) -> Value {
    json!({
        "ph": "X", "name": name, "cat": "unit", "pid": PROCESS, "tid": thread,
        "ts": micros(start), "dur": micros(end.saturating_sub(start)), "args": arguments,
    })
}

fn micros(millis: u64) -> u64 {
    millis.saturating_mul(1_000)
}
