//! `exclude`: globs below a directory.

use std::path::Path;

use glob::{MatchOptions, Pattern};

/// A `*` does not cross a slash, and hidden files are files.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// The globs of an entry.
#[derive(Debug, Default)]
pub(super) struct Excludes(Vec<(Pattern, bool)>);

impl Excludes {
    /// Globs that validation has passed. A slash at the end means what it means without.
    pub(super) fn new(globs: &[String]) -> Self {
        let pattern = |glob: &String| {
            let glob = glob.trim_end_matches('/');
            Some((Pattern::new(glob).ok()?, glob.contains('/')))
        };
        Self(globs.iter().filter_map(pattern).collect())
    }

    /// Whether a path, as seen from the directory, is left out with everything below it.
    pub(super) fn matches(&self, below: &Path) -> bool {
        let name = below.file_name().unwrap_or_default().to_string_lossy();
        self.0.iter().any(|(pattern, is_path)| {
            if *is_path {
                pattern.matches_with(&below.to_string_lossy(), OPTIONS)
            } else {
                pattern.matches_with(&name, OPTIONS)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_at_any_depth_and_paths_from_the_top() {
        let globs = ["*.log", "cache/", "a/b*", "deep/**/x"].map(str::to_owned);
        let excludes = Excludes::new(&globs);
        for path in [
            "x.log",
            "d/.y.log",
            "cache",
            "d/cache",
            "a/bc",
            "deep/1/2/x",
            "deep/x",
        ] {
            assert!(excludes.matches(Path::new(path)), "{path}");
        }
        for path in ["log", "cached", "d/a/b", "a/b/c", "x"] {
            assert!(!excludes.matches(Path::new(path)), "{path}");
        }
    }
}
