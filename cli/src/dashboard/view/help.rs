//! Which keys there are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::Theme;
use crate::dashboard::plain::fit;

const KEYS: [(&str, &str); 17] = [
    ("↑ ↓ j k", "select, or scroll"),
    ("← → h l", "to the next pane, or along long lines"),
    ("tab", "to the next pane"),
    ("page, home, end", "by pages, to the first or last"),
    ("1 2 3", "logs, needs, timeline"),
    ("r", "restart the unit"),
    ("s", "stop the unit, or start it"),
    ("R", "restart the box"),
    ("S", "stop the box, or start it"),
    ("p", "pause the box, or thaw it"),
    ("o", "open the box's URL"),
    ("f", "follow the output, or stay"),
    ("a", "output of all units, or of one"),
    ("/", "only lines that contain a text; esc ends it"),
    ("^L", "ask the box again"),
    ("^Z", "back to the shell; fg comes back"),
    ("q ^C", "quit"),
];
/// Columns of the keys.
const KEY: usize = 17;
/// Columns of all of it, with its frame.
const WIDTH: u16 = 66;

pub(super) fn draw(frame: &mut Frame<'_>, theme: Theme) {
    let screen = frame.area();
    let height = u16::try_from(KEYS.len()).unwrap_or(u16::MAX).saturating_add(2);
    let (width, height) = (WIDTH.min(screen.width), height.min(screen.height));
    let area = Rect::new(
        (screen.width - width) / 2,
        (screen.height - height) / 2,
        width,
        height,
    );
    let lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|(key, what)| Line::from(vec![Span::styled(fit(key, KEY), theme.hint()), Span::raw(*what)]))
        .collect();
    let block = Block::bordered()
        .border_style(theme.frame(true))
        .title(" keys ")
        .title_bottom(" any key closes this ");
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
