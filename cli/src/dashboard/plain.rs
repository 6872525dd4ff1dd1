//! Text from a box, made fit for cells of a screen.

use agentbox_ctl::report::strip_controls;
use unicode_width::UnicodeWidthChar;

/// Cells between tab stops.
const TAB: usize = 8;
/// Stands where text was cut off.
pub const CUT: char = '…';

/// A text on one line, without controls; tabs and line ends become spaces.
pub fn clean(text: &str) -> String {
    let text = strip_controls(text);
    if !text.contains(['\t', '\n']) {
        return text.into_owned();
    }
    let mut clean = String::with_capacity(text.len() + TAB);
    let mut column = 0;
    for character in text.chars() {
        let cells = match character {
            '\t' => TAB - column % TAB,
            '\n' => 1,
            other => {
                clean.push(other);
                column += other.width().unwrap_or(0);
                continue;
            }
        };
        clean.extend(std::iter::repeat_n(' ', cells));
        column += cells;
    }
    clean
}

/// Cells that a text takes.
pub fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// A text in at most `cells` cells; where some of it is cut off, it ends in `…`.
pub fn clip(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let mut clipped = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let more = character.width().unwrap_or(0);
        if taken + more + 1 > cells {
            break;
        }
        taken += more;
        clipped.push(character);
    }
    if cells > 0 {
        clipped.push(CUT);
    }
    clipped
}

/// A text in exactly `cells` cells.
pub fn fit(text: &str, cells: usize) -> String {
    let mut fitted = clip(text, cells);
    let missing = cells.saturating_sub(width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// The text without its first `cells` cells. A wide character that is cut in two leaves a space.
pub fn shift(text: &str, cells: usize) -> String {
    let mut skipped = 0;
    let mut rest = text.chars();
    while skipped < cells {
        match rest.next() {
            Some(character) => skipped += character.width().unwrap_or(0),
            None => return String::new(),
        }
    }
    let mut shifted = " ".repeat(skipped - cells);
    shifted.push_str(rest.as_str());
    shifted
}

/// Cuts a text into lines of at most `cells` cells, at spaces where there are any.
pub fn wrap(text: &str, cells: usize) -> Vec<String> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let mut word = word.to_owned();
        if !line.is_empty() && width(&line) + 1 + width(&word) > cells {
            lines.push(std::mem::take(&mut line));
        }
        while width(&word) > cells {
            let mut taken = 0;
            let fits = |character: &char| {
                taken += character.width().unwrap_or(0);
                taken <= cells
            };
            let mut head: String = word.chars().take_while(fits).collect();
            if head.is_empty() {
                // A wide character in a single column.
                head.extend(word.chars().next());
            }
            word = word[head.len()..].to_owned();
            lines.push(head);
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn controls_go_and_tabs_reach_their_stops() {
        assert_eq!(clean("\u{1b}[31mred\u{1b}[0m\r"), "red");
        assert_eq!(clean("a\tb"), "a       b");
        assert_eq!(clean("12345678\tb"), "12345678        b");
        assert_eq!(clean("日本\tb"), "日本    b");
        assert_eq!(clean("a\nb"), "a b");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(clip("日本語", 6), "日本語");
        assert_eq!(clip("日本語", 5), "日本…");
        assert_eq!(clip("日本語", 4), "日…");
        assert_eq!(clip("abc", 0), "");
        assert_eq!(fit("日", 4), "日  ");
        assert_eq!(shift("日本語", 2), "本語");
        assert_eq!(shift("日本語", 3), " 語");
        assert_eq!(shift("ab", 5), "");
    }

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(wrap("", 4), [""]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_it_may_be(text in any::<String>(), cells in 2_usize..40) {
            let text = clean(&text);
            prop_assert!(width(&clip(&text, cells)) <= cells + 1);
            for line in wrap(&text, cells) {
                prop_assert!(line.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>() <= cells);
            }
            prop_assert!(!shift(&text, cells).contains('\t'));
        }
    }
}
