//! The supervisor that this `agentbox` carries: a static Linux binary, put into every box.

/// Content of `agentbox-ctl`.
pub const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/agentbox-ctl"));

/// Its version, which is this program's own.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Its architecture in Go's words, as the engine gives that of an image.
pub const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

/// Whether version `other` is older than this one, by its first three numbers. A text that is no version is older.
pub fn is_newer_than(other: &str) -> bool {
    numbers(VERSION) > numbers(other)
}

fn numbers(version: &str) -> Option<[u64; 3]> {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(numbers("0.10.0") > numbers("0.9.9"));
        assert!(numbers("1.0.0-rc1") == numbers("1.0.0"));
        assert!(is_newer_than("nonsense") && !is_newer_than(VERSION) && !is_newer_than("999.0.0"));
    }
}
