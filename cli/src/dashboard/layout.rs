//! Where everything goes on a screen, by its size.
//!
//! ```text
//! header                    small: header
//! ┌ boxes ┐┌ units ─────┐          the pane that has the keys
//! └───────┘└────────────┘          notice or keys
//! ┌ logs · needs · time ┐
//! └─────────────────────┘
//! notice or keys
//! ```

use ratatui::layout::Rect;

use super::model::Pane;
use crate::terminal::Size;

/// Least size of a terminal that shows all panes.
const ALL_PANES: (u16, u16) = (60, 16);
/// Least size of one that has frames.
const FRAMES: (u16, u16) = (30, 8);
/// Lines of a table's head.
const HEAD: u16 = 1;
/// Lines and columns of a frame.
const FRAME: u16 = 2;

/// The areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// One line about all of it.
    pub header: Rect,
    /// The list of boxes, where it is shown.
    pub boxes: Option<Rect>,
    /// The table of units, where it is shown.
    pub units: Option<Rect>,
    /// Logs, needs or timeline, where it is shown.
    pub lower: Option<Rect>,
    /// What is told, or the keys.
    pub notice: Rect,
    /// Whether panes have frames.
    pub framed: bool,
}

/// The areas for a terminal of this size, so many boxes and units, and so many lines of news.
pub fn layout(size: Size, pane: Pane, (boxes, units): (usize, usize), notice: usize) -> Layout {
    let (width, height) = (size.columns, size.rows);
    let told = u16::try_from(notice).unwrap_or(1).max(1).min(height);
    let header = u16::from(height > told + 1);
    let middle = height.saturating_sub(header + told);
    let body = Rect::new(0, header, width, middle);
    let framed = width >= FRAMES.0 && height >= FRAMES.1;
    let mut layout = Layout {
        header: Rect::new(0, 0, width, header),
        boxes: None,
        units: None,
        lower: None,
        notice: Rect::new(0, header + middle, width, told),
        framed,
    };
    if width < ALL_PANES.0 || height < ALL_PANES.1 {
        match pane {
            Pane::Boxes => layout.boxes = Some(body),
            Pane::Units => layout.units = Some(body),
            Pane::Lower => layout.lower = Some(body),
        }
        return layout;
    }
    let rows = u16::try_from(boxes.max(units)).unwrap_or(u16::MAX);
    let wanted = rows.saturating_add(HEAD + FRAME);
    // The lower pane has at least half; lists that are longer scroll.
    let top = wanted.clamp(5, (middle / 2).max(5));
    let side = (width / 3).clamp(24, 48);
    layout.boxes = Some(Rect::new(0, body.y, side, top));
    layout.units = Some(Rect::new(side, body.y, width - side, top));
    layout.lower = Some(Rect::new(0, body.y + top, width, middle - top));
    layout
}

/// The inside of a pane.
pub fn inner(area: Rect, framed: bool) -> Rect {
    match framed {
        true => Rect::new(
            area.x + 1,
            area.y + 1,
            area.width.saturating_sub(FRAME),
            area.height.saturating_sub(FRAME),
        ),
        false => area,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_leaves_the_screen_or_overlaps(
            columns in 0_u16..300, rows in 0_u16..100, boxes in 0_usize..300, units in 0_usize..300, notice in 0_usize..4,
        ) {
            for pane in [Pane::Boxes, Pane::Units, Pane::Lower] {
                let layout = layout(Size { columns, rows }, pane, (boxes, units), notice);
                let screen = Rect::new(0, 0, columns, rows);
                let areas = [Some(layout.header), layout.boxes, layout.units, layout.lower, Some(layout.notice)];
                let areas: Vec<Rect> = areas.into_iter().flatten().filter(|area| !area.is_empty()).collect();
                for (index, area) in areas.iter().enumerate() {
                    prop_assert_eq!(screen.intersection(*area), *area);
                    for other in &areas[..index] {
                        prop_assert!(area.intersection(*other).is_empty(), "{:?}", layout);
                    }
                }
            }
        }
    }
}
