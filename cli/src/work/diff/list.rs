//! Changed paths as `--json` has them.

use std::collections::HashMap;

use serde::Serialize;

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Relative to the workspace.
    pub path: String,
    /// How it differs.
    pub status: &'static str,
    /// Lines that are new; `None` for what is no text.
    pub additions: Option<u64>,
    /// Lines that are gone; `None` for what is no text.
    pub deletions: Option<u64>,
}

/// Reads `git diff --raw --numstat -z --no-renames`.
pub fn parse(bytes: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    while let Some(word) = words.next() {
        if let Some(raw) = word.strip_prefix(':') {
            let Some(path) = words.next() else { break };
            places.insert(path.to_string(), entries.len());
            entries.push(Entry {
                path: path.into_owned(),
                status: status_of(raw.rsplit(' ').next().unwrap_or_default()),
                additions: None,
                deletions: None,
            });
            continue;
        }
        let mut fields = word.splitn(3, '\t');
        let (Some(additions), Some(deletions), Some(path)) = (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if let Some(entry) = places.get(path).and_then(|place| entries.get_mut(*place)) {
            entry.additions = additions.parse().ok();
            entry.deletions = deletions.parse().ok();
        }
    }
    entries
}

fn status_of(letter: &str) -> &'static str {
    match letter {
        "A" => "added",
        "D" => "deleted",
        "T" => "type-changed",
        _ => "modified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_and_numbers_are_put_together() {
        let text = b":000000 100644 0000000 1111111 A\0new\nline\0:100644 000000 1 0 D\0gone\0:100644 120000 1 2 T\0a\tb\0\
                     2\t0\tnew\nline\0-\t-\tgone\x001\t1\ta\tb\0";
        let entry = |path: &str, status, additions, deletions| Entry {
            path: path.to_owned(),
            status,
            additions,
            deletions,
        };
        assert_eq!(
            parse(text),
            [
                entry("new\nline", "added", Some(2), Some(0)),
                entry("gone", "deleted", None, None),
                entry("a\tb", "type-changed", Some(1), Some(1)),
            ]
        );
        assert!(parse(b"").is_empty());
        assert!(parse(b":no path").is_empty());
    }
}
