//! A timeline as a picture: one SVG that needs nothing else, no scripts, no fonts, no style sheet.
//!
//! ```text
//! title
//! axis      0s        1s        2s
//! rows      name │ ····████──────   time that the unit took
//!                          │ critical path, from the end of one bar to the next unit
//! legend
//! ```

use std::fmt::Write as _;

use agentbox_ctl::report::one_line;

use super::bar::{Bar, is_failure, seconds};
use super::text::headline;
use super::{Row, Span, Timeline};

const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 24.0;
const ROW: f64 = 28.0;
/// Where the rows begin.
const TOP: f64 = 92.0;
/// Width of a character of the labels, generously.
const CHARACTER: f64 = 7.2;
/// Longest label, in characters.
const LABEL: usize = 28;
/// Room right of the bars, for the last time.
const TAIL: f64 = 84.0;
const PATH_COLOR: &str = "#bc4c00";
const FONT: &str = "ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";
/// About how many ticks the axis has.
const TICKS: u64 = 8;

/// Where things are.
struct Layout {
    left: f64,
    right: f64,
    from: u64,
    until: u64,
    rows: usize,
}

impl Layout {
    fn of(timeline: &Timeline) -> Self {
        let label = timeline
            .units
            .iter()
            .map(|row| label(&row.name).chars().count())
            .max();
        let characters = u32::try_from(label.unwrap_or(0)).unwrap_or(0);
        Self {
            left: MARGIN + f64::from(characters) * CHARACTER + 16.0,
            right: WIDTH - MARGIN - TAIL,
            from: timeline.from_ms,
            until: timeline.until_ms.max(timeline.from_ms + 1),
            rows: timeline.units.len(),
        }
    }

    fn x(&self, at: u64) -> f64 {
        let part = millis(at.saturating_sub(self.from)) / millis(self.until - self.from);
        self.left + part.min(1.0) * (self.right - self.left)
    }

    /// Middle of a row.
    fn y(&self, row: usize) -> f64 {
        TOP + ROW * (count(row) + 0.5)
    }

    fn bottom(&self) -> f64 {
        TOP + ROW * count(self.rows)
    }
}

/// The picture of the box `name`.
pub fn svg(timeline: &Timeline, name: &str) -> String {
    let layout = Layout::of(timeline);
    let height = layout.bottom() + 64.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"{FONT}\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    title(&mut out, timeline, name);
    axis(&mut out, &layout, timeline);
    for (index, row) in timeline.units.iter().enumerate() {
        unit(&mut out, &layout, index, row);
    }
    path(&mut out, &layout, timeline);
    legend(&mut out, &layout, timeline);
    out.push_str("</svg>\n");
    out
}

fn title(out: &mut String, timeline: &Timeline, name: &str) {
    let headline = headline(timeline, name);
    let (name, rest) = headline.split_once(": ").unwrap_or((&headline, ""));
    add(out, format_args!("<title>{}</title>", xml(&headline)));
    let style = "font-size=\"16\" font-weight=\"600\" fill=\"#1f2328\"";
    text(out, MARGIN, 32.0, style, name);
    let missing = match timeline.beginning_missing {
        true => "; the beginning is missing",
        false => "",
    };
    text(out, MARGIN, 52.0, "fill=\"#59636e\"", &format!("{rest}{missing}"));
}

fn axis(out: &mut String, layout: &Layout, timeline: &Timeline) {
    for index in (0..layout.rows).step_by(2) {
        let y = TOP + ROW * count(index);
        let width = WIDTH - 2.0 * MARGIN;
        add(
            out,
            format_args!(
                "<rect x=\"{MARGIN}\" y=\"{y:.1}\" width=\"{width}\" height=\"{ROW}\" fill=\"#f6f8fa\"/>"
            ),
        );
    }
    // Until then the box got its project, and its supervisor started.
    if let Some(begin) = timeline.units_from_ms {
        let (x, y, width, height) = (
            layout.left,
            TOP,
            layout.x(begin) - layout.left,
            layout.bottom() - TOP,
        );
        add(
            out,
            format_args!(
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#d1d9e0\" \
                 fill-opacity=\"0.6\"><title>before the first unit: {}</title></rect>",
                seconds(begin)
            ),
        );
    }
    let step = tick(layout.until - layout.from);
    let mut at = layout.from.div_ceil(step) * step;
    while at <= layout.until {
        let (x, top, bottom) = (layout.x(at), TOP - 4.0, layout.bottom());
        add(
            out,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"{top}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#d1d9e0\" stroke-width=\"1\"/>"
            ),
        );
        let style = "text-anchor=\"middle\" font-size=\"11\" fill=\"#59636e\"";
        text(out, x, TOP - 10.0, style, &tick_label(at, step));
        at += step;
    }
}

