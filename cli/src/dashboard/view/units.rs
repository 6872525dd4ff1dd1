//! The units of the selected box.

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Place, first_row};
use crate::boxes::BoxState;
use crate::dashboard::model::{BoxView, Model, UnitRow};
use crate::dashboard::plain::{clean, clip, fit, width, wrap};

/// Longest name that is shown whole.
const NAME: usize = 24;
/// Columns of what stands after the name.
const STATE: usize = 9;
const PID: usize = 7;
const RESTARTS: usize = 3;
/// What stands where there is no value.
const ABSENT: &str = "-";

pub(super) fn draw(frame: &mut Frame<'_>, place: &Place, model: &Model) {
    let Some(view) = model.selected() else {
        place.fill(frame, place.title("units".to_owned()), "", Vec::new());
        return;
    };
    let area = place.inner();
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let table = Table::new(view.rows(), columns);
    let mut lines = Vec::new();
    let mut cut = String::new();
    if view.rows().is_empty() {
        let wrapped = wrap(&nothing(view), columns).into_iter();
        lines.extend(wrapped.map(|line| Line::styled(line, place.theme.dim())));
    } else {
        lines.push(Line::styled(table.head(), place.theme.dim()));
        let room = height.saturating_sub(1);
        let at = view.unit_index();
        let first = first_row(at.unwrap_or(0), room, view.unit_count());
        for (index, row) in view.rows().iter().enumerate().skip(first).take(room) {
            let selected = Some(index) == at;
            if selected && width(&row.note()) > table.note {
                cut = format!("{}: {}", clean(&row.name), row.note());
            }
            lines.push(table.row(row, selected, place));
        }
    }
    let errors = view
        .units()
        .map(|units| units.errors.as_slice())
        .unwrap_or_default();
    for error in errors.iter().flat_map(|error| error.lines()) {
        if lines.len() < height {
            lines.push(Line::styled(clip(&clean(error), columns), place.theme.bad()));
        }
    }
    let about = match view.info.state {
        BoxState::Running => String::new(),
        state => format!(" ({state}, units as last recorded)"),
    };
    let title = place.title(format!("units of {}{about}", clean(&view.info.name)));
    // That nobody can be asked is worth more than the rest of a note.
    let below = view.trouble.as_ref().unwrap_or(&cut);
    place.fill(frame, title, below, lines);
}

fn nothing(view: &BoxView) -> String {
    match (&view.trouble, view.is_known(), view.info.state) {
        (Some(trouble), ..) => trouble.clone(),
        (None, false, _) => "asking the box …".to_owned(),
        (None, true, BoxState::Running) => "no units: the box's agentbox.yaml declares none".to_owned(),
        (None, true, _) => "no units were recorded".to_owned(),
    }
}

/// Widths of columns; 0 for one that there is no room for.
struct Table {
    name: usize,
    pid: usize,
    restarts: usize,
    note: usize,
}

impl Table {
    fn new(rows: &[UnitRow], columns: usize) -> Self {
        let longest = rows.iter().map(|row| width(&clean(&row.name))).max();
        let name = longest.unwrap_or(0).clamp(4, NAME.min((columns / 3).max(4)));
        let mut left = columns.saturating_sub(2 + name + 2 + STATE);
        let mut take = |wanted: usize| {
            let taken = if left >= wanted + 2 { wanted } else { 0 };
            left -= if taken > 0 { taken + 2 } else { 0 };
            taken
        };
        let (pid, restarts) = (take(PID), take(RESTARTS));
        Self {
            name,
            pid,
            restarts,
            note: left.saturating_sub(2),
        }
    }

    fn head(&self) -> String {
        let mut head = format!("  {}  {}", fit("UNIT", self.name), fit("STATE", STATE));
        if self.pid > 0 {
            head.push_str(&format!("  {:>width$}", "PID", width = self.pid));
        }
        if self.restarts > 0 {
            head.push_str(&format!("  {:>width$}", "RST", width = self.restarts));
        }
        head
    }

    fn row(&self, row: &UnitRow, selected: bool, place: &Place) -> Line<'static> {
        let theme = place.theme;
        let marker = if selected { "> " } else { "  " };
        let number = |value: Option<u32>| value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string());
        let mut spans = vec![
            Span::raw(format!("{marker}{}  ", fit(&clean(&row.name), self.name))),
            Span::styled(fit(row.state.as_str(), STATE), theme.unit_state(row.state)),
        ];
        if self.pid > 0 {
            spans.push(Span::raw(format!(
                "  {:>width$}",
                number(row.pid),
                width = self.pid
            )));
        }
        if self.restarts > 0 {
            let restarts = number(row.restarts);
            spans.push(Span::raw(format!("  {restarts:>width$}", width = self.restarts)));
        }
        spans.push(Span::raw(format!("  {}", fit(&row.note(), self.note))));
        let style = match selected {
            true => theme.selected(place.has_keys),
            false => Style::new(),
        };
        Line::from(spans).style(style)
    }
}
