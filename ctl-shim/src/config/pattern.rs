//! Regular expressions of `log_match`.

use regex::bytes::{Regex, RegexBuilder};

/// Compiles a `log_match`: the `regex` crate's syntax, over bytes.
///
/// # Errors
/// The library's, where the expression is wrong or takes too much memory.
pub fn compile_log_match(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).build()
}

/// Whether a pattern compiles; if not, why, on one line.
pub(super) fn check(pattern: &str) -> Result<(), String> {
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
