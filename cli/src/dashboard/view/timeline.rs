//! How the box came up: what `agentbox timeline` prints.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;

use super::needs::sideways;
use super::{Theme, inner};
use crate::dashboard::model::{Model, Tab};
use crate::dashboard::plain::clip;
use crate::timeline;

/// A piece of text and how it is drawn.
type Piece = (String, Style);

pub(super) fn lines(model: &Model, columns: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(view) = model.selected() else {
        return Vec::new();
    };
    let Some(timeline) = view.timeline() else {
        let text = match &view.trouble {
            Some(trouble) => trouble.as_str(),
            None => "reading the box's events …",
        };
        return vec![Line::styled(clip(text, columns), theme.dim())];
    };
    let text = timeline::text(timeline, &view.info.name, columns, theme.style());
    text.lines()
        .skip(model.offset.0)
        .take(height)
        .map(|line| sideways(pieces(line), model.offset.1, columns))
        .collect()
}

/// How many lines there are.
pub(in crate::dashboard) fn length(model: &Model) -> usize {
    let layout = model.layout();
    let area = layout.lower.map(|area| inner(area, layout.framed));
    let (Some(area), Some(view), Tab::Timeline) = (area, model.selected(), model.tab) else {
        return 0;
    };
    view.timeline().map_or(0, |timeline| {
        let columns = usize::from(area.width);
        let text = timeline::text(timeline, &view.info.name, columns, crate::ui::Style::new(false));
        text.lines().count()
    })
}

/// Takes a line apart at the colours that [`crate::ui::Style`] puts into it. There are no others: names of units have
/// no escape sequences by then.
fn pieces(line: &str) -> Vec<Piece> {
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
            pieces.push((text.to_owned(), style));
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
        let texts: Vec<&str> = pieces.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["plain ", "a", "b", "c", "d", "e", " end"]);
        let plain = |index: usize| pieces[index].1 == Style::new();
        assert!(
            plain(0) && plain(6) && (1..6).all(|index| !plain(index)),
            "{pieces:?}"
        );
    }
}
