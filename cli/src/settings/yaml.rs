//! Text as YAML.

use std::fmt::Write;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// A scalar that reads back as this text where text is wanted, and as the boolean or number that it looks like where
/// one of these is. Plain where that is safe beyond doubt, else between double quotes.
pub(super) fn scalar(text: &str) -> String {
    let is_null = matches!(text.to_ascii_lowercase().as_str(), "" | "~" | "null");
    let inner = |character: char| character.is_ascii_alphanumeric() || "_./:@%+-".contains(character);
    if !is_null
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || "_./".contains(first))
        && text.chars().all(inner)
        && !text.ends_with(':')
        && !text.starts_with("...")
    {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            // What an editor may not show, or takes for the end of a line, as well as what YAML forbids.
            ' ' | '!'..='~' => quoted.push(character),
            letter if letter.is_alphanumeric() => quoted.push(letter),
            // Writing to a string cannot fail.
            other => {
                let _ = match u32::from(other) {
                    code @ ..=0xff => write!(quoted, "\\x{code:02x}"),
                    code @ ..=0xffff => write!(quoted, "\\u{code:04x}"),
                    code => write!(quoted, "\\U{code:08x}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// For each line of a text whether it goes on with a quoted or literal text that began above it. A line there may begin
/// with `#` and is no comment.
pub(super) fn inside_scalars(text: &str, lines: &[String]) -> Vec<bool> {
    let mut inside = vec![false; lines.len()];
    for event in Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text)) {
        // What cannot be read is for whoever reads it for its content.
        let Ok((event, span)) = event else { break };
        let Event::Scalar(value, style, anchor, tag) = event else {
            continue;
        };
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if style == ScalarStyle::Plain || (is_block && value.trim_matches('\n').is_empty()) {
            continue;
        }
        // Lines count from 1. A literal text is said to start with its first line, not where the `|` is, unless an
        // anchor or a tag is before that.
        let is_bare_block = is_block && anchor == 0 && tag.is_none();
        let first = span.start.line() - usize::from(is_bare_block);
        for index in first..span.end.line().min(lines.len()) {
            let line = &lines[index];
            let indent = line.len() - line.trim_start_matches(' ').len();
            // A literal text ends where the parser has found what is no part of it.
            let is_beyond = is_block && index + 1 == span.end.line() && span.end.col() <= indent;
            inside[index] = !is_beyond && !line.trim().is_empty();
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentbox_ctl::config::load_settings;
    use proptest::prelude::*;

    #[test]
    fn plain_where_it_is_safe() {
        for plain in ["4g", "true", "0.5", "node:22", "/cache", "a_b-c"] {
            assert_eq!(scalar(plain), plain);
        }
        for quoted in [
            "", "~", "Null", "a b", "#a", "a #b", "-", "- a", "*a", "a:", "{a}", "ä", "...",
        ] {
            assert!(scalar(quoted).starts_with('"'), "{quoted}");
        }
    }

    #[test]
    fn lines_inside_texts() {
        let marked = |text: &str| -> String {
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            let inside = inside_scalars(text, &lines);
            inside
                .iter()
                .map(|inside| if *inside { '1' } else { '0' })
                .collect()
        };
        for (text, expected) in [
            ("# c\na: b # c\n# d\nc: d\n  e\n", "00000"),
            ("a: |\n  x\n  #y\n # z\n# c\nb: 1\n", "011000"),
            ("a: |\n  #x", "01"),
            ("a: >-\n\n\n  #x\n\n  #y\n\n# c\nb: 1\n", "000101000"),
            ("a: |2\n    x\n  #y\n# c\n", "0110"),
            ("a: |\n# c\nb: 1\n", "000"),
            ("a: &a !!str |\n  x\n  #y\n# c\nb: 1\n", "01100"),
            ("a:\n  |\n  #x\nb: 1\n", "0010"),
            ("a: \"x\n\n  #y\n  #z\" # c\n# d\nb: 'x\n  # y'\n", "0011001"),
            ("\u{feff}a:\n- |\n #x\n- b\n", "0010"),
            ("a: b: c\n# c\n", "00"),
        ] {
            assert_eq!(marked(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_comes_back(text in any::<String>().prop_map(|text| text.replace('\0', ""))) {
            let source = format!("box: {{env: {{A: {}}}}}", scalar(&text));
            let block = format!("box:\n  env:\n    A: {}", scalar(&text));
            for source in [source, block] {
                let entries = load_settings(source.as_bytes());
                prop_assert_eq!(&entries.unwrap()[0].text, &text);
            }
        }
    }
}
