//! A timeline for a terminal: a row for each unit, with a bar as wide as there is room.

use agentbox_ctl::report::one_line;

use super::bar::{Bar, is_failure, seconds};
use super::{Row, Span, Timeline};
use crate::ui::{Style, counted};

/// Longest name that is shown whole.
const NAME: usize = 24;
/// Narrowest and widest bar.
const BAR: std::ops::RangeInclusive<usize> = 12..=100;
/// What stands where there is no value.
const ABSENT: &str = "-";

/// Everything about the timeline of the box `name`, for lines of `width` characters.
pub fn text(timeline: &Timeline, name: &str, width: usize, style: Style) -> String {
    let name = one_line(name);
    let mut parts = vec![format!("{}\n", headline(timeline, &name))];
    if timeline.units.iter().any(|row| !row.spans.is_empty()) {
        parts.push(table(timeline, width, style));
    }
    let notes: String = timeline.units.iter().filter_map(note).collect();
    if !notes.is_empty() {
        parts.push(notes);
    }
    let closing = closing(timeline, &name, style);
    if !closing.is_empty() {
        parts.push(closing);
    }
    parts.join("\n")
}

/// What came of the boot, in one sentence.
pub(super) fn headline(timeline: &Timeline, name: &str) -> String {
    let start = format!("{name}: started {}", timeline.started_at);
    let until = seconds(timeline.until_ms);
    if timeline.units.is_empty() {
        return format!("{start}, no units");
    }
    let outcome = match (timeline.settled, timeline.not_ready()) {
        (true, 0) => match timeline.ready_ms() {
            Some(ready) => format!("all ready after {}", seconds(ready)),
            None => "nothing was started".to_owned(),
        },
        (true, count) => format!("settled after {until}, {count} of {} not ready", units(timeline)),
        (false, _) => format!("not settled after {until}"),
    };
    format!("{start}, {outcome}")
}

fn units(timeline: &Timeline) -> String {
    counted(timeline.units.len(), "unit", "units")
}

/// One row's cells before its bar.
fn cells(row: &Row, until: u64) -> [String; 4] {
    let absent = || ABSENT.to_owned();
    let ended = row.ended_ms();
    let took = match (row.began_ms, ended) {
        (Some(began), Some(ended)) => seconds(ended.saturating_sub(began)),
        // What is still on its way has taken that long so far.
        (Some(began), None) if row.state.is_some() => format!("{}+", seconds(until.saturating_sub(began))),
        _ => absent(),
    };
    [
        row.state_word().to_owned(),
        row.began_ms.map_or_else(absent, seconds),
        ended.map_or_else(absent, seconds),
        took,
    ]
}

fn table(timeline: &Timeline, width: usize, style: Style) -> String {
    let rows = &timeline.units;
    let names: Vec<String> = rows.iter().map(|row| shortened(&one_line(&row.name))).collect();
    let cells: Vec<[String; 4]> = rows.iter().map(|row| cells(row, timeline.until_ms)).collect();
    let heads = ["STATE", "START", "END", "TOOK"];
    let name_width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(4);
    let widths: [usize; 4] = std::array::from_fn(|column| {
        let longest = cells.iter().map(|cells| cells[column].len()).max();
        longest.unwrap_or(0).max(heads[column].len())
    });
    let taken = 2 + name_width + widths.iter().map(|width| width + 2).sum::<usize>() + 2;
    let bar_width = width.saturating_sub(taken).clamp(*BAR.start(), *BAR.end());
    let line = |mark: &str, name: &str, cells: [&str; 4], bar: &str| {
        let pad = " ".repeat(name_width - name.chars().count());
        let [state, start, end, took] = cells;
        let [w0, w1, w2, w3] = widths;
        let line = format!("{mark} {name}{pad}  {state:<w0$}  {start:>w1$}  {end:>w2$}  {took:>w3$}  {bar}");
        format!("{}\n", line.trim_end())
    };
    let mut text = line(" ", "UNIT", heads, &axis(timeline, bar_width));
    for ((row, name), cells) in rows.iter().zip(&names).zip(&cells) {
        let mark = if row.critical { "*" } else { " " };
        let bar = bar(row, timeline, bar_width, style);
        text.push_str(&line(mark, name, cells.each_ref().map(String::as_str), &bar));
    }
    text.push_str(&legend(rows));
    text
}

/// The times at both ends of the bars.
fn axis(timeline: &Timeline, width: usize) -> String {
    let (from, until) = (seconds(timeline.from_ms), seconds(timeline.until_ms));
    let gap = width.saturating_sub(from.len() + until.len()).max(1);
    format!("{from}{}{until}", " ".repeat(gap))
}

/// What a cell of a bar shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cell {
    Blank,
    Bar(Bar),
    Failure,
}

