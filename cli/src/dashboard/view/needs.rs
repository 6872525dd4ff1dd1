//! Who needs whom.

use ratatui::text::{Line, Span};

use super::{Theme, sideways};
use crate::dashboard::model::{Mark, Model, tree};
use crate::dashboard::plain::clip;

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
            Span::styled(line.prefix, theme.dim()),
            Span::styled(format!("{} ", glyph(line.mark)), mark),
            Span::styled(line.name, theme.strong()),
            Span::styled(state, mark),
            Span::raw(note),
        ];
        lines.push(sideways(spans, model.offset.1, columns));
    }
    lines
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
