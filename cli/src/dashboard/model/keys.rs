//! What keys do.

use super::super::keyboard::Key;
use super::super::layout;
use super::{Effect, Mode, Model, Notice, Pane, Tab, needs};
use crate::dashboard::view;

/// Columns that a step to the side takes.
const SIDESTEP: usize = 8;
/// Longest filter, in characters.
const FILTER: usize = 200;

impl Model {
    pub(super) fn key(&mut self, key: Key) -> Vec<Effect> {
        self.changed = true;
        if key == Key::Control('c') {
            return self.quit();
        }
        if key == Key::Control('z') {
            return vec![Effect::Suspend];
        }
        match std::mem::take(&mut self.mode) {
            Mode::Normal => self.command(key),
            Mode::Help => Vec::new(),
            Mode::Confirm(question) => match key {
                Key::Char('y' | 'Y') => self.confirm(&question),
                _ => Vec::new(),
            },
            Mode::Filter(before) => {
                self.edit_filter(key, before);
                Vec::new()
            }
        }
    }

    fn command(&mut self, key: Key) -> Vec<Effect> {
        self.notice = None;
        match key {
            Key::Char('q') => return self.quit(),
            Key::Char('?') => self.mode = Mode::Help,
            Key::Char('r') => return self.restart_unit(),
            Key::Char('s') => return self.toggle_unit(),
            Key::Char('R') => return self.restart_box(),
            Key::Char('S') => return self.toggle_box(),
            Key::Char('p') => return self.toggle_pause(),
            Key::Char('o') => return self.open(),
            Key::Char('f') => {
                self.show(Tab::Logs);
                self.logs.toggle_follow(self.page());
            }
            Key::Char('a') => {
                self.logs.view.all ^= true;
                self.show(Tab::Logs);
            }
            Key::Char('/') => {
                self.show(Tab::Logs);
                self.mode = Mode::Filter(self.logs.view.filter.clone());
            }
            Key::Char(digit @ '1'..='3') => {
                let index = usize::from(digit as u8 - b'1');
                self.show(Tab::ALL[index]);
                self.pane = Pane::Lower;
                // What nobody looked at may be old.
                return vec![Effect::Refresh];
            }
            Key::Control('l') => return vec![Effect::Redraw, Effect::Refresh],
            Key::Tab => self.pane = self.next_pane(1),
            Key::BackTab => self.pane = self.next_pane(2),
            Key::Escape if !self.logs.view.filter.is_empty() => self.logs.view.filter.clear(),
            other => self.travel(other),
        }
        Vec::new()
    }

    fn show(&mut self, tab: Tab) {
        if self.tab != tab {
            self.tab = tab;
            self.offset = (0, 0);
        }
    }

    fn next_pane(&self, steps: usize) -> Pane {
        const ORDER: [Pane; 3] = [Pane::Boxes, Pane::Units, Pane::Lower];
        let now = ORDER.iter().position(|pane| *pane == self.pane).unwrap_or(0);
        ORDER[(now + steps) % ORDER.len()]
    }

    /// What is under way when the process ends may be left half done: a box that was to be restarted is stopped.
    fn quit(&mut self) -> Vec<Effect> {
        if self.jobs.is_empty() || self.quit_warned {
            return vec![Effect::Quit];
        }
        self.quit_warned = true;
        self.mode = Mode::Normal;
        let jobs: Vec<String> = self.jobs.iter().map(|job| job.under_way()).collect();
        let text = format!("still {}: once more ends without waiting for it", jobs.join(", "));
        self.notice = Some(Notice::warning(&text));
        Vec::new()
    }

    fn edit_filter(&mut self, key: Key, before: String) {
        let filter = &mut self.logs.view.filter;
        match key {
            Key::Enter => return,
            Key::Escape => {
                *filter = before;
                return;
            }
            Key::Backspace => {
                filter.pop();
            }
            Key::Control('u') => filter.clear(),
            Key::Char(character) if filter.chars().count() < FILTER => filter.push(character),
            _ => {}
        }
        self.mode = Mode::Filter(before);
    }

