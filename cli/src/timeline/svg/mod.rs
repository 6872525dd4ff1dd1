//! A timeline as a picture: one SVG that needs nothing else, no scripts, no fonts, no style sheet.
//!
//! ```text
//! title
//! axis      0s        1s        2s
//! rows      name │ ····████──────   time that the unit took
//!                          │ critical path, from the end of one bar to the next unit
//! legend
//! ```

mod frame;

use std::fmt::Write as _;

use agentbox_ctl::report::one_line;

use super::bar::{Bar, is_failure, seconds};
use super::{Row, Span, Timeline};

const WIDTH: f64 = 1000.0;
const MARGIN: f64 = 24.0;
const ROW: f64 = 28.0;
/// Where the rows begin.
const TOP: f64 = 92.0;
/// Width of a character of the labels, which may be bold.
const CHARACTER: f64 = 8.4;
/// Longest label, in characters.
const LABEL: usize = 28;
/// Room right of the bars, for the last time.
const TAIL: f64 = 84.0;
const PATH_COLOR: &str = "#bc4c00";
const FONT: &str = "ui-sans-serif, system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif";

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
    frame::title(&mut out, timeline, name);
    frame::axis(&mut out, &layout, timeline);
    for (index, row) in timeline.units.iter().enumerate() {
        unit(&mut out, &layout, index, row);
    }
    path(&mut out, &layout, timeline);
    frame::legend(&mut out, &layout, timeline);
    out.push_str("</svg>\n");
    out
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
