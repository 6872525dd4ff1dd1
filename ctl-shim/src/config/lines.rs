//! Lines and columns of a source text. Lines end as YAML's do: with LF, CRLF or a lone CR.

/// The lines of a source, for looking up several.
pub(super) struct Lines<'source> {
    lines: Vec<&'source str>,
}

impl<'source> Lines<'source> {
    pub(super) fn new(source: &'source str) -> Self {
        let source = without_mark(source);
        let mut lines = Vec::new();
        let mut rest = source;
        while let Some(end) = rest.find(['\n', '\r']) {
            lines.push(&rest[..end]);
            let line_break = if rest[end..].starts_with("\r\n") { 2 } else { 1 };
            rest = &rest[end + line_break..];
        }
        lines.push(rest);
        Self { lines }
    }

    /// The line of this number, from 1; empty beyond the end.
    pub(super) fn get(&self, line: usize) -> &'source str {
        line.checked_sub(1)
            .and_then(|index| self.lines.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// How many there are; at least one.
    pub(super) fn count(&self) -> usize {
        self.lines.len()
    }
}

/// The source without a leading byte order mark, which counts as no column.
pub(super) fn without_mark(source: &str) -> &str {
    source.strip_prefix('\u{feff}').unwrap_or(source)
}

/// Line and column, from 1, of a byte offset in a source without a byte order mark.
pub(super) fn position(source: &str, offset: usize) -> (usize, usize) {
    let before = Lines::new(&source[..offset]);
    let line = before.count();
    (line, before.get(line).chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_three_ways() {
        let lines = Lines::new("\u{feff}a\nb\r\nc\rd");
        assert_eq!(
            (1..=5).map(|line| lines.get(line)).collect::<Vec<_>>(),
            ["a", "b", "c", "d", ""]
        );
        assert_eq!(position("ä\nöx", 5), (2, 2));
        assert_eq!(position("", 0), (1, 1));
    }
}
