//! The lines of a YAML file in blocks, and the blocks in them: a key, with everything that is indented below it.
//!
//! This knows no more of YAML than that. Whoever changes lines by it reads the result as YAML before it counts.

use std::ops::Range;

use super::yaml::{self, scalar};

/// A key with its value: its lines, without blank lines and comments after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) lines: Range<usize>,
    /// Column, in bytes, of what comes after the colon.
    value: usize,
}

impl Block {
    /// Whether there is something after the colon but for a comment.
    pub(super) fn has_value(&self, file: &Lines) -> bool {
        let rest = file.lines[self.lines.start][self.value..].trim_start();
        !rest.is_empty() && !rest.starts_with('#')
    }
}

/// The lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) lines: Vec<String>,
    /// For each line whether it goes on with a text that began above it: what looks like a comment there is none.
    inside: Vec<bool>,
}

impl Lines {
    /// The lines of a text, which end as YAML's do: with LF, CRLF or a lone CR.
    pub(super) fn of(text: &str) -> Self {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let inside = yaml::inside_scalars(&text, &lines);
        Self { lines, inside }
    }

    /// The comments that stand on lines of their own, without the blanks before them.
    pub(super) fn comments(&self) -> impl Iterator<Item = &str> {
        let lines = self.lines.iter().zip(&self.inside);
        lines
            .filter(|(line, is_inside)| !**is_inside && line.trim_start().starts_with('#'))
            .map(|(line, _)| line.trim())
    }

    /// They as a text, each with its end.
    pub(super) fn text(&self) -> String {
        let mut text = self.lines.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// Puts lines before the one of this number.
    pub(super) fn insert(&mut self, at: usize, lines: Vec<String>) {
        self.put(at..at, lines);
    }

    /// Puts lines in the place of others.
    fn put(&mut self, place: Range<usize>, lines: Vec<String>) {
        self.inside.splice(place.clone(), lines.iter().map(|_| false));
        self.lines.splice(place, lines);
    }

    /// Removes a block.
    pub(super) fn remove(&mut self, block: &Block) {
        self.put(block.lines.clone(), Vec::new());
    }

    /// Replaces a block; a comment behind the value of a single line stays.
    pub(super) fn replace(&mut self, block: &Block, mut lines: Vec<String>) {
        if block.lines.len() == 1 && lines.len() == 1 {
            let old = &self.lines[block.lines.start];
            let comment = comment(&old[block.value..]).to_owned();
            lines[0].push_str(&comment);
        }
        self.put(block.lines.clone(), lines);
    }

    /// How far the first line with content in a range is indented.
    pub(super) fn indent(&self, range: Range<usize>) -> Option<usize> {
        range
            .into_iter()
            .find(|&index| self.has_content(index))
            .map(|index| indent_of(&self.lines[index]))
    }

    fn has_content(&self, index: usize) -> bool {
        let line = self.lines[index].trim();
        self.inside[index] || (!line.is_empty() && !line.starts_with('#'))
    }

    /// The block of a key among those that stand side by side in a range.
    pub(super) fn find(&self, range: Range<usize>, key: &str) -> Option<Block> {
        let indent = self.indent(range.clone())?;
        let quoted = scalar(key);
        let start = range.clone().find_map(|index| {
            let line = &self.lines[index];
            if self.inside[index] || !self.has_content(index) || indent_of(line) != indent {
                return None;
            }
            [key, &quoted].into_iter().find_map(|written| {
                let rest = line[indent..].strip_prefix(written)?;
                let rest = rest.trim_start_matches(' ').strip_prefix(':')?;
                let is_key = rest.is_empty() || rest.starts_with([' ', '\t']);
                is_key.then(|| (index, line.len() - rest.len()))
            })
        });
        let (start, value) = start?;
        let is_inside = |line: &String| {
            indent_of(line) > indent || (indent_of(line) == indent && line[indent..].starts_with("- "))
        };
        let mut end = start + 1;
        for index in start + 1..range.end {
            let line = &self.lines[index];
            if self.has_content(index) {
                if !self.inside[index] && !is_inside(line) {
                    break;
                }
                end = index + 1;
            }
        }
        Some(Block {
            lines: start..end,
            value,
        })
    }

    /// Removes a key at the top that has nothing beneath it.
    pub(super) fn drop_empty(&mut self, key: &str) {
        self.drop_empty_in(0..self.lines.len(), key);
    }

    /// The same among the keys of a range.
    pub(super) fn drop_empty_in(&mut self, range: Range<usize>, key: &str) {
        if let Some(block) = self.find(range, key)
            && block.lines.len() == 1
            && !block.has_value(self)
        {
            self.remove(&block);
        }
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The comment behind a value, with the blanks before it. None where it is not plain to see where the value ends.
fn comment(value: &str) -> &str {
    let trimmed = value.trim_start();
    let after = match trimmed.chars().next() {
        Some(quote @ ('"' | '\'')) => after_quoted(&trimmed[1..], quote),
        // Tags, anchors and the like: a text between quotes may follow.
        Some('!' | '&' | '*' | '[' | '{') if trimmed.contains(['"', '\'']) => "",
        _ => trimmed,
    };
    match after.find(" #") {
        Some(start) => {
            let before = after[..start].trim_end_matches(' ');
            &after[before.len()..]
        }
        None => "",
    }
}

/// What comes after a text between quotes, from behind the first of them.
fn after_quoted(text: &str, quote: char) -> &str {
    let mut characters = text.char_indices().peekable();
    while let Some((index, character)) = characters.next() {
        if quote == '"' && character == '\\' {
            characters.next();
        } else if character == quote {
            // Two are one, and no end.
            let is_doubled = quote == '\'' && characters.next_if(|(_, next)| *next == quote).is_some();
            if !is_doubled {
                return &text[index + 1..];
            }
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_end_before_blank_lines_and_comments() {
        let file = Lines::of("a:\n  b: 1\n\n  # more\n  c:\n  - x\n\n# of d\nd: 2\n");
        let block = |range: Range<usize>, key: &str| file.find(range, key).map(|block| block.lines);
        assert_eq!(block(0..9, "a"), Some(0..6));
        assert_eq!(block(1..6, "b"), Some(1..2));
        assert_eq!(block(1..6, "c"), Some(4..6));
        assert_eq!(block(0..9, "d"), Some(8..9));
        assert_eq!(block(0..9, "b"), None);
    }

    #[test]
    fn comments_behind_values() {
        for (value, found) in [
            (" 4g  # x", "  # x"),
            (" 'a # b' # x", " # x"),
            (" \"a \\\" # b\" # x", " # x"),
            (" a#b", ""),
            (" 'open # x", ""),
            (" 'a''b # c' # x", " # x"),
            (" !!str \"a # b\"", ""),
            (" &a 'b # c' # x", ""),
            (" [A, B] # x", " # x"),
        ] {
            assert_eq!(comment(value), found, "{value}");
        }
    }
}
