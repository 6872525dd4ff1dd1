//! Which files a box may have written, and which come from elsewhere.

/// Directories of programs, libraries and kernels, at the top and in `/usr`.
const OF_PROGRAMS: [&str; 13] = [
    "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "include", "games", "boot", "dev", "proc",
    "sys",
];
/// Other places that only packages, toolchains of published images and the supervisor write, as beginnings of paths.
const OF_THE_SYSTEM: [&str; 20] = [
    "usr/share/doc/",
    "usr/share/man/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/local/bin/agentbox-ctl",
    "usr/local/go/",
    "usr/local/include/",
    "usr/local/lib/python",
    "usr/local/lib/ruby/",
    "usr/local/cargo/registry/",
    "usr/local/rustup/toolchains/",
    "usr/local/share/man/",
    "nix/store/",
    "etc/ssl/certs/",
    "etc/ca-certificates",
    "var/lib/dpkg/",
    "var/lib/apt/",
    "var/cache/apt/",
    "var/cache/debconf/",
    "var/cache/ldconfig/",
];
/// What is fetched, wherever it lies: packages, and git's objects, which are compressed.
const PASSED_OVER: [&str; 13] = [
    "node_modules",
    "site-packages",
    "dist-packages",
    ".git/objects",
    ".cargo/registry",
    ".cargo/git",
    ".rustup/toolchains",
    "go/pkg/mod",
    ".npm/_cacache",
    ".local/share/pnpm/store",
    ".pnpm-store",
    ".m2/repository",
    ".gradle/caches",
];

/// Whether a file is one that a box may have written. The path has no slash at its beginning.
pub(super) fn is_looked_at(path: &str) -> bool {
    let in_usr = path.strip_prefix("usr/").unwrap_or(path);
    !OF_PROGRAMS.iter().any(|directory| lies_in(in_usr, directory))
        && !OF_THE_SYSTEM.iter().any(|start| path.starts_with(start))
        && !PASSED_OVER.iter().any(|name| is_below(path, name))
}

/// Whether a file is a list of what a package of Debian's brought.
pub(super) fn is_package_list(path: &[u8]) -> bool {
    path.starts_with(b"var/lib/dpkg/info/") && path.ends_with(b".list")
}

/// Whether what a package brought to this place is still the package's: its settings are its user's.
pub(super) fn stays_a_package_s(path: &str) -> bool {
    !lies_in(path.trim_start_matches('/'), "etc")
}

fn lies_in(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path has these components before its last one.
fn is_below(path: &str, components: &str) -> bool {
    path.match_indices(components).any(|(at, _)| {
        (at == 0 || path.as_bytes()[at - 1] == b'/') && path[at + components.len()..].starts_with('/')
    })
}

/// What is not looked at, for people.
pub(in crate::checkpoint) fn passed_over() -> String {
    format!("{}, and what the system brings", PASSED_OVER.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_but_those_of_packages() {
        for looked_at in [
            "workspace/x",
            "app/config.json",
            "data/x",
            "mnt/x",
            "tmp/x",
            "run/x",
            "x",
            "library/x",
            "usr/share/nginx/html/x",
            "usr/src/app/.env",
            "usr/local/etc/x",
            "usr/local/bin/x",
            "usr/local/share/x",
            "home/me/lib/x",
            "etc/ssl/private/x",
            "var/cache/app/x",
            "workspace/my_node_modules/x",
            "workspace/node_modules",
        ] {
            assert!(is_looked_at(looked_at), "{looked_at}");
        }
        for passed_over in [
            "bin/x",
            "usr/bin/x",
            "lib/modules/x",
            "usr/lib64/x",
            "usr/share/doc/x",
            "workspace/node_modules/x/y",
            "workspace/a/.git/objects/ab/cd",
            "home/me/.local/share/pnpm/store/v3/files/00/x",
            "usr/local/lib/python3.12/urllib/request.py",
            "usr/local/bin/agentbox-ctl",
            "etc/ssl/certs/x.pem",
            "var/lib/dpkg/info/x",
        ] {
            assert!(!is_looked_at(passed_over), "{passed_over}");
        }
    }

    #[test]
    fn what_a_package_lists() {
        assert!(is_package_list(b"var/lib/dpkg/info/perl:amd64.list"));
        assert!(!is_package_list(b"var/lib/dpkg/status"));
        assert!(stays_a_package_s("/usr/share/x") && !stays_a_package_s("/etc/x"));
    }
}
