//! Signal names, as Linux numbers them on x86-64 and arm64. A box is Linux whatever the host is.

const NAMES: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// First and last real-time signal.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// The number of a signal: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3` or `RTMAX-1`.
pub fn signal_number(text: &str) -> Option<i32> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = text.parse().ok().filter(|_| !text.starts_with('0'))?;
        return ((1..=31).contains(&number) || REAL_TIME.contains(&number)).then_some(number);
    }
    let name = text.strip_prefix("SIG").unwrap_or(text);
    if let Some(&(_, number)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(number);
    }
    let offset = |rest: &str, sign: char| {
        if rest.is_empty() {
            return Some(0);
        }
        let digits = rest.strip_prefix(sign)?;
        digits
            .parse::<u8>()
            .ok()
            .filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .map(i32::from)
    };
    let number = if let Some(rest) = name.strip_prefix("RTMIN") {
        REAL_TIME.start() + offset(rest, '+')?
    } else {
        REAL_TIME.end() - offset(name.strip_prefix("RTMAX")?, '-')?
    };
    REAL_TIME.contains(&number).then_some(number)
}

/// What a signal is called: `SIGTERM`, or its number where it has no name of its own.
pub(super) fn signal_name(number: i32) -> String {
    let named = NAMES.iter().find(|(_, known)| *known == number);
    named.map_or_else(|| number.to_string(), |(name, _)| ["SIG", name].concat())
}

/// Names of the signals below the real-time ones, without `SIG`.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|&(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("SIGTERM", 15),
            ("TERM", 15),
            ("15", 15),
            ("SIGKILL", 9),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("RTMIN", 34),
            ("64", 64),
        ] {
            assert_eq!(signal_number(text), Some(number), "{text}");
        }
        for text in [
            "",
            "SIG",
            "sigterm",
            "Term",
            "0",
            "32",
            "65",
            "015",
            "-15",
            "SIGRTMIN+31",
            "RTMIN-1",
            "RTMAX+1",
            "RTMIN+",
            "RTMIN++1",
            "SIGSIGTERM",
        ] {
            assert_eq!(signal_number(text), None, "{text}");
        }
    }
}
