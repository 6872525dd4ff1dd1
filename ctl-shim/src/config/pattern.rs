//! Regular expressions of `log_match`.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a `log_match`: the `regex` crate's syntax, over bytes.
///
/// # Errors
/// The library's, where the expression is wrong or takes too much memory.
pub fn compile_log_match(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).build()
}

/// Longest pattern, in bytes, that is too short to exceed the limit on compiled size without a counted repetition.
/// The largest class takes some 100 KB, and its name (`\w`) two bytes.
const SURELY_SMALL: usize = 100;

/// Whether a pattern compiles; if not, why, on one line.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    // Compiling costs ten times what parsing does, and only the size of the result could still be wrong.
    if pattern.len() <= SURELY_SMALL
        && !pattern.contains('{')
        && regex_syntax::ParserBuilder::new()
            .utf8(false)
            .build()
            .parse(pattern)
            .is_ok()
    {
        return Ok(());
    }
    match compile_log_match(pattern) {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(limit)) => {
            Err(format!("it takes more than {limit} bytes when compiled"))
        }
        Err(error) => {
            // The library draws the pattern over several lines; the reason is the last.
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            Err(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_parsed_also_compiles() {
        let largest = "\\W".repeat(SURELY_SMALL / 2);
        let insensitive = format!("(?i){}", "\\w".repeat(SURELY_SMALL / 2 - 2));
        for pattern in [
            &largest,
            &insensitive,
            "(?-u)\\xff",
            "(?s-u:.)*",
            "\\b(?i)error\\b",
            "[^a]",
            "^$",
        ] {
            assert_eq!(check(pattern), Ok(()), "{pattern}");
            assert!(compile_log_match(pattern).is_ok(), "{pattern}");
        }
    }

    #[test]
    fn reasons_fit_on_a_line() {
        assert_eq!(check("listening on :(\\d+)"), Ok(()));
        assert_eq!(check("(?-u)\\xff"), Ok(()));
        assert_eq!(check("(").unwrap_err(), "unclosed group");
        assert_eq!(check("a\n(").unwrap_err(), "unclosed group");
        assert!(
            check("(\\w{100}){100}")
                .unwrap_err()
                .starts_with("it takes more than")
        );
    }
}
