//! Options as systemd's tools take them: anywhere, short ones together, long ones shortened.

/// What follows an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A value.
    Value,
    /// A value that belongs to it by `=` or without a blank, or a number or `all` in the next word.
    Count,
    /// As [`Takes::Count`], and the next word may be a number with a sign, or an id: a boot.
    Boot,
}

impl Takes {
    /// Whether an option that needs no value has this word for one.
    fn has(self, word: &str) -> bool {
        let digits = match self {
            Self::Boot => word.strip_prefix(['-', '+']).unwrap_or(word),
            _ => word,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_id = word.len() == BOOT_ID && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        word == "all" || is_number || (self == Self::Boot && is_id)
    }
}

/// Digits of a boot's id.
const BOOT_ID: usize = 32;

/// An option.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) short: char,
    pub(super) long: &'static str,
    pub(super) takes: Takes,
}

/// An option; `-` is no short form.
pub(super) const fn flag(short: char, long: &'static str, takes: Takes) -> Flag {
    Flag { short, long, takes }
}

/// A command line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    options: Vec<(&'static str, String)>,
    /// What is no option.
    pub(super) names: Vec<String>,
}

impl Words {
    /// Takes a command line apart: what stands before its first mistake, and that mistake.
    pub(super) fn parse(words: &[String], flags: &[Flag]) -> (Self, Result<(), String>) {
        let mut parsed = Self::default();
        let result = parsed.take(words, flags);
        (parsed, result)
    }

    fn take(&mut self, words: &[String], flags: &[Flag]) -> Result<(), String> {
        let mut rest = words.iter().peekable();
        while let Some(word) = rest.next() {
            if word == "--" {
                self.names.extend(rest.cloned());
                break;
            }
            // The options of this word, the last with what is attached to it.
            let mut found: Vec<(Flag, Option<&str>)> = Vec::new();
            if let Some(long) = word.strip_prefix("--") {
                let (name, value) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value)),
                    None => (long, None),
                };
                let flag = find(flags, name)?;
                if value.is_some() && flag.takes == Takes::Nothing {
                    return Err(format!("option '--{}' takes no value", flag.long));
                }
                found.push((flag, value));
            } else if let Some(mut shorts) = word.strip_prefix('-').filter(|rest| !rest.is_empty()) {
                while let Some(short) = shorts.chars().next() {
                    shorts = &shorts[short.len_utf8()..];
                    let flag = flags
                        .iter()
                        .find(|flag| flag.short == short && short != '-')
                        .ok_or_else(|| format!("unknown option '-{short}'"))?;
                    if flag.takes == Takes::Nothing || shorts.is_empty() {
                        found.push((*flag, None));
                    } else {
                        found.push((*flag, Some(shorts)));
                        break;
                    }
                }
            } else {
                self.names.push(word.clone());
            }
            for (flag, attached) in found {
                let value = match (flag.takes, attached) {
                    (_, Some(value)) => value.to_owned(),
                    (Takes::Nothing, None) => String::new(),
                    (Takes::Value, None) => rest
                        .next()
                        .cloned()
                        .ok_or_else(|| format!("option '--{}' needs a value", flag.long))?,
                    (takes @ (Takes::Count | Takes::Boot), None) => {
                        rest.next_if(|word| takes.has(word)).cloned().unwrap_or_default()
                    }
                };
                self.options.push((flag.long, value));
            }
        }
        Ok(())
    }

    /// Whether an option was given.
    pub(super) fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(known, _)| *known == long)
    }

    /// All values of an option.
    pub(super) fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a str> {
        let of_it = self.options.iter().filter(move |(known, _)| *known == long);
        of_it.map(|(_, value)| value.as_str())
    }

    /// The value that counts of an option: the last.
    pub(super) fn last(&self, long: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(known, _)| *known == long)
            .map(|(_, value)| value.as_str())
    }
}

