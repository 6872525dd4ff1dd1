//! Text as YAML.

use std::fmt::Write;

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
