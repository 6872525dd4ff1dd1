//! The last lines: a question, news, or which keys there are.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::Theme;
use crate::dashboard::model::{Mode, Model, Pane};
use crate::dashboard::plain::{clip, width};

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let lines = model.notice_lines();
    if lines.is_empty() {
        let hints = clip(hints(model.pane), usize::from(area.width));
        frame.render_widget(Line::styled(hints, theme.dim()), area);
        return;
    }
    let style = match (&model.mode, &model.notice) {
        (Mode::Confirm(_), _) => theme.attention().patch(theme.strong()),
        (Mode::Filter(_), _) => Style::new(),
        (_, Some(notice)) => theme.notice(notice.kind),
        (_, None) => theme.hint(),
    };
    if let (Mode::Filter(_), Some(last)) = (&model.mode, lines.last()) {
        let column = u16::try_from(width(last)).unwrap_or(u16::MAX);
        let row = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        frame.set_cursor_position(Position::new(
            (area.x + column).min(area.right().saturating_sub(1)),
            (area.y + row).min(area.bottom()).saturating_sub(1),
        ));
    }
    let lines: Vec<Line<'_>> = lines.into_iter().map(|line| Line::styled(line, style)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn hints(pane: Pane) -> &'static str {
    match pane {
        Pane::Boxes => {
            "? help  q quit  tab pane  R restart  S stop/start  p pause  o open  1 logs  2 needs  3 timeline"
        }
        Pane::Units => "? help  q quit  tab pane  r restart  s stop/start  a all logs  f follow  / filter",
        Pane::Lower => {
            "? help  q quit  tab pane  arrows scroll  1 logs  2 needs  3 timeline  f follow  / filter"
        }
    }
}
