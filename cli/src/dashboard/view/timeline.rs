//! How the box came up: what `agentbox timeline` prints.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use super::{Theme, inner, sideways};
use crate::dashboard::model::{BoxView, Model};
use crate::dashboard::plain::{clip, width};
use crate::{timeline, ui};

/// A line in parts that are drawn differently.
type Pieces = Vec<Span<'static>>;

pub(super) fn lines(model: &Model, columns: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(view) = model.selected() else {
        return Vec::new();
    };
    let Some(all) = all(view, columns, theme.style()) else {
        let text = match &view.trouble {
            Some(trouble) => trouble.as_str(),
            None => "reading the box's events …",
        };
        return vec![Line::styled(clip(text, columns), theme.dim())];
    };
    let shown = all.into_iter().skip(model.offset.0).take(height);
    shown
        .map(|line| sideways(line, model.offset.1, columns))
        .collect()
}

/// How many lines there are.
pub(in crate::dashboard) fn length(model: &Model) -> usize {
    let layout = model.layout();
    let area = layout.lower.map(|area| inner(area, layout.framed));
    let all = area
        .zip(model.selected())
        .and_then(|(area, view)| all(view, usize::from(area.width), ui::Style::new(false)));
    all.map_or(0, |lines| lines.len())
}

/// All lines; those of the table as they are, longer ones of what stands around it in several.
fn all(view: &BoxView, columns: usize, style: ui::Style) -> Option<Vec<Pieces>> {
    let text = timeline::text(view.timeline()?, &view.info.name, columns, style);
    let is_table = |line: &str| line.starts_with("  ") || line.starts_with("* ");
    let lines = text.lines().flat_map(|line| match is_table(line) {
        true => vec![pieces(line)],
        false => wrapped(pieces(line), columns),
    });
    Some(lines.collect())
}

/// Cuts a line at spaces, so that its parts are no wider than `columns` where that can be.
fn wrapped(line: Pieces, columns: usize) -> Vec<Pieces> {
    let mut lines = vec![Pieces::new()];
    let mut taken = 0;
    for span in line {
        for word in span.content.split_inclusive(' ') {
            let cells = width(word.trim_end());
            if taken > 0 && taken + cells > columns {
                lines.push(Pieces::new());
                taken = 0;
            }
            taken += width(word);
            if let Some(last) = lines.last_mut() {
                last.push(Span::styled(word.to_owned(), span.style));
            }
        }
    }
    lines
}

/// Takes a line apart at the colours that [`crate::ui::Style`] puts into it. There are no others: names of units have
/// no escape sequences by then.
fn pieces(line: &str) -> Pieces {
    let mut pieces = Vec::new();
    let mut style = Style::new();
    for (index, part) in line.split("\u{1b}[").enumerate() {
        let mut text = part;
        if index > 0
            && let Some((code, rest)) = part.split_once('m')
        {
            style = style_of(code);
            text = rest;
        }
        if !text.is_empty() {
            pieces.push(Span::styled(text.to_owned(), style));
        }
    }
    pieces
}

fn style_of(code: &str) -> Style {
    match code {
        "1;31" => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        "2" => Style::new().add_modifier(Modifier::DIM),
        "32" => Style::new().fg(Color::Green),
        "33" => Style::new().fg(Color::Yellow),
        "36" => Style::new().fg(Color::Cyan),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui;

    #[test]
    fn every_colour_of_the_text_is_one_here() {
        let style = ui::Style::new(true);
        let line = [
            "plain ".to_owned(),
            style.red("a"),
            style.green("b"),
            style.yellow("c"),
            style.cyan("d"),
            style.dim("e"),
            " end".to_owned(),
        ];
        let pieces = pieces(&line.concat());
        let texts: Vec<&str> = pieces.iter().map(|piece| &*piece.content).collect();
        assert_eq!(texts, ["plain ", "a", "b", "c", "d", "e", " end"]);
        let plain = |index: usize| pieces[index].style == Style::new();
        assert!(
            plain(0) && plain(6) && (1..6).all(|index| !plain(index)),
            "{pieces:?}"
        );
    }
}
