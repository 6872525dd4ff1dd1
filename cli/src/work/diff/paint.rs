//! The output of a git in a box, made fit for a terminal: without control characters, in our own colours.

use crate::ui::{Style, strip_controls};

/// Longest line that is looked at whole, in bytes; a longer one goes out in pieces.
const LONGEST: usize = 64 * 1024;

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A patch.
    Patch,
    /// A diffstat.
    Stat,
    /// Anything else.
    Plain,
}

/// Takes bytes as they come and gives text line by line.
#[derive(Debug)]
pub struct Painter {
    style: Style,
    form: Form,
    line: Vec<u8>,
    /// Lines of the present hunk that are still to come: of the old file and of the new.
    hunk: (u64, u64),
}

impl Painter {
    /// A painter for output of this form.
    pub fn new(style: Style, form: Form) -> Self {
        Self {
            style,
            form,
            line: Vec::new(),
            hunk: (0, 0),
        }
    }

    /// Takes bytes; gives what is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut text = String::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LONGEST {
                text.push_str(&self.painted());
            }
        }
        text
    }

    /// The rest, where the last line has no end.
    pub fn finish(mut self) -> String {
        self.painted()
    }

    fn painted(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&line);
        // A carriage return right before the line's end moves nothing, and a patch without it would not apply.
        let end = ["\r\n", "\n"]
            .into_iter()
            .find(|end| text.ends_with(end))
            .unwrap_or("");
        let text = strip_controls(&text[..text.len() - end.len()]);
        let painted = match self.form {
            Form::Patch => self.patch(&text),
            Form::Stat => self.stat(&text),
            Form::Plain => text.into_owned(),
        };
        painted + end
    }

    fn patch(&mut self, text: &str) -> String {
        let (old, new) = self.hunk;
        if old > 0 || new > 0 {
            match text.chars().next() {
                Some('-') => {
                    self.hunk.0 = old.saturating_sub(1);
                    return self.style.red(text);
                }
                Some('+') => {
                    self.hunk.1 = new.saturating_sub(1);
                    return self.style.green(text);
                }
                Some('\\') => {}
                _ => self.hunk = (old.saturating_sub(1), new.saturating_sub(1)),
            }
            return text.to_owned();
        }
        if let Some(hunk) = hunk_of(text) {
            self.hunk = hunk;
            return self.style.cyan(text);
        }
        if text.starts_with("diff --git ") {
            return self.style.yellow(text);
        }
        text.to_owned()
    }

    fn stat(&self, text: &str) -> String {
        let Some((name, numbers)) = text.rsplit_once(" | ") else {
            return text.to_owned();
        };
        let bars = numbers.trim_start_matches(|character: char| !matches!(character, '+' | '-'));
        let plus = bars.trim_end_matches('-');
        let minus = &bars[plus.len()..];
        let only_bars = bars.chars().all(|character| matches!(character, '+' | '-'));
        if bars.is_empty() || !only_bars {
            return text.to_owned();
        }
        let count = &numbers[..numbers.len() - bars.len()];
        let paint = |text: &str, paint: fn(Style, &str) -> String| {
            if text.is_empty() {
                String::new()
            } else {
                paint(self.style, text)
            }
        };
        format!(
            "{name} | {count}{}{}",
            paint(plus, Style::green),
            paint(minus, Style::red)
        )
    }
}

/// How many lines of the old file and of the new a hunk has, from `@@ -1,2 +3,4 @@`.
fn hunk_of(line: &str) -> Option<(u64, u64)> {
    let (ranges, _) = line.strip_prefix("@@ -")?.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let count = |range: &str| match range.split_once(',') {
        Some((_, count)) => count.parse().ok(),
        None => Some(1),
    };
    Some((count(old)?, count(new)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1 @@ fn\n same\n--- old\n\\ No newline\n\
                         diff --git a/y b/y\n+++ b/y\n";

    fn painted(color: bool, form: Form, text: &str, piece: usize) -> String {
        let mut painter = Painter::new(Style::new(color), form);
        let mut all = String::new();
        for chunk in text.as_bytes().chunks(piece) {
            all.push_str(&painter.feed(chunk));
        }
        all + &painter.finish()
    }

    #[test]
    fn without_colour_a_patch_is_as_it_was() {
        for piece in [1, 3, 1000] {
            assert_eq!(painted(false, Form::Patch, PATCH, piece), PATCH);
        }
        let windows = "@@ -1 +1 @@\n-a\r\n+b\r\n";
        assert_eq!(painted(false, Form::Patch, windows, 2), windows);
    }

    #[test]
    fn a_removed_line_is_told_from_a_header() {
        let text = painted(true, Form::Patch, PATCH, 7);
        assert!(text.contains("\u{1b}[1;31m--- old\u{1b}[0m\n"), "{text:?}");
        assert!(text.contains("\n--- a/x\n+++ b/x\n"), "{text:?}");
        assert!(
            text.ends_with("\u{1b}[33mdiff --git a/y b/y\u{1b}[0m\n+++ b/y\n"),
            "{text:?}"
        );
    }

    #[test]
    fn no_control_character_of_a_box_reaches_the_terminal() {
        let hostile = "diff --git a/x b/x\n@@ -0,0 +1 @@\n+a\u{1b}]0;title\u{7}\u{9b}31m\rb\tc\u{202e}\u{0}";
        let text = painted(false, Form::Patch, hostile, 5);
        assert!(
            !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')),
            "{text:?}"
        );
        assert!(text.contains("b\tc"), "{text:?}");
        let endless = painted(false, Form::Patch, &"x".repeat(200_000), 4096);
        assert_eq!(endless.len(), 200_000);
    }

    #[test]
    fn bars_of_a_diffstat() {
        let text = painted(
            true,
            Form::Stat,
            " a | b | 3 ++-\n c | Bin 0 -> 1 bytes\n 2 files\n",
            4,
        );
        assert_eq!(
            text,
            " a | b | 3 \u{1b}[32m++\u{1b}[0m\u{1b}[1;31m-\u{1b}[0m\n c | Bin 0 -> 1 bytes\n 2 files\n"
        );
    }
}