fn unit(out: &mut String, layout: &Layout, index: usize, row: &Row) {
    let y = layout.y(index);
    let style = match row.critical {
        true => format!("font-weight=\"600\" fill=\"{PATH_COLOR}\""),
        false => "fill=\"#1f2328\"".to_owned(),
    };
    text(out, MARGIN + 8.0, y + 4.0, &style, &label(&row.name));
    for span in &row.spans {
        bar(out, layout, y, row, span);
    }
    for span in row.spans.iter().filter(|span| is_failure(span.state)) {
        failure(out, layout.x(span.start_ms), y);
    }
    let style = match row.ready_ms.is_none() && row.spans.iter().any(|span| is_failure(span.state)) {
        true => "font-size=\"11\" fill=\"#cf222e\"",
        false => "font-size=\"11\" fill=\"#59636e\"",
    };
    text(out, layout.right + 10.0, y + 4.0, style, &caption(row));
}

/// What became of a unit: how long it took, or its state.
fn caption(row: &Row) -> String {
    match row.began_ms.zip(row.ready_ms) {
        Some((began, ready)) => seconds(ready.saturating_sub(began)),
        None => row.state_word().to_owned(),
    }
}

fn bar(out: &mut String, layout: &Layout, y: f64, row: &Row, span: &Span) {
    let bar = Bar::of(span.state);
    let Some((color, height)) = paint(bar) else {
        return;
    };
    let x = layout.x(span.start_ms);
    let end = span.end_ms.unwrap_or(layout.until);
    // What lasts shorter than a pixel is to be seen all the same.
    let width = (layout.x(end) - x).max(1.0);
    let outline = match row.critical && bar == Bar::Work {
        true => format!(" stroke=\"{PATH_COLOR}\" stroke-width=\"2\""),
        false => String::new(),
    };
    let took = seconds(end.saturating_sub(span.start_ms));
    add(
        out,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height}\" rx=\"2\" fill=\"{color}\"{outline}>\
             <title>{}: {} for {took}, from {}</title></rect>",
            y - height / 2.0,
            xml(&row.name),
            span.state.as_str(),
            seconds(span.start_ms),
        ),
    );
}

/// Colour and height of a bar.
fn paint(bar: Bar) -> Option<(&'static str, f64)> {
    Some(match bar {
        Bar::Waiting => ("#c4ccd4", 2.0),
        Bar::Work => ("#4c8dd6", 14.0),
        Bar::Up => ("#4ac26b", 5.0),
        Bar::Unhealthy => ("#d4a72c", 10.0),
        Bar::Backoff => ("#f2b58a", 8.0),
        Bar::Stopping => ("#8c959f", 8.0),
        Bar::Rest => return None,
    })
}

fn failure(out: &mut String, x: f64, y: f64) {
    let (left, right, top, bottom) = (x - 4.5, x + 4.5, y - 4.5, y + 4.5);
    add(
        out,
        format_args!(
            "<path d=\"M{left:.1} {top:.1} L{right:.1} {bottom:.1} M{right:.1} {top:.1} L{left:.1} {bottom:.1}\" \
             stroke=\"#cf222e\" stroke-width=\"2.5\" stroke-linecap=\"round\"/>"
        ),
    );
}

