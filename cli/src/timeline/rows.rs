//! One row for each unit.

use std::collections::HashSet;

use agentbox_ctl::report::{ServiceState, TaskState, UnitState, UnitsReport};

use super::boot::{self, Boot};
use super::changes::{Changes, Number};
use super::{Kind, Row, Span, Step, is_good, is_up, is_waiting};

/// The rows, in the order in which the units got going; those that did not come last.
pub(super) fn rows(changes: &Changes, boot: &Boot, report: &UnitsReport, critical: &[Step]) -> Vec<Row> {
    let spans = spans(changes, boot);
    let later = &changes.all[boot.changes..];
    let changed_later: HashSet<Number> = later.iter().map(|change| change.unit).collect();
    let critical: HashSet<&str> = critical.iter().map(|step| step.unit.as_str()).collect();
    let mut rows: Vec<Row> = changes
        .units
        .iter()
        .zip(spans)
        .enumerate()
        .map(|(number, (unit, (spans, removed)))| {
            let now = now(report, &unit.name, unit.kind).filter(|_| !changed_later.contains(&number));
            let state = match (removed, spans.last()) {
                (true, _) => None,
                (false, Some(last)) => Some(last.state),
                (false, None) => Some(now.as_ref().map_or(pending(unit.kind), |(state, _)| *state)),
            };
            Row {
                name: unit.name.clone(),
                kind: unit.kind,
                state,
                reason: now
                    .filter(|(now, _)| state == Some(*now))
                    .and_then(|(_, reason)| reason),
                needs: unit.need_names.clone(),
                blocked_on: Vec::new(),
                began_ms: spans
                    .iter()
                    .find(|span| is_up(span.state))
                    .map(|span| span.start_ms),
                ready_ms: ready(&spans).filter(|_| !removed),
                restarts: restarts(&spans),
                critical: critical.contains(unit.name.as_str()),
                spans,
            }
        })
        .collect();
    note_blocks(changes, &mut rows);
    rows.sort_by_key(|row| {
        let begins = row.began_ms.or(row.ready_ms).unwrap_or(u64::MAX);
        (begins, row.ready_ms.unwrap_or(u64::MAX))
    });
    rows
}

/// What each unit did in the boot, and whether it was removed at the end.
fn spans(changes: &Changes, boot: &Boot) -> Vec<(Vec<Span>, bool)> {
    let mut units: Vec<(Vec<Span>, bool)> = vec![(Vec::new(), false); changes.units.len()];
    for change in &changes.all[..boot.changes] {
        let (spans, removed) = &mut units[change.unit];
        if let Some(open) = spans.last_mut().filter(|span| span.end_ms.is_none()) {
            open.end_ms = Some(change.at);
        }
        *removed = change.to.is_none();
        spans.extend(change.to.map(|state| Span {
            state,
            start_ms: change.at,
            end_ms: None,
            exit_code: change.exit_code,
        }));
    }
    units
}

/// When the last of these got to be good, and stayed so.
fn ready(spans: &[Span]) -> Option<u64> {
    let good = spans.iter().rev().take_while(|span| is_good(span.state));
    good.last().map(|span| span.start_ms)
}

/// Starts after the first.
fn restarts(spans: &[Span]) -> u32 {
    let mut starts = 0;
    let mut up = false;
    for span in spans {
        starts += u32::from(is_up(span.state) && !up);
        up = is_up(span.state);
    }
    starts.saturating_sub(1)
}

/// Whom the waiting units wait for at the end.
fn note_blocks(changes: &Changes, rows: &mut [Row]) {
    let states: Vec<Option<UnitState>> = rows.iter().map(|row| row.state).collect();
    for (number, row) in rows.iter_mut().enumerate() {
        if row.state.is_some_and(is_waiting) {
            let unmet = boot::unmet(changes, &states, number);
            row.blocked_on = unmet
                .into_iter()
                .map(|need| changes.units[need].name.clone())
                .collect();
        }
    }
}

/// State and reason of a unit in the unit table.
fn now(report: &UnitsReport, name: &str, kind: Kind) -> Option<(UnitState, Option<String>)> {
    match kind {
        Kind::Service => {
            let service = report.services.iter().find(|service| service.name == name)?;
            Some((UnitState::Service(service.state), service.reason.clone()))
        }
        Kind::Task => {
            let task = report.tasks.iter().find(|task| task.name == name)?;
            Some((UnitState::Task(task.state), task.reason.clone()))
        }
    }
}

fn pending(kind: Kind) -> UnitState {
    match kind {
        Kind::Service => UnitState::Service(ServiceState::Pending),
        Kind::Task => UnitState::Task(TaskState::Pending),
    }
}