    /// Cursor keys, by the pane they are in.
    fn travel(&mut self, key: Key) {
        let page = self.page();
        let step = match key {
            Key::Up | Key::Char('k') => Step::By(-1),
            Key::Down | Key::Char('j') => Step::By(1),
            Key::PageUp | Key::Control('b' | 'u') => Step::By(-page.cast_signed()),
            Key::PageDown | Key::Control('f' | 'd') | Key::Char(' ') => Step::By(page.cast_signed()),
            Key::Home | Key::Char('g') => Step::First,
            Key::End | Key::Char('G') => Step::Last,
            Key::Left | Key::Char('h') => return self.aside(false),
            Key::Right | Key::Char('l') | Key::Enter => return self.aside(true),
            _ => return,
        };
        match self.pane {
            Pane::Boxes => {
                let selected = self.selected.as_ref();
                let at = self.boxes.iter().position(|view| Some(&view.info.id) == selected);
                if let Some(next) = step.from(at, self.boxes.len()) {
                    self.selected = Some(self.boxes[next].info.id.clone());
                    self.offset = (0, 0);
                }
            }
            Pane::Units => {
                if let Some(view) = self.selected_mut()
                    && let Some(next) = step.from(view.unit_index(), view.unit_count())
                {
                    view.select_unit(next);
                }
            }
            Pane::Lower => match self.tab {
                Tab::Logs => match step {
                    Step::By(lines) => self.logs.scroll(lines, page),
                    Step::First => self.logs.scroll_to_first(page),
                    Step::Last => self.logs.view.bottom = None,
                },
                Tab::Needs | Tab::Timeline => self.scroll(step, page),
            },
        }
    }

    /// Left and right: to the neighbouring pane, or along long lines.
    fn aside(&mut self, right: bool) {
        match (self.pane, right) {
            (Pane::Boxes, true) => self.pane = Pane::Units,
            (Pane::Units, true) => self.pane = Pane::Lower,
            (Pane::Units, false) => self.pane = Pane::Boxes,
            (Pane::Boxes, false) => {}
            (Pane::Lower, true) => self.offset.1 += SIDESTEP,
            (Pane::Lower, false) if self.offset.1 == 0 => self.pane = Pane::Units,
            (Pane::Lower, false) => self.offset.1 = self.offset.1.saturating_sub(SIDESTEP),
        }
    }

    fn scroll(&mut self, step: Step, page: usize) {
        let now = self.now;
        self.prepare(now);
        let length = match self.tab {
            Tab::Needs => self.selected().map_or(0, |view| needs::tree(view).len()),
            _ => view::timeline_length(self),
        };
        let last = length.saturating_sub(page);
        self.offset.0 = match step {
            Step::By(lines) => self.offset.0.saturating_add_signed(lines).min(last),
            Step::First => 0,
            Step::Last => last,
        };
    }

    /// Lines that the pane with the keys shows.
    fn page(&self) -> usize {
        let layout = self.layout();
        let area = match self.pane {
            Pane::Boxes => layout.boxes,
            Pane::Units => layout.units,
            Pane::Lower => layout.lower,
        };
        let inner = area.map(|area| layout::inner(area, layout.framed));
        usize::from(inner.map_or(1, |area| area.height)).max(1)
    }
}

/// A step through a list.
#[derive(Debug, Clone, Copy)]
enum Step {
    By(isize),
    First,
    Last,
}

impl Step {
    /// Where it leads in a list of `length`.
    fn from(self, at: Option<usize>, length: usize) -> Option<usize> {
        let last = length.checked_sub(1)?;
        Some(match (self, at) {
            (Self::First, _) | (Self::By(_), None) => 0,
            (Self::Last, _) => last,
            (Self::By(lines), Some(at)) => at.saturating_add_signed(lines).min(last),
        })
    }
}