fn bar(row: &Row, timeline: &Timeline, width: usize, style: Style) -> String {
    let cells = bar_cells(row, timeline, width);
    let runs = cells.chunk_by(|one, other| one == other);
    runs.map(|run| {
        let glyphs = glyph(run[0]).to_string().repeat(run.len());
        match run[0] {
            Cell::Bar(Bar::Work) if row.critical => style.cyan(&glyphs),
            Cell::Bar(Bar::Up) => style.green(&glyphs),
            Cell::Bar(Bar::Waiting) => style.dim(&glyphs),
            Cell::Bar(Bar::Unhealthy | Bar::Backoff | Bar::Stopping) => style.yellow(&glyphs),
            Cell::Failure => style.red(&glyphs),
            Cell::Blank | Cell::Bar(_) => glyphs,
        }
    })
    .collect()
}

fn glyph(cell: Cell) -> char {
    match cell {
        Cell::Blank | Cell::Bar(Bar::Rest) => ' ',
        Cell::Bar(Bar::Waiting) => '·',
        Cell::Bar(Bar::Work) => '█',
        Cell::Bar(Bar::Up) => '─',
        Cell::Bar(Bar::Unhealthy) => '▒',
        Cell::Bar(Bar::Backoff) => '░',
        Cell::Bar(Bar::Stopping) => '▓',
        Cell::Failure => '×',
    }
}

/// Spans by cells: where several fall into one, the one that is worth seeing wins.
fn bar_cells(row: &Row, timeline: &Timeline, width: usize) -> Vec<Cell> {
    let length = u128::from(timeline.until_ms.saturating_sub(timeline.from_ms)).max(1);
    let cell = |at: u64| {
        let offset = u128::from(at.saturating_sub(timeline.from_ms));
        usize::try_from(offset * width as u128 / length)
            .unwrap_or(width)
            .min(width)
    };
    let mut cells = vec![Cell::Blank; width];
    let mut draw = |span: &Span, what: Cell| {
        let first = cell(span.start_ms).min(width - 1);
        let last = cell(span.end_ms.unwrap_or(timeline.until_ms)).max(first + 1);
        for cell in &mut cells[first..last.min(width)] {
            *cell = what;
        }
    };
    let is_work = |span: &&Span| Bar::of(span.state) == Bar::Work;
    for span in row.spans.iter().filter(|span| !is_work(span)) {
        draw(span, Cell::Bar(Bar::of(span.state)));
    }
    for span in row.spans.iter().filter(is_work) {
        draw(span, Cell::Bar(Bar::Work));
    }
    for span in row.spans.iter().filter(|span| is_failure(span.state)) {
        let at = cell(span.start_ms).min(width - 1);
        cells[at] = Cell::Failure;
    }
    cells
}

fn legend(rows: &[Row]) -> String {
    let spans = || rows.iter().flat_map(|row| &row.spans);
    let mut entries: Vec<String> = Bar::ALL
        .into_iter()
        .filter(|bar| spans().any(|span| Bar::of(span.state) == *bar))
        .map(|bar| format!("{} {}", glyph(Cell::Bar(bar)), bar.word()))
        .collect();
    if spans().any(|span| is_failure(span.state)) {
        entries.push(format!("{} failed", glyph(Cell::Failure)));
    }
    if rows.iter().any(|row| row.critical) {
        entries.push("* critical path".to_owned());
    }
    format!("  {}\n", entries.join("   "))
}

/// What a row has no room for.
fn note(row: &Row) -> Option<String> {
    let mut parts = Vec::new();
    parts.extend(row.reason.as_deref().map(|reason| one_line(reason).into_owned()));
    if !row.blocked_on.is_empty() {
        parts.push(format!("waits for {}", one_line(&row.blocked_on.join(", "))));
    }
    if row.restarts > 0 {
        let count = usize::try_from(row.restarts).unwrap_or(usize::MAX);
        parts.push(counted(count, "restart", "restarts"));
    }
    (!parts.is_empty()).then(|| format!("{}: {}\n", one_line(&row.name), parts.join(", ")))
}

/// The critical path, and what is not in the picture.
fn closing(timeline: &Timeline, name: &str, style: Style) -> String {
    let mut text = String::new();
    if timeline.beginning_missing {
        text.push_str(&format!(
            "the beginning is missing: events before {} are no longer kept\n",
            seconds(timeline.from_ms)
        ));
    }
    if let Some(path) = &timeline.critical_path {
        let steps: Vec<String> = path
            .iter()
            .map(|step| {
                let took = seconds(step.end_ms.saturating_sub(step.start_ms));
                format!("{} {took}", style.cyan(&one_line(&step.unit)))
            })
            .collect();
        let so_far = if timeline.settled { "" } else { " so far" };
        text.push_str(&format!("critical path{so_far}: {}\n", steps.join(" → ")));
    } else if !timeline.beginning_missing && timeline.ready_ms().is_some() {
        text.push_str("critical path: not known, since agentbox.yaml is not the one of that start\n");
    }
    if timeline.later_changes > 0 {
        let changes = counted(timeline.later_changes, "state change", "state changes");
        text.push_str(&format!("{changes} since: agentbox events {name}\n"));
    }
    text
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}
