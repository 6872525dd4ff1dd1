//! What is around the rows: title, axis, legend.

use super::super::Timeline;
use super::super::bar::{Bar, is_failure, seconds};
use super::super::text::headline;
use super::{Layout, MARGIN, PATH_COLOR, ROW, TOP, WIDTH, add, count, failure, millis, paint, text, xml};

/// Width of a character of the legend.
const CHARACTER: f64 = 6.8;
/// About how many ticks the axis has.
const TICKS: u64 = 8;

pub(super) fn title(out: &mut String, timeline: &Timeline, name: &str) {
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

pub(super) fn axis(out: &mut String, layout: &Layout, timeline: &Timeline) {
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

pub(super) fn legend(out: &mut String, layout: &Layout, timeline: &Timeline) {
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
