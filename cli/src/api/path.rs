//! A request's path, taken apart.

/// The words between the slashes, decoded. `None` for what no path of ours can be: empty words, `.` and `..`, escapes
/// that are none, control characters. A `/` that is written `%2F` is part of its word.
pub(super) fn words(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(word).collect()
}

fn word(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    let word = String::from_utf8(bytes).ok()?;
    let is_plain = !word.is_empty() && word != "." && word != ".." && !word.chars().any(char::is_control);
    is_plain.then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_decoded_once() {
        let joined = |path| words(path).map(|words| words.join("|"));
        for (path, expected) in [
            ("/api/a", Some("api|a")),
            ("/api/a%2Fb", Some("api|a/b")),
            ("/api/%2e%2e%2e", Some("api|...")),
            ("/api/%2541", Some("api|%41")),
            ("/api/%C3%A9", Some("api|é")),
            ("/api/", None),
            ("/api//a", None),
            ("/api/../a", None),
            ("/api/%2e%2E", None),
            ("/api/%00", None),
            ("/api/%", None),
            ("/api/%4", None),
            ("/api/%g0", None),
            ("/api/%FF", None),
            ("api", None),
            ("*", None),
            ("", None),
        ] {
            assert_eq!(joined(path).as_deref(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_trouble(path in "\\PC*") {
            for word in words(&path).into_iter().flatten() {
                prop_assert!(!word.is_empty() && word != "..");
            }
        }
    }
}
