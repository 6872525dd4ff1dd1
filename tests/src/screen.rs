//! What a terminal shows after a program has drawn on it: enough of one for programs that place every word they write.

use std::collections::BTreeMap;

/// Rows and columns, from 1.
type Place = (usize, usize);

/// The lines of the screen, without what was cleared or written over. Characters are taken to be one cell wide.
pub fn lines(written: &str) -> Vec<String> {
    let mut cells: BTreeMap<Place, char> = BTreeMap::new();
    let (mut row, mut column) = (1, 1);
    let mut rest = written.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                let mut parameters = String::new();
                let mut last = ' ';
                for character in rest.by_ref() {
                    if ('@'..='~').contains(&character) {
                        last = character;
                        break;
                    }
                    parameters.push(character);
                }
                let number = |index: usize| {
                    let part = parameters.split(';').nth(index).unwrap_or_default();
                    part.parse().unwrap_or(1)
                };
                match (last, parameters.as_str()) {
                    ('H', _) => (row, column) = (number(0), number(1)),
                    ('J', "2") | ('h' | 'l', "?1049") => cells.clear(),
                    _ => {}
                }
            }
            '\u{1b}' => {}
            '\r' => column = 1,
            '\n' => row += 1,
            other => {
                cells.insert((row, column), other);
                column += 1;
            }
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for ((row, column), character) in cells {
        lines.resize(lines.len().max(row), String::new());
        let line = &mut lines[row - 1];
        let missing = (column - 1).saturating_sub(line.chars().count());
        line.extend(std::iter::repeat_n(' ', missing));
        line.push(character);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_over_or_cleared_is_gone() {
        let written =
            "old\u{1b}[?1049h\u{1b}[2;3Hone\u{1b}[1;1H\u{1b}[38;5;2mtwo\u{1b}[0m\u{1b}[2;4HX\u{1b}[?25l";
        assert_eq!(lines(written), ["two", "  oXe"]);
        assert_eq!(lines(&format!("{written}\u{1b}[2J")), Vec::<String>::new());
        assert_eq!(lines("a\r\nb"), ["a", "b"]);
    }
}
