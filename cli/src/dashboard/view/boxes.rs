//! The list of boxes.

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Place, first_row};
use crate::boxes::BoxState;
use crate::dashboard::model::{BoxView, Model};
use crate::dashboard::plain::{clean, clip, fit, width, wrap};

/// Columns of the state with the space before it, and of the numbers after it: fewer where there is little room.
const STATE: usize = 9;
const SUMMARY: usize = 7;
const SHORT_SUMMARY: usize = 5;
/// Columns from which on there is room.
const ROOMY: usize = 30;

pub(super) fn draw(frame: &mut Frame<'_>, place: &Place, model: &Model) {
    let area = place.inner();
    let (columns, room) = (usize::from(area.width), usize::from(area.height));
    let selected = model.selected().map(|view| view.info.id.as_str());
    let at = model
        .boxes
        .iter()
        .position(|view| Some(view.info.id.as_str()) == selected);
    let first = first_row(at.unwrap_or(0), room, model.boxes.len());
    let mut lines: Vec<Line<'_>> = model
        .boxes
        .iter()
        .enumerate()
        .skip(first)
        .take(room)
        .map(|(index, view)| row(view, Some(index) == at, columns, place))
        .collect();
    if model.boxes.is_empty() {
        let text = match model.observed {
            true => "no boxes: agentbox create",
            false => "asking the engine …",
        };
        let wrapped = wrap(text, columns).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, place.theme.dim())));
    }
    let title = place.title(format!("boxes ({})", model.boxes.len()));
    place.fill(frame, title, "", lines);
}

fn row(view: &BoxView, selected: bool, columns: usize, place: &Place) -> Line<'static> {
    let theme = place.theme;
    let marker = if selected { "> " } else { "  " };
    let summary = view.summary();
    let (numbers, style) = match view.info.state {
        _ if view.trouble.is_some() => ("?".to_owned(), theme.bad()),
        BoxState::Running if !view.is_known() => ("…".to_owned(), theme.dim()),
        _ if summary.failed > 0 => (format!("{} ✗", summary.failed), theme.bad()),
        BoxState::Running if summary.active == 0 => (String::new(), theme.dim()),
        BoxState::Running => {
            let style = match summary.well == summary.active {
                true => theme.good(),
                false => theme.attention(),
            };
            (format!("{}/{}", summary.well, summary.active), style)
        }
        _ => (String::new(), theme.dim()),
    };
    let summary_room = if columns < ROOMY { SHORT_SUMMARY } else { SUMMARY };
    let numbers = clip(&numbers, summary_room);
    let name_room = columns
        .saturating_sub(marker.len() + STATE + 1 + summary_room)
        .max(6);
    let mut spans = vec![
        Span::raw(marker),
        Span::raw(fit(&clean(&view.info.name), name_room)),
        Span::styled(
            format!(" {:<8}", view.info.state.as_str()),
            theme.box_state(view.info.state),
        ),
    ];
    let taken: usize = spans.iter().map(|span| width(&span.content)).sum();
    let pad = columns.saturating_sub(taken + width(&numbers));
    spans.push(Span::raw(" ".repeat(pad)));
    spans.push(Span::styled(numbers, style));
    let style = match selected {
        true => theme.selected(place.has_keys),
        false => Style::new(),
    };
    Line::from(spans).style(style)
}
