//! Making text from a file fit to be shown: a terminal must not obey it, and one word must not fill a screen.

use std::fmt;

/// Longest quotation in a message, in characters.
const LONGEST_QUOTATION: usize = 64;

/// Whether a character would move the cursor, change the direction of text, or not be seen at all.
pub(super) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns that a character takes on a terminal: 0, 1 or 2. Close enough to place carets.
pub(super) fn width(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Text from the file between double quotes, shortened, with unsafe characters as escapes.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", Plain(self.0))
    }
}

/// The same without the quotes.
pub(super) struct Plain<'a>(pub(super) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (count, character) in self.0.chars().enumerate() {
            if count == LONGEST_QUOTATION {
                return formatter.write_str("…");
            }
            match character {
                '\n' => formatter.write_str("\\n")?,
                '\t' => formatter.write_str("\\t")?,
                '\r' => formatter.write_str("\\r")?,
                unsafe_one if is_unsafe(unsafe_one) => write!(formatter, "{}", unsafe_one.escape_unicode())?,
                safe => fmt::Write::write_char(formatter, safe)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_short_and_tame() {
        assert_eq!(Quoted("web").to_string(), "\"web\"");
        assert_eq!(
            Quoted("a\u{1b}[2J\u{202e}\n").to_string(),
            "\"a\\u{1b}[2J\\u{202e}\\n\""
        );
        assert_eq!(
            Quoted(&"x".repeat(1000)).to_string().chars().count(),
            LONGEST_QUOTATION + 3
        );
    }
}
