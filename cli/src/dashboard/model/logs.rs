//! The newest output, in bounds.

use std::collections::VecDeque;
use std::rc::Rc;

use super::super::plain::{CUT, clean};

/// Most lines that are kept.
const LINES: usize = 10_000;
/// Most bytes that they have together.
const BYTES: usize = 4 << 20;
/// Longest line, in bytes; the rest of it is left out.
const LINE: usize = 4096;

/// A line of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Whose; `None` for what the dashboard has to say.
    pub unit: Option<Rc<str>>,
    /// Without controls.
    pub text: String,
}

/// Which lines are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogView {
    /// Those of all units.
    pub all: bool,
    /// Only those that contain this, whatever the case of its letters.
    pub filter: String,
    /// Number of the last line that is shown; `None` follows the output.
    pub bottom: Option<u64>,
}

/// The output of the present subscription.
#[derive(Debug, Default)]
pub struct Logs {
    lines: VecDeque<LogLine>,
    /// Number of the first line that is kept.
    first: u64,
    bytes: usize,
    /// Bytes of the last line, where that has not ended.
    open: Option<Vec<u8>>,
    subscription: u64,
    /// Which lines are shown.
    pub view: LogView,
}

impl Logs {
    /// Begins another subscription, and gives its number.
    pub(super) fn restart(&mut self) -> u64 {
        self.clear();
        self.subscription += 1;
        self.subscription
    }

    /// Forgets all lines.
    pub(super) fn clear(&mut self) {
        *self = Self {
            subscription: self.subscription,
            view: LogView {
                bottom: None,
                ..std::mem::take(&mut self.view)
            },
            ..Self::default()
        };
    }

    /// Takes output. That of several units comes in whole lines, that of one in any pieces.
    pub(super) fn push(&mut self, unit: &str, bytes: &[u8]) {
        let unit: Rc<str> = match self.lines.back().and_then(|line| line.unit.as_ref()) {
            Some(last) if **last == *unit => Rc::clone(last),
            _ => {
                self.open = None;
                clean(unit).into()
            }
        };
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (content, ends) = match piece.strip_suffix(b"\n") {
                Some(content) => (content, true),
                None => (piece, false),
            };
            let mut open = match self.open.take() {
                Some(open) => {
                    if let Some(former) = self.lines.pop_back() {
                        self.bytes -= former.text.len();
                    }
                    open
                }
                None => Vec::new(),
            };
            // One byte more tells that something is missing.
            let room = (LINE + 1).saturating_sub(open.len()).min(content.len());
            open.extend_from_slice(&content[..room]);
            self.add(Some(Rc::clone(&unit)), shown(&open));
            self.open = (!ends).then_some(open);
        }
    }

    /// A line of the dashboard's own.
    pub(super) fn note(&mut self, text: &str) {
        self.open = None;
        self.add(None, clean(text));
    }

    fn add(&mut self, unit: Option<Rc<str>>, text: String) {
        self.bytes += text.len();
        self.lines.push_back(LogLine { unit, text });
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
            self.first += 1;
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines to show in `height` rows: those up to the bottom, or, where these are too few, from the first on.
    pub fn window(&self, height: usize) -> Vec<&LogLine> {
        let end = match self.view.bottom {
            Some(bottom) => usize::try_from((bottom + 1).saturating_sub(self.first)).unwrap_or(usize::MAX),
            None => self.lines.len(),
        };
        let end = end.min(self.lines.len());
        let before = self.lines.range(..end).rev().filter(|line| self.wants(line));
        let mut window: Vec<&LogLine> = before.take(height).collect();
        window.reverse();
        let missing = height - window.len();
        let after = self.lines.range(end..).filter(|line| self.wants(line));
        window.extend(after.take(missing));
        window
    }

    /// How many of the lines are shown at all, and of how many.
    pub fn counts(&self) -> (usize, usize) {
        let shown = match self.view.filter.is_empty() {
            true => self.lines.len(),
            false => self.lines.iter().filter(|line| self.wants(line)).count(),
        };
        (shown, self.lines.len())
    }

    fn wants(&self, line: &LogLine) -> bool {
        contains(&line.text, &self.view.filter)
    }

    /// Numbers of the lines that are shown.
    fn wanted(&self) -> Vec<u64> {
        let lines = (self.first..).zip(&self.lines);
        lines
            .filter(|(_, line)| self.wants(line))
            .map(|(number, _)| number)
            .collect()
    }

    /// Goes down by that many lines, or up. Who goes up no longer follows; who reaches the end does.
    pub(super) fn scroll(&mut self, lines: isize, page: usize) {
        let wanted = self.wanted();
        if wanted.len() <= page {
            self.view.bottom = None;
            return;
        }
        let last = wanted.len() - 1;
        let at = match self.view.bottom {
            None => last,
            Some(bottom) => wanted
                .partition_point(|number| *number <= bottom)
                .saturating_sub(1),
        };
        // The first page is as far up as it goes.
        let next = at
            .max(page - 1)
            .saturating_add_signed(lines)
            .max(page - 1)
            .min(last);
        self.view.bottom = (next < last).then(|| wanted[next]);
    }

    pub(super) fn scroll_to_first(&mut self, page: usize) {
        self.scroll(-isize::try_from(self.lines.len()).unwrap_or(isize::MAX), page);
    }

    /// Stays where it is, or follows again.
    pub(super) fn toggle_follow(&mut self, page: usize) {
        self.view.bottom = match self.view.bottom {
            Some(_) => None,
            None => self.wanted().last().copied().filter(|_| page > 0),
        };
    }
}

