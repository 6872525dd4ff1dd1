//! Who needs whom.

use ratatui::text::{Line, Span};

use super::Theme;
use crate::dashboard::model::{Mark, Model, tree};
use crate::dashboard::plain::{clip, shift};

pub(super) fn lines(model: &Model, columns: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let Some(view) = model.selected() else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    match &view.details.needs {
        Some(Err(why)) => {
            let text = format!("only what blocks is known: {why}");
            lines.push(Line::styled(clip(&text, columns), theme.attention()));
        }
        None => lines.push(Line::styled(
            clip("reading the box's agentbox.yaml …", columns),
            theme.dim(),
        )),
        Some(Ok(_)) => {}
    }
    for line in tree(view).into_iter().skip(model.offset.0) {
        if lines.len() >= height {
            break;
        }
        if line.name.is_empty() {
            lines.push(Line::default());
            continue;
        }
        let mark = theme.mark(line.mark);
        let state = line.state.map_or_else(String::new, |state| format!("  {state}"));
        let note = match (line.note.is_empty(), line.state) {
            (true, _) => String::new(),
            (false, Some(_)) => format!("  {}", line.note),
            (false, None) => format!(" {}", line.note),
        };
        let spans = [
            (line.prefix, theme.dim()),
            (format!("{} ", glyph(line.mark)), mark),
            (line.name, theme.strong()),
            (state, mark),
            (note, ratatui::style::Style::new()),
        ];
        lines.push(sideways(spans, model.offset.1, columns));
    }
    lines
}

/// Spans on one line without their first `offset` cells.
pub(super) fn sideways(
    spans: impl IntoIterator<Item = (String, ratatui::style::Style)>,
    mut offset: usize,
    mut columns: usize,
) -> Line<'static> {
    let mut shown = Vec::new();
    for (text, style) in spans {
        let width = crate::dashboard::plain::width(&text);
        let text = if offset > 0 { shift(&text, offset) } else { text };
        offset = offset.saturating_sub(width);
        let text = clip(&text, columns);
        columns -= crate::dashboard::plain::width(&text).min(columns);
        shown.push(Span::styled(text, style));
    }
    Line::from(shown)
}

fn glyph(mark: Mark) -> char {
    match mark {
        Mark::Well => '✓',
        Mark::Coming => '…',
        Mark::Rest => '-',
        Mark::Failed => '✗',
        Mark::Unknown => '?',
    }
}