/// The long option of this name, or the only one that begins with it.
fn find(flags: &[Flag], name: &str) -> Result<Flag, String> {
    if let Some(flag) = flags.iter().find(|flag| flag.long == name) {
        return Ok(*flag);
    }
    let mut matching = flags.iter().filter(|flag| flag.long.starts_with(name));
    match (matching.next(), matching.next()) {
        (Some(flag), None) if !name.is_empty() => Ok(*flag),
        (Some(_), Some(_)) => Err(format!("option '--{name}' is ambiguous")),
        _ => Err(format!("unknown option '--{name}'")),
    }
}

/// A number of lines: `all` and what is not given have none.
///
/// # Errors
/// Neither a number nor `all`.
pub(super) fn count(text: &str, default: u64) -> Result<Option<u64>, String> {
    match text {
        "" => Ok(Some(default)),
        "all" => Ok(None),
        number => number
            .trim_start_matches('+')
            .parse()
            .map(Some)
            .map_err(|_| format!("Failed to parse lines '{number}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::Takes::{Boot, Count, Nothing, Value};
    use super::*;

    const FLAGS: &[Flag] = &[
        flag('q', "quiet", Nothing),
        flag('f', "follow", Nothing),
        flag('u', "unit", Value),
        flag('n', "lines", Count),
        flag('b', "boot", Boot),
        flag('-', "no-pager", Nothing),
        flag('-', "no-legend", Nothing),
    ];

    fn parse(line: &str) -> Result<Words, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let (words, result) = Words::parse(&words, FLAGS);
        result.map(|()| words)
    }

    #[test]
    fn options_stand_anywhere_and_together() {
        let words = parse("-fu web one --unit=api -n5 two --no-pag -udb --lines -- -x").unwrap();
        assert_eq!(words.names, ["one", "two", "-x"]);
        assert_eq!(words.all("unit").collect::<Vec<_>>(), ["web", "api", "db"]);
        assert!(words.has("follow") && words.has("no-pager") && !words.has("quiet"));
        assert_eq!(words.last("lines"), Some(""));
    }

    #[test]
    fn a_count_may_be_the_next_word() {
        assert_eq!(parse("-n 20 web").unwrap().last("lines"), Some("20"));
        assert_eq!(parse("--lines all web").unwrap().last("lines"), Some("all"));
        let words = parse("-n web").unwrap();
        assert_eq!(
            (words.last("lines"), words.names.as_slice()),
            (Some(""), &["web".to_owned()][..])
        );
        assert_eq!(count("", 10), Ok(Some(10)));
        assert_eq!(count("all", 10), Ok(None));
        assert!(count("five", 10).is_err());
    }

    #[test]
    fn a_boot_may_be_the_next_word() {
        let id = "0123456789abcdef0123456789abcdef";
        for boot in ["-1", "+1", "0", "all", id] {
            let words = parse(&format!("-b {boot} -q")).unwrap();
            assert_eq!(words.last("boot"), Some(boot));
            assert!(words.has("quiet") && words.names.is_empty(), "{boot}");
        }
        assert_eq!(parse("-b -q").unwrap().last("boot"), Some(""));
        assert_eq!(parse("-b web").unwrap().names, ["web"]);
        assert!(parse("-n -1").is_err());
    }

    #[test]
    fn what_stands_before_a_mistake_is_there() {
        let line = ["-q", "show", "web", "--bogus", "api"].map(str::to_owned);
        let (words, result) = Words::parse(&line, FLAGS);
        assert_eq!(words.names, ["show", "web"]);
        assert!(words.has("quiet") && result.is_err());
    }

    #[test]
    fn mistakes_are_named() {
        for (line, complaint) in [
            ("--bogus", "unknown option '--bogus'"),
            ("-qx", "unknown option '-x'"),
            ("--", ""),
            ("--no", "option '--no' is ambiguous"),
            ("--unit", "option '--unit' needs a value"),
            ("--quiet=yes", "option '--quiet' takes no value"),
        ] {
            assert_eq!(parse(line).err().unwrap_or_default(), complaint, "{line}");
        }
    }
}
