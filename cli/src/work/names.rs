//! Names and ids that a box gives: taken only where they can mean nothing but what they say.

use agentbox_ctl::report::is_unwanted;

/// Longest name of a branch that is taken, in bytes: the path of its file has to fit the host's limits.
const LONGEST: usize = 200;

/// Whether a text is an object id: 40 or 64 hexadecimal digits.
pub fn is_object_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text is the name of a branch as `git check-ref-format` has it, and harmless in a terminal and on a
/// command line too.
pub fn is_branch_name(name: &str) -> bool {
    let odd = |character: char| {
        is_unwanted(character)
            || character.is_control()
            || character.is_whitespace()
            || matches!(character, '~' | '^' | ':' | '?' | '*' | '[' | '\\')
    };
    !name.is_empty()
        && name.len() <= LONGEST
        && name != "@"
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(odd)
        && name.split('/').all(|part| {
            !part.is_empty() && !part.starts_with('.') && !part.to_ascii_lowercase().ends_with(".lock")
        })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_git_or_a_terminal_would_mind() {
        for good in ["main", "feature/a-b_c.d", "agentbox/box", "größe", "a@b", "v1.2"] {
            assert!(is_branch_name(good), "{good}");
        }
        for bad in [
            "",
            "@",
            "..",
            "a..b",
            "../../config",
            "a/../b",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.LOCK/b",
            "a.",
            "a\nb",
            "a b",
            "a\u{7f}",
            "a\u{1b}[2J",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[b",
            "a\\b",
            "a@{1}",
            "-a",
            "a\u{202e}b",
            "a\u{9b}b",
        ] {
            assert!(!is_branch_name(bad), "{bad:?}");
        }
        assert!(!is_branch_name(&"a".repeat(201)));
    }

    #[test]
    fn ids_are_full_and_hexadecimal() {
        assert!(is_object_id(&"0a".repeat(20)) && is_object_id(&"f0".repeat(32)));
        for bad in [
            "",
            "abc",
            &"A0".repeat(20),
            &"g0".repeat(20),
            &"0".repeat(41),
            "--all",
            "HEAD",
        ] {
            assert!(!is_object_id(bad), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn git_takes_whatever_we_take(name in "[a-z./@{}~^:*\\[ \\-\\\\\n]{1,12}") {
            if is_branch_name(&name) {
                let checked = Command::new("git")
                    .args(["check-ref-format", &format!("refs/heads/{name}")])
                    .status()
                    .unwrap();
                prop_assert!(checked.success(), "{name:?}");
            }
        }
    }
}
