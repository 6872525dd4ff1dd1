//! One row for each unit.

use std::collections::HashSet;

use agentbox_ctl::report::{ServiceState, TaskState, UnitState, UnitsReport};

use super::boot::{self, Boot};
use super::changes::{Changes, Number, Unit};
use super::{Kind, Row, Span, Step, is_good, is_up, is_waiting};

/// The rows, in the order in which the units got going; those that did not come last.
pub(super) fn rows(changes: &Changes, boot: &Boot, report: &UnitsReport, critical: &[Step]) -> Vec<Row> {
    let before = boot::first_states(changes);
    let later = &changes.all[boot.changes..];
    let changed_later: HashSet<Number> = later.iter().map(|change| change.unit).collect();
    let critical: HashSet<&str> = critical.iter().map(|step| step.unit.as_str()).collect();
    let mut rows: Vec<Row> = Vec::with_capacity(changes.units.len());
    for (number, (unit, past)) in changes.units.iter().zip(pasts(changes, boot)).enumerate() {
        let now = now(report, unit).filter(|_| !changed_later.contains(&number));
        rows.push(Row {
            critical: critical.contains(unit.name.as_str()),
            ..row(unit, past, before[number], now)
        });
    }
    note_blocks(changes, &mut rows);
    // What a later reload has brought was not there.
    let was_there = |(number, row): &(Number, Row)| {
        !row.spans.is_empty() || !changed_later.contains(number) || before[*number] != Some(pending(row.kind))
    };
    let mut rows: Vec<Row> = rows
        .into_iter()
        .enumerate()
        .filter(was_there)
        .map(|(_, row)| row)
        .collect();
    rows.sort_by_key(|row| {
        let begins = row.began_ms.or(row.ready_ms).unwrap_or(u64::MAX);
        (begins, row.ready_ms.unwrap_or(u64::MAX))
    });
    rows
}

/// What a unit did in the boot.
#[derive(Debug, Clone, Default)]
struct Past {
    spans: Vec<Span>,
    /// It was gone at the end.
    removed: bool,
}

/// A unit's state in the unit table, and why.
type Now = (UnitState, Option<String>);

fn row(unit: &Unit, past: Past, before: Option<UnitState>, now: Option<Now>) -> Row {
    let Past { spans, removed } = past;
    let state = match (removed, spans.last()) {
        (true, _) => None,
        (false, Some(last)) => Some(last.state),
        (false, None) => {
            let now = now.as_ref().map(|(state, _)| *state);
            Some(before.or(now).unwrap_or(pending(unit.kind)))
        }
    };
    let reason = now.filter(|(now, _)| state == Some(*now));
    let first_up = spans.iter().find(|span| is_up(span.state));
    Row {
        name: unit.name.clone(),
        kind: unit.kind,
        state,
        reason: reason.and_then(|(_, reason)| reason),
        needs: unit.need_names.clone(),
        blocked_on: Vec::new(),
        // When one was started that ran before the first of its events that is kept, nobody knows.
        began_ms: first_up
            .map(|span| span.start_ms)
            .filter(|_| !before.is_some_and(is_up)),
        ready_ms: ready(&spans).filter(|_| !removed),
        restarts: restarts(&spans),
        critical: false,
        spans,
    }
}

/// What each unit did.
fn pasts(changes: &Changes, boot: &Boot) -> Vec<Past> {
    let mut pasts = vec![Past::default(); changes.units.len()];
    for change in &changes.all[..boot.changes] {
        let past = &mut pasts[change.unit];
        if let Some(open) = past.spans.last_mut().filter(|span| span.end_ms.is_none()) {
            open.end_ms = Some(change.at);
        }
        past.removed = change.to.is_none();
        past.spans.extend(change.to.map(|state| Span {
            state,
            start_ms: change.at,
            end_ms: None,
            pid: change.pid,
            exit_code: change.exit_code,
        }));
    }
    pasts
}

/// When the last of these got to be good, and stayed so.
fn ready(spans: &[Span]) -> Option<u64> {
    let good = spans.iter().rev().take_while(|span| is_good(span.state));
    good.last().map(|span| span.start_ms)
}

/// Starts after the first. A supervisor that has crashed starts anew what was up, without anything in between.
fn restarts(spans: &[Span]) -> u32 {
    let mut starts = 0;
    let mut running: Option<Option<u32>> = None;
    for span in spans {
        let now = is_up(span.state).then_some(span.pid);
        starts += u32::from(now.is_some() && now != running);
        running = now;
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

fn now(report: &UnitsReport, unit: &Unit) -> Option<Now> {
    match unit.kind {
        Kind::Service => {
            let mut services = report.services.iter();
            let service = services.find(|service| service.name == unit.name)?;
            Some((UnitState::Service(service.state), service.reason.clone()))
        }
        Kind::Task => {
            let task = report.tasks.iter().find(|task| task.name == unit.name)?;
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
