//! The host's time zone and language, for boxes.

use std::env;
use std::fs;
use std::path::Path;

/// The time zone's IANA name, such as `Europe/Zurich`.
pub fn timezone() -> Option<String> {
    let from_variable = env::var("TZ")
        .ok()
        .map(|zone| zone.trim_start_matches(':').to_owned())
        .filter(|zone| is_zone(zone));
    from_variable
        .or_else(|| {
            let link = fs::read_link("/etc/localtime").ok()?;
            zone_of_path(&link)
        })
        .or_else(|| {
            let text = fs::read_to_string("/etc/timezone").ok()?;
            Some(text.trim().to_owned()).filter(|zone| is_zone(zone))
        })
}

/// The locale, such as `de_CH.UTF-8`; none where it is not a UTF-8 one.
pub fn lang() -> Option<String> {
    ["LC_ALL", "LANG"]
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .filter(|value| {
            let lower = value.to_ascii_lowercase();
            lower.ends_with("utf-8") || lower.ends_with("utf8")
        })
}

fn zone_of_path(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    let zone = text.split_once("zoneinfo/")?.1;
    is_zone(zone).then(|| zone.to_owned())
}

/// A name, not a rule such as `CET-1CEST` or a path.
fn is_zone(zone: &str) -> bool {
    let inner = |character: char| character.is_ascii_alphanumeric() || "_+-/".contains(character);
    !zone.is_empty() && !zone.starts_with('/') && !zone.contains("..") && zone.chars().all(inner) && {
        zone.contains('/') || zone.chars().all(|character| character.is_ascii_alphabetic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_names() {
        assert_eq!(
            zone_of_path(Path::new("/usr/share/zoneinfo/Europe/Zurich")),
            Some("Europe/Zurich".into())
        );
        assert!(is_zone("UTC") && is_zone("Etc/GMT+1"));
        assert!(!is_zone("CET-1CEST") && !is_zone("/etc/x") && !is_zone("../x") && !is_zone(""));
    }
}
