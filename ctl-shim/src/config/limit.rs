//! Values of settings, as `create`'s flags and settings files have them. What is outside its limits is an error that
//! says so in words, before anything is touched.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::paths;
use crate::spec::{LONGEST_NAME, is_word};

/// Smallest memory limit that Docker takes, in bytes.
pub const LEAST_MEMORY: i64 = 6 * 1024 * 1024;
/// The supervisor alone needs this many processes and threads, with room for a shell.
const LEAST_PIDS: i64 = 16;
/// Most processes and threads that Linux can have.
const MOST_PIDS: i64 = 4_194_304;
/// Longest name of a volume, in bytes.
pub const LONGEST_VOLUME_NAME: usize = 64;
/// Numbers that a limit of processes and threads can have.
pub const PIDS: RangeInclusive<i64> = LEAST_PIDS..=MOST_PIDS;
/// Numbers of checkpoints that may lie upon each other: an engine takes some 120 layers, and images bring their own.
pub const DEPTH: RangeInclusive<i64> = 0..=50;
/// Numbers of ports.
pub const PORT: RangeInclusive<i64> = 1..=65535;
/// File systems that the kernel makes; with a volume in one of them no container starts, or the box has none.
const KERNELS: [&str; 3] = ["/proc", "/sys", "/dev"];
/// Numbers of CPUs.
pub const CPUS: RangeInclusive<f64> = 0.01..=8192.0;

/// A size: a number with `b`, `k`, `m`, `g` or `t` (powers of 1024, as docker has it), in bytes.
///
/// # Errors
/// Text for the person who wrote it.
pub fn size(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no size: write it like 512m or 4g");
    let lower = text.trim().to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").unwrap_or(&lower);
    let split = lower
        .find(|character: char| !character.is_ascii_digit() && character != '.')
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let factor: u64 = match unit {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        "t" | "tb" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let bytes = number * factor as f64;
    if !bytes.is_finite() || bytes >= i64::MAX as f64 {
        return Err(wrong());
    }
    Ok(bytes as i64)
}

/// A time span, as `10m` or `1h 30m`.
///
/// # Errors
/// Text for the person who wrote it.
pub fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no time span: write it like 30s or 10m"))
}

/// A memory limit: a [`size`] that Docker takes, in bytes.
///
/// # Errors
/// Text for the person who wrote it.
pub fn memory(text: &str) -> Result<i64, String> {
    let bytes = size(text)?;
    if bytes < LEAST_MEMORY {
        return Err("the least is 6m".to_owned());
    }
    Ok(bytes)
}

/// CPUs: a number with up to nine decimals, in billionths.
///
/// # Errors
/// Text for the person who wrote it.
pub fn cpus(text: &str) -> Result<i64, String> {
    let number: f64 = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is no number of CPUs: write it like 2 or 0.5"))?;
    if !CPUS.contains(&number) {
        return Err("a number of CPUs is 0.01 or more".to_owned());
    }
    Ok((number * 1e9).round() as i64)
}

/// Limit of processes and threads.
///
/// # Errors
/// Text for the person who wrote it.
pub fn pids(text: &str) -> Result<i64, String> {
    let number: i64 = text
        .trim()
        .parse()
        .map_err(|_| format!("`{text}` is no whole number"))?;
    if !PIDS.contains(&number) {
        return Err(format!("the limit is from {LEAST_PIDS} to {MOST_PIDS}"));
    }
    Ok(number)
}

/// Number of checkpoints that may lie upon each other; 0 flattens each.
///
/// # Errors
/// Text for the person who wrote it.
pub fn depth(text: &str) -> Result<i64, String> {
    match text.trim().parse() {
        Ok(number) if DEPTH.contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no number from 0 to {}", DEPTH.end())),
    }
}

/// A TCP port.
///
/// # Errors
/// Text for the person who wrote it.
pub fn port(text: &str) -> Result<i64, String> {
    match text.trim().parse() {
        Ok(number) if PORT.contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no port from 1 to {}", PORT.end())),
    }
}

/// A named volume and where it is mounted: `NAME:PATH`.
///
/// # Errors
/// Text for the person who wrote it.
pub fn volume(text: &str) -> Result<(String, String), String> {
    let (name, path) = text
        .split_once(':')
        .ok_or("write NAME:PATH, such as cache:/home/developer/.cache")?;
    volume_name(name)?;
    Ok((name.to_owned(), volume_path(path)?))
}

/// The name of a volume.
///
/// # Errors
/// Text for the person who wrote it.
pub fn volume_name(name: &str) -> Result<(), String> {
    if name.starts_with(['/', '.', '~']) || name.contains(['/', '\\']) {
        return Err(format!(
            "`{name}` is a path: a box gets no directory of the host; name a volume, such as cache"
        ));
    }
    let inner = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric())
        || !name.chars().all(inner)
        || name.len() > LONGEST_VOLUME_NAME
    {
        return Err(format!(
            "`{name}` is no volume name: use letters, digits, _, . and -"
        ));
    }
    Ok(())
}

