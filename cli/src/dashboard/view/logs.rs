//! Output.

use ratatui::text::{Line, Span};

use super::Theme;
use crate::dashboard::model::{LogLine, Model};
use crate::dashboard::plain::{clean, clip, fit, shift, width};

/// Longest name of a unit before its lines.
const NAME: usize = 16;

/// What is shown of whose output.
pub(super) fn about(model: &Model) -> String {
    let Some(view) = model.selected() else {
        return String::new();
    };
    let logs = &model.logs;
    let whose = match (logs.view.all, view.unit_name()) {
        (false, Some(unit)) => clean(unit),
        _ => "all units".to_owned(),
    };
    let how = match logs.view.bottom {
        None => "following",
        Some(_) => "not following",
    };
    let filter = match logs.view.filter.is_empty() {
        true => String::new(),
        false => {
            let (shown, all) = logs.counts();
            format!(", {shown} of {all} lines with \"{}\"", clean(&logs.view.filter))
        }
    };
    format!("{whose}, {how}{filter}")
}

pub(super) fn lines(model: &Model, columns: usize, height: usize, theme: Theme) -> Vec<Line<'static>> {
    let logs = &model.logs;
    let window = logs.window(height);
    if window.is_empty() {
        let text = match (model.selected(), logs.is_empty()) {
            (None, _) => "",
            (Some(_), true) => "no output",
            (Some(_), false) => "no line contains the filter",
        };
        return vec![Line::styled(clip(text, columns), theme.dim())];
    }
    let names: Vec<String> = match logs.view.all {
        true => model.selected().map_or_else(Vec::new, |view| {
            view.rows().iter().map(|row| clean(&row.name)).collect()
        }),
        false => Vec::new(),
    };
    let longest = names.iter().map(|name| width(name)).max().unwrap_or(0).min(NAME);
    window
        .into_iter()
        .map(|line| match &line.unit {
            None => Line::styled(clip(&format!("… {}", line.text), columns), theme.dim()),
            Some(_) if !logs.view.all => Line::raw(cut(line, model.offset.1, columns)),
            Some(unit) => {
                let index = names
                    .iter()
                    .position(|name| **name == **unit)
                    .unwrap_or(names.len());
                let prefix = format!("{} | ", fit(unit, longest));
                let room = columns.saturating_sub(width(&prefix));
                let text = cut(line, model.offset.1, room);
                Line::from(vec![Span::styled(prefix, theme.indexed(index)), Span::raw(text)])
            }
        })
        .collect()
}

fn cut(line: &LogLine, offset: usize, room: usize) -> String {
    match offset {
        0 => clip(&line.text, room),
        _ => clip(&shift(&line.text, offset), room),
    }
}