/// A line from where a step ends to the row of the next.
fn path(out: &mut String, layout: &Layout, timeline: &Timeline) {
    let steps = timeline.critical_path.as_deref().unwrap_or_default();
    let row_of = |unit: &str| timeline.units.iter().position(|row| row.name == unit);
    for pair in steps.windows(2) {
        let (Some(from), Some(to)) = (row_of(&pair[0].unit), row_of(&pair[1].unit)) else {
            continue;
        };
        let x = layout.x(pair[0].end_ms);
        let down = if to > from { 1.0 } else { -1.0 };
        let (y1, y2) = (layout.y(from), layout.y(to) - 8.0 * down);
        add(
            out,
            format_args!(
                "<path d=\"M{x:.1} {y1:.1} L{x:.1} {y2:.1}\" fill=\"none\" stroke=\"{PATH_COLOR}\" stroke-width=\"2\"/>"
            ),
        );
        let (left, right, back) = (x - 4.0, x + 4.0, y2 - 5.0 * down);
        add(
            out,
            format_args!(
                "<path d=\"M{left:.1} {back:.1} L{right:.1} {back:.1} L{x:.1} {y2:.1} Z\" fill=\"{PATH_COLOR}\"/>"
            ),
        );
    }
}

fn legend(out: &mut String, layout: &Layout, timeline: &Timeline) {
    let y = layout.bottom() + 32.0;
    let mut x = MARGIN + 8.0;
    let spans = || timeline.units.iter().flat_map(|row| &row.spans);
    for bar in Bar::ALL {
        let Some((color, height)) = paint(bar).filter(|_| spans().any(|span| Bar::of(span.state) == bar))
        else {
            continue;
        };
        let top = y - height / 2.0;
        add(
            out,
            format_args!(
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"22\" height=\"{height}\" rx=\"2\" fill=\"{color}\"/>"
            ),
        );
        x = entry(out, x + 28.0, y, bar.word(), "#59636e");
    }
    if spans().any(|span| is_failure(span.state)) {
        failure(out, x + 8.0, y);
        x = entry(out, x + 20.0, y, "failed", "#59636e");
    }
    if timeline.units_from_ms.is_some_and(|begin| begin > 0) {
        let top = y - 7.0;
        add(
            out,
            format_args!("<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"14\" height=\"14\" fill=\"#d1d9e0\"/>"),
        );
        x = entry(out, x + 20.0, y, "before the first unit", "#59636e");
    }
    if timeline.critical_path.is_some() {
        let end = x + 22.0;
        add(
            out,
            format_args!(
                "<line x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{end:.1}\" y2=\"{y:.1}\" stroke=\"{PATH_COLOR}\" stroke-width=\"2\"/>"
            ),
        );
        entry(out, x + 28.0, y, "critical path", PATH_COLOR);
    }
}

/// A word of the legend; gives where the next entry begins.
fn entry(out: &mut String, x: f64, y: f64, word: &str, color: &str) -> f64 {
    text(out, x, y + 4.0, &format!("fill=\"{color}\""), word);
    x + count(word.len()) * CHARACTER + 20.0
}

/// The smallest round step that gives no more than [`TICKS`] ticks.
fn tick(length: u64) -> u64 {
    const MINUTE: u64 = 60_000;
    const STEPS: [u64; 20] = [
        1,
        2,
        5,
        10,
        20,
        50,
        100,
        200,
        500,
        1_000,
        2_000,
        5_000,
        10_000,
        30_000,
        MINUTE,
        5 * MINUTE,
        15 * MINUTE,
        60 * MINUTE,
        6 * 60 * MINUTE,
        24 * 60 * MINUTE,
    ];
    let fits = |step: &u64| length / step <= TICKS;
    STEPS
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| (length / TICKS).max(1))
}

fn tick_label(at: u64, step: u64) -> String {
    match (at, step) {
        (0, _) => "0".to_owned(),
        (_, 0..1_000) => format!("{}s", millis(at) / 1_000.0),
        (0..60_000, _) => format!("{}s", at / 1_000),
        _ => seconds(at),
    }
}

fn label(name: &str) -> String {
    let name = one_line(name);
    if name.chars().count() <= LABEL {
        return name.into_owned();
    }
    name.chars().take(LABEL - 1).chain(['…']).collect()
}

fn text(out: &mut String, x: f64, y: f64, style: &str, content: &str) {
    add(
        out,
        format_args!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>", xml(content)),
    );
}

fn add(out: &mut String, element: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "{element}");
}

/// Text as it may stand in XML: on one line, without controls, escaped.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // No document may have these, in whatever way they are written.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn millis(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn count(value: usize) -> f64 {
    value as f64
}
