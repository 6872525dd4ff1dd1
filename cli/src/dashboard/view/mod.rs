//! Drawing: a model and a frame in, cells out. Nothing here changes anything.

mod bottom;
mod boxes;
mod help;
mod logs;
mod lower;
mod needs;
mod theme;
mod timeline;
mod units;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

pub use self::theme::Theme;
pub(super) use self::timeline::length as timeline_length;
use super::layout::{Layout, inner};
use super::model::{Mode, Model, Pane, Scope};
use super::plain::{clean, clip, shift, width};

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model, theme: Theme) {
    let layout = model.layout();
    // Without frames the title of the pane stands there.
    if layout.framed {
        header(frame, layout.header, model, theme);
    }
    if let Some(area) = layout.boxes {
        boxes::draw(
            frame,
            &Place::new(area, &layout, model, Pane::Boxes, theme),
            model,
        );
    }
    if let Some(area) = layout.units {
        units::draw(
            frame,
            &Place::new(area, &layout, model, Pane::Units, theme),
            model,
        );
    }
    if let Some(area) = layout.lower {
        lower::draw(
            frame,
            &Place::new(area, &layout, model, Pane::Lower, theme),
            model,
        );
    }
    bottom::draw(frame, layout.notice, model, theme);
    if model.mode == Mode::Help {
        help::draw(frame, theme);
    }
}

/// A pane on the screen.
struct Place {
    area: Rect,
    framed: bool,
    has_keys: bool,
    theme: Theme,
}

impl Place {
    fn new(area: Rect, layout: &Layout, model: &Model, pane: Pane, theme: Theme) -> Self {
        Self {
            area,
            framed: layout.framed,
            has_keys: model.pane == pane,
            theme,
        }
    }

    /// Where the content goes.
    fn inner(&self) -> Rect {
        inner(self.area, self.framed)
    }

    /// Draws the title, the frame where there is one, and the lines in it.
    fn fill(&self, frame: &mut Frame<'_>, title: Vec<Span<'static>>, below: &str, lines: Vec<Line<'_>>) {
        let columns = usize::from(self.area.width);
        if self.framed {
            let style = self.theme.frame(self.has_keys);
            let room = columns.saturating_sub(4);
            let title = sideways(spaced(title), 0, room);
            let mut block = Block::bordered().border_style(style).title(title);
            if !below.is_empty() {
                let below = format!(" {} ", clip(below, room.saturating_sub(2)));
                block = block.title_bottom(Line::styled(below, self.theme.attention()));
            }
            frame.render_widget(block, self.area);
        } else if let Some(row) = self.area.y.checked_sub(1) {
            let header = Rect::new(self.area.x, row, self.area.width, 1);
            frame.render_widget(sideways(title, 0, columns), header);
        }
        frame.render_widget(Paragraph::new(lines), self.inner());
    }

    /// A title in the style that tells where keys go.
    fn title(&self, text: String) -> Vec<Span<'static>> {
        let style = match self.has_keys {
            true => self.theme.strong(),
            false => Style::new(),
        };
        vec![Span::styled(text, style)]
    }
}

/// A title in a frame has room around it.
fn spaced(title: Vec<Span<'static>>) -> Vec<Span<'static>> {
    let space = || Span::raw(" ");
    std::iter::once(space())
        .chain(title)
        .chain(std::iter::once(space()))
        .collect()
}

/// Spans in at most `columns` cells, without their first `offset` ones.
fn sideways(
    spans: impl IntoIterator<Item = Span<'static>>,
    mut offset: usize,
    mut columns: usize,
) -> Line<'static> {
    let mut shown = Vec::new();
    for span in spans {
        let cells = width(&span.content);
        let text = match offset {
            0 => clip(&span.content, columns),
            _ => clip(&shift(&span.content, offset), columns),
        };
        offset = offset.saturating_sub(cells);
        columns = columns.saturating_sub(width(&text));
        shown.push(Span::styled(text, span.style));
    }
    Line::from(shown)
}

/// First row to show, so that the selected one is among those that there is room for, in the middle if possible.
fn first_row(selected: usize, room: usize, length: usize) -> usize {
    selected.saturating_sub(room / 2).min(length.saturating_sub(room))
}

fn header(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme) {
    let room = usize::from(area.width);
    let mut spans = vec![Span::styled("agentbox", theme.strong())];
    if let Some(failure) = &model.engine {
        let why = format!("  {}, trying again", clean(&failure.message));
        spans.push(Span::styled(clip(&why, room.saturating_sub(8)), theme.bad()));
    } else {
        let scope = match &model.scope {
            Scope::All => "  all boxes".to_owned(),
            Scope::Project { root, .. } => format!("  {}", clean(root)),
        };
        let url = model.selected().and_then(|view| view.info.url.as_deref());
        let url = url.map(clean).unwrap_or_default();
        let left = clip(&scope, room.saturating_sub(8 + 2 + width(&url)));
        let gap = room.saturating_sub(8 + width(&left) + width(&url));
        spans.push(Span::raw(left));
        if gap > 1 {
            spans.push(Span::raw(" ".repeat(gap)));
            spans.push(Span::styled(url, theme.hint()));
        }
    }
    frame.render_widget(Line::from(spans), area);
}
