//! The lower pane: its tabs.

use ratatui::Frame;
use ratatui::text::Span;

use super::{Place, logs, needs, timeline};
use crate::dashboard::model::{Model, Tab};

pub(super) fn draw(frame: &mut Frame<'_>, place: &Place, model: &Model) {
    let area = place.inner();
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let (about, lines) = match model.tab {
        Tab::Logs => (
            logs::about(model),
            logs::lines(model, columns, height, place.theme),
        ),
        Tab::Needs => (String::new(), needs::lines(model, columns, height, place.theme)),
        Tab::Timeline => (
            String::new(),
            timeline::lines(model, columns, height, place.theme),
        ),
    };
    let mut title = Vec::new();
    for (index, tab) in Tab::ALL.into_iter().enumerate() {
        let style = match tab == model.tab {
            true => place.theme.selected(place.has_keys),
            false => place.theme.dim(),
        };
        title.push(Span::styled(format!(" {} {} ", index + 1, tab.word()), style));
    }
    if !about.is_empty() {
        title.push(Span::raw(format!(" {about}")));
    }
    place.fill(frame, title, "", lines);
}