/// Where a volume is mounted, without doubled or trailing slashes.
///
/// # Errors
/// Text for the person who wrote it.
pub fn volume_path(path: &str) -> Result<String, String> {
    let path =
        clean_path(path).ok_or_else(|| format!("`{path}` is not an absolute path without . and .."))?;
    if let Some(kernels) = KERNELS.iter().find(|own| is_in(&path, own)) {
        return Err(format!(
            "a volume at {path} would cover {kernels}, which the kernel fills"
        ));
    }
    match covered(&path) {
        Some(covered) => Err(format!("a volume at {path} would cover {covered}")),
        None => Ok(path),
    }
}

/// Whether a path is a directory or lies below it.
fn is_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path of the box's own that a mount at `path` would cover, if any.
pub fn covered(path: &str) -> Option<&'static str> {
    let inside = |outer: &str, inner: &str| outer == "/" || is_in(inner, outer);
    [paths::WORKSPACE, paths::STATE, paths::BINARY, paths::LOGS]
        .into_iter()
        .find(|own| inside(path, own))
        .or_else(|| inside(paths::STATE, path).then_some(paths::STATE))
}

/// An absolute path without doubled or trailing slashes.
fn clean_path(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains(|character: char| character == ':' || character.is_control()) {
        return None;
    }
    let mut clean = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part == "." || part == ".." {
            return None;
        }
        clean.push('/');
        clean.push_str(part);
    }
    Some(if clean.is_empty() { "/".to_owned() } else { clean })
}

/// An image or a checkpoint.
///
/// # Errors
/// Text for the person who wrote it.
pub fn reference(text: &str) -> Result<String, String> {
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err(format!("`{text}` is no name of an image"));
    }
    Ok(text.to_owned())
}

/// A word for an image, as clients of the HTTP API write it.
///
/// # Errors
/// Text for the person who wrote it.
pub fn template_name(name: &str) -> Result<(), String> {
    if !is_word(name) {
        return Err(format!(
            "`{name}` is no template's name: use letters, digits, _ and -"
        ));
    }
    Ok(())
}

/// A network: `none`, or the name of one on the engine.
///
/// # Errors
/// Text for the person who wrote it.
pub fn network(text: &str) -> Result<String, String> {
    if text == "host" || text.starts_with("container:") {
        return Err(format!(
            "`{text}` would give the box a network that is not its own"
        ));
    }
    let inner = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if text.is_empty() || !text.chars().all(inner) {
        return Err(format!("`{text}` is no network name"));
    }
    Ok(text.to_owned())
}

/// A capability, with or without `CAP_`.
///
/// # Errors
/// Text for the person who wrote it.
pub fn capability(text: &str) -> Result<String, String> {
    let name = text.to_ascii_uppercase();
    let name = name.strip_prefix("CAP_").unwrap_or(&name);
    if name.is_empty()
        || !name
            .chars()
            .all(|character| character.is_ascii_uppercase() || character == '_')
    {
        return Err(format!("`{text}` is no capability: write it like SYS_PTRACE"));
    }
    Ok(name.to_owned())
}

/// The name or id of a service spec or a setup script.
///
/// # Errors
/// Text for the person who wrote it.
pub fn attached(text: &str) -> Result<String, String> {
    if !is_word(text) || text.len() > LONGEST_NAME {
        return Err(format!(
            "`{text}` is no name: it has up to {LONGEST_NAME} letters, digits, _ and -"
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(memory("4g"), Ok(4 << 30));
        assert_eq!(memory("512M"), Ok(512 << 20));
        assert_eq!(memory("1.5GiB"), Ok(3 << 29));
        assert_eq!(memory("8388608"), Ok(8 << 20));
        for wrong in ["", "g", "-1g", "1x", "5m", "0", "nan", "inf", "1e40", "99999999t"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn counts() {
        assert_eq!(cpus("0.5"), Ok(500_000_000));
        assert_eq!(pids("100"), Ok(100));
        for wrong in ["0", "-1", "x", "nan", "inf"] {
            assert!(cpus(wrong).is_err(), "{wrong}");
        }
        assert_eq!((depth("0"), depth(" 50")), (Ok(0), Ok(50)));
        assert!(depth("51").is_err() && depth("-1").is_err() && depth("x").is_err());
        for wrong in ["0", "-1", "15", "1.5"] {
            assert!(pids(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn volumes_have_names_and_leave_the_box_s_own_paths_alone() {
        assert_eq!(volume("cache:/home//x/"), Ok(("cache".into(), "/home/x".into())));
        assert_eq!(
            volume("m:/workspace/node_modules"),
            Ok(("m".into(), "/workspace/node_modules".into()))
        );
        assert!(volume("d:/devices").is_ok());
        for wrong in [
            "/host:/x",
            "./x:/x",
            "a/b:/x",
            "x",
            "x:",
            "x:relative",
            "x:/a/../b",
            "x:/a:ro",
            "x:/",
            "x:/workspace",
            "x:/var",
            "x:/var/lib/agentbox/private",
            "x:/usr/local/bin",
            "x:/proc",
            "x:/proc/x",
            "x:/sys/",
            "x:/dev/shm",
        ] {
            assert!(volume(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_and_capabilities() {
        assert!(network("none").is_ok() && network("my_net").is_ok());
        assert!(network("host").is_err() && network("container:x").is_err() && network("").is_err());
        assert_eq!(capability("cap_sys_ptrace"), Ok("SYS_PTRACE".into()));
        assert!(capability("x y").is_err());
    }
}
