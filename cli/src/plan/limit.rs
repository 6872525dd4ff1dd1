//! Values of `create`'s flags. What is outside its limits is a usage error, said before anything is touched.

use agentbox_ctl::paths;

/// Smallest memory limit that Docker takes, in bytes.
const LEAST_MEMORY: u64 = 6 * 1024 * 1024;
/// The supervisor alone needs this many processes and threads, with room for a shell.
const LEAST_PIDS: i64 = 16;
/// Limit of processes and threads where none is given.
pub const DEFAULT_PIDS: i64 = 4096;

/// Memory: a number with `b`, `k`, `m`, `g` or `t` (powers of 1024, as docker has it), in bytes.
///
/// # Errors
/// Text for the person who wrote it.
pub fn memory(text: &str) -> Result<i64, String> {
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
    if bytes < LEAST_MEMORY as f64 {
        return Err("the least is 6m".to_owned());
    }
    Ok(bytes as i64)
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
    if !(0.01..=8192.0).contains(&number) {
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
    if !(LEAST_PIDS..=4_194_304).contains(&number) {
        return Err(format!("the limit is from {LEAST_PIDS} to 4194304"));
    }
    Ok(number)
}

/// A named volume and where it is mounted.
///
/// # Errors
/// Text for the person who wrote it.
pub fn volume(text: &str) -> Result<(String, String), String> {
    let (name, path) = text
        .split_once(':')
        .ok_or("write NAME:PATH, such as cache:/home/developer/.cache")?;
    if name.starts_with(['/', '.', '~']) || name.contains(['/', '\\']) {
        return Err(format!(
            "`{name}` is a path: a box gets no directory of the host; name a volume, such as cache:{path}"
        ));
    }
    let inner = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if !name.starts_with(|first: char| first.is_ascii_alphanumeric())
        || !name.chars().all(inner)
        || name.len() > 64
    {
        return Err(format!(
            "`{name}` is no volume name: use letters, digits, _, . and -"
        ));
    }
    let path =
        clean_path(path).ok_or_else(|| format!("`{path}` is not an absolute path without . and .."))?;
    if let Some(covered) = covered(&path) {
        return Err(format!("a volume at {path} would cover {covered}"));
    }
    Ok((name.to_owned(), path))
}

/// The path of the box's own that a mount at `path` would cover, if any.
pub fn covered(path: &str) -> Option<&'static str> {
    let inside = |outer: &str, inner: &str| {
        inner == outer
            || outer == "/"
            || inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.starts_with('/'))
    };
    [paths::WORKSPACE, paths::STATE, paths::BINARY, paths::LOGS]
        .into_iter()
        .find(|own| inside(path, own))
        .or_else(|| inside(paths::STATE, path).then_some(paths::STATE))
}

/// An absolute path without doubled or trailing slashes.
fn clean_path(path: &str) -> Option<String> {
    if !path.starts_with('/') || path.contains(':') {
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

/// `KEY=VALUE`, or `KEY` to take its value from here.
///
/// # Errors
/// Text for the person who wrote it.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, value.to_owned()),
        None => (
            text,
            std::env::var(text).map_err(|_| format!("{text} has no value here: write {text}=VALUE"))?,
        ),
    };
    if key.is_empty() || key.contains(char::is_whitespace) || key.contains('\0') || value.contains('\0') {
        return Err(format!("`{text}` is not KEY=VALUE"));
    }
    Ok((key.to_owned(), value))
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
        ] {
            assert!(volume(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn networks_capabilities_variables() {
        assert!(network("none").is_ok() && network("my_net").is_ok());
        assert!(network("host").is_err() && network("container:x").is_err() && network("").is_err());
        assert_eq!(capability("cap_sys_ptrace"), Ok("SYS_PTRACE".into()));
        assert!(capability("x y").is_err());
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("=x").is_err() && variable("A B=x").is_err());
        assert!(variable("SURELY_NOT_SET_ANYWHERE").is_err());
    }
}
