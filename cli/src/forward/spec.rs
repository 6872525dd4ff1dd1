//! `[LOCAL:]PORT` on a command line.

use agentbox_ctl::failure::Failure;

/// A port here and one in the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Here; 0 is any that is free.
    pub local: u16,
    /// In the box.
    pub port: u16,
}

/// Reads a word.
pub(super) fn parse(word: &str) -> Option<Spec> {
    let (local, port) = word.split_once(':').map_or((word, word), |pair| pair);
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let spec = Spec {
        local: number(local)?,
        port: number(port)?,
    };
    (spec.port > 0).then_some(spec)
}

/// The box and the ports that `[BOX] [LOCAL:]PORT…` mean: a first word that is a port is no box.
///
/// # Errors
/// A word that is no port, no port at all, a port here that is wanted twice (2).
pub fn split(words: &[String]) -> Result<(Option<&str>, Vec<Spec>), Failure> {
    let (name, words) = match words.split_first() {
        Some((first, rest)) if parse(first).is_none() && !first.contains(':') => (Some(first.as_str()), rest),
        _ => (None, words),
    };
    if words.is_empty() {
        return Err(Failure::usage("no port is named").hint("agentbox forward BOX 3000; agentbox ports BOX"));
    }
    let mut specs: Vec<Spec> = Vec::new();
    for word in words {
        let spec = parse(word).ok_or_else(|| {
            Failure::usage(format!("`{word}` is no port")).hint("PORT or LOCAL:PORT, as in 8080:3000")
        })?;
        if spec.local != 0 && specs.iter().any(|other| other.local == spec.local) {
            return Err(Failure::usage(format!("port {} here is named twice", spec.local))
                .hint(format!("0:{} takes any free one", spec.port)));
        }
        specs.push(spec);
    }
    Ok((name, specs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_first_word_that_is_a_port_is_no_box() {
        let spec = |local, port| Spec { local, port };
        assert_eq!(
            split(&words(&["b", "3000", "0:5432"])).unwrap(),
            (Some("b"), vec![spec(3000, 3000), spec(0, 5432)])
        );
        assert_eq!(split(&words(&["8080:80"])).unwrap(), (None, vec![spec(8080, 80)]));
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for bad in [
            &["b"][..],
            &["b", "web"],
            &["b", "0"],
            &["b", "70000"],
            &["8080:x"],
            &["b", "1:2:3"],
            &["b", "+80"],
            &["80", "80"],
        ] {
            assert_eq!(split(&words(bad)).unwrap_err().kind.exit_code(), 2, "{bad:?}");
        }
    }
}