/// A line as it is drawn.
fn shown(bytes: &[u8]) -> String {
    let kept = bytes.get(..LINE);
    let mut text = clean(&String::from_utf8_lossy(kept.unwrap_or(bytes)));
    if kept.is_some() && bytes.len() > LINE {
        text.push(CUT);
    }
    text
}

/// Whether a text contains another, ASCII letters of either case being the same.
fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    let Some(first) = wanted.first() else {
        return true;
    };
    let last = text.len().saturating_sub(wanted.len() - 1);
    (0..last).any(|at| {
        text[at].eq_ignore_ascii_case(first) && text[at..at + wanted.len()].eq_ignore_ascii_case(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(logs: &Logs, height: usize) -> Vec<String> {
        logs.window(height).iter().map(|line| line.text.clone()).collect()
    }

    #[test]
    fn pieces_become_lines_and_an_open_one_is_shown() {
        let mut logs = Logs::default();
        logs.push("web", b"one\ntw");
        assert_eq!(texts(&logs, 9), ["one", "tw"]);
        logs.push("web", b"o\n\nthree");
        logs.push("web", b"\n");
        assert_eq!(texts(&logs, 9), ["one", "two", "", "three"]);
        logs.push("web", b"open");
        logs.push("db", b"\x1b[1mother\x1b[0m\tx\n");
        assert_eq!(texts(&logs, 2), ["open", "other   x"]);
        assert_eq!(logs.window(1)[0].unit.as_deref(), Some("db"));
        logs.note("skipped");
        logs.push("db", b"more\n");
        assert_eq!(texts(&logs, 2), ["skipped", "more"]);
    }

    #[test]
    fn a_character_that_comes_in_two_pieces_is_whole() {
        let mut logs = Logs::default();
        logs.push("web", &"日".as_bytes()[..2]);
        logs.push("web", &"日".as_bytes()[2..]);
        assert_eq!(texts(&logs, 1), ["日"]);
    }

    #[test]
    fn memory_has_bounds_in_every_direction() {
        let mut logs = Logs::default();
        for _ in 0..100 {
            logs.push("web", &[b'x'; 100_000]);
        }
        assert_eq!(logs.lines.len(), 1);
        assert_eq!(logs.bytes, LINE + CUT.len_utf8());
        for _ in 0..30 {
            logs.push("web", "short\n".repeat(1000).as_bytes());
        }
        assert_eq!(logs.lines.len(), LINES);
        let long = [b'y'; LINE];
        for _ in 0..3000 {
            logs.push("web", &long);
            logs.push("web", b"\n");
        }
        assert!(
            logs.bytes <= BYTES && logs.lines.len() >= BYTES / LINE - 1,
            "{}",
            logs.bytes
        );
        assert_eq!(
            logs.bytes,
            logs.lines.iter().map(|line| line.text.len()).sum::<usize>()
        );
        assert_eq!(
            logs.first + logs.lines.len() as u64,
            1 + 30_000 - 1 + 1 + 3000 - 1
        );
    }

    #[test]
    fn who_scrolls_up_stays_and_who_reaches_the_end_follows() {
        let mut logs = Logs::default();
        for number in 0..20 {
            logs.push("web", format!("{number}\n").as_bytes());
        }
        assert_eq!(texts(&logs, 3), ["17", "18", "19"]);
        logs.scroll(-2, 3);
        assert_eq!(texts(&logs, 3), ["15", "16", "17"]);
        logs.push("web", b"20\n");
        assert_eq!(texts(&logs, 3), ["15", "16", "17"]);
        logs.scroll(-100, 3);
        assert_eq!(texts(&logs, 3), ["0", "1", "2"]);
        logs.scroll(1, 3);
        assert_eq!(texts(&logs, 3), ["1", "2", "3"]);
        logs.scroll(100, 3);
        assert_eq!(logs.view.bottom, None);
        logs.toggle_follow(3);
        logs.push("web", b"21\n");
        assert_eq!(texts(&logs, 2), ["19", "20"]);
        logs.toggle_follow(3);
        assert_eq!(texts(&logs, 2), ["20", "21"]);
    }

    #[test]
    fn lines_that_are_dropped_are_passed_over() {
        let mut logs = Logs::default();
        for number in 0..LINES {
            logs.push("web", format!("{number}\n").as_bytes());
        }
        logs.scroll_to_first(3);
        assert_eq!(texts(&logs, 3), ["0", "1", "2"]);
        for _ in 0..10 {
            logs.push("web", b"x\n");
        }
        assert_eq!(texts(&logs, 3), ["10", "11", "12"]);
    }

    #[test]
    fn a_filter_hides_lines_whatever_their_case() {
        let mut logs = Logs::default();
        logs.push("web", b"GET /a\nPOST /b\nget /c\nError\n");
        logs.view.filter = "get".to_owned();
        assert_eq!(texts(&logs, 9), ["GET /a", "get /c"]);
        assert_eq!(logs.counts(), (2, 4));
        logs.view.filter = "longer than any line".to_owned();
        assert_eq!(texts(&logs, 9), Vec::<String>::new());
    }
}
