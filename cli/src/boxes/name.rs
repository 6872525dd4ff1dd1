//! Names of boxes: a container name, a DNS label and a git ref at once.

use agentbox_ctl::failure::Failure;

/// Longest name.
pub const MAX_LENGTH: usize = 40;
/// What a project's directory is called where nothing of its name fits.
const FALLBACK: &str = "box";

/// Whether `name` matches `[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?`.
pub fn is_valid(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= MAX_LENGTH
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// Checks a name that a user gave.
///
/// # Errors
/// A usage error with a name that would do.
pub fn check(name: &str) -> Result<(), Failure> {
    if is_valid(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{name}` is not a box name"))
        .cause("a name is 1 to 40 of a-z, 0-9 and -, without - at either end")
        .hint(format!("agentbox create -n {}", fit(name))))
}

/// Makes any text fit.
pub fn fit(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_LENGTH);
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        FALLBACK.to_owned()
    } else {
        name.to_owned()
    }
}

/// The first of `base`, `base-2`, `base-3`, … that is not taken. The base is shortened where the number needs room.
pub fn first_free(base: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut number = 1_u64;
    loop {
        let suffix = if number == 1 {
            String::new()
        } else {
            format!("-{number}")
        };
        let room = MAX_LENGTH - suffix.len();
        let stem = base[..base.len().min(room)].trim_end_matches('-');
        let name = format!("{stem}{suffix}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// Name of a box's container.
pub fn container(name: &str) -> String {
    format!("agentbox-{name}")
}

/// Name of a box's container until it is whole. No box name holds an underscore, so it is never one's.
pub fn temporary(id: &str) -> String {
    format!("agentbox_making_{id}")
}

/// Name of a box's named volume on the engine.
pub fn volume(id: &str, name: &str) -> String {
    format!("agentbox-{id}-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn directories_become_names() {
        assert_eq!(fit("My Project (v2)"), "my-project-v2");
        assert_eq!(fit("__x__"), "x");
        assert_eq!(fit("é"), "box");
        assert_eq!(fit(&"a".repeat(60)), "a".repeat(40));
    }

    #[test]
    fn numbers_go_on_from_two_and_stay_in_length() {
        let taken = ["web", "web-2"];
        assert_eq!(first_free("web", |name| taken.contains(&name)), "web-3");
        let long = "a".repeat(40);
        assert_eq!(
            first_free(&long, |name| name == long),
            format!("{}-2", "a".repeat(38))
        );
    }

    proptest! {
        #[test]
        fn what_is_made_to_fit_is_valid(text in ".*", count in 0_usize..12) {
            let base = fit(&text);
            prop_assert!(is_valid(&base));
            let mut taken = Vec::new();
            for _ in 0..count {
                let name = first_free(&base, |name| taken.iter().any(|other| other == name));
                prop_assert!(is_valid(&name));
                taken.push(name);
            }
        }

        #[test]
        fn the_rule_is_the_contract_s(name in "[-a-z0-9A-Z_.]{0,43}") {
            let rule = regex_lite(&name);
            prop_assert_eq!(is_valid(&name), rule);
        }
    }

    /// `[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?`, written out.
    fn regex_lite(name: &str) -> bool {
        let end = |character: char| matches!(character, 'a'..='z' | '0'..='9');
        let characters: Vec<char> = name.chars().collect();
        match characters.as_slice() {
            [only] => end(*only),
            [first, middle @ .., last] => {
                end(*first)
                    && end(*last)
                    && middle.len() <= 38
                    && middle
                        .iter()
                        .all(|character| end(*character) || *character == '-')
            }
            [] => false,
        }
    }
}
