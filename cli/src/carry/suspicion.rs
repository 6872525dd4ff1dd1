//! Files that look like secrets: by name, by where they lie, or by how they begin.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes at the beginning of a file that are looked at.
const BEGINNING: u64 = 1024;

/// Whole names.
const NAMES: [&str; 16] = [
    ".env",
    ".envrc",
    ".dev.vars",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "kubeconfig",
];
/// Beginnings of names.
const PREFIXES: [&str; 5] = [".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"];
/// Ends of names.
const SUFFIXES: [&str; 8] = [
    ".pem",
    ".key",
    ".p12",
    ".pfx",
    ".jks",
    ".keystore",
    ".kdbx",
    ".ovpn",
];
/// Ends of names that say the opposite.
const HARMLESS: [&str; 5] = [".pub", ".example", ".sample", ".template", ".dist"];
/// Directories whose files are secrets as a rule.
const DIRECTORIES: [&str; 7] = [".aws", ".ssh", ".gnupg", ".kube", ".docker", ".azure", "gcloud"];
/// What secrets begin with, or have near their beginning.
const MARKERS: [&str; 12] = [
    "PRIVATE KEY",
    "aws_secret_access_key",
    "_authToken",
    "ghp_",
    "gho_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-ant-",
    "sk_live_",
    "\"refresh_token\"",
];

/// Whole names of files that hold secrets and hardly anything else.
const NOTHING_ELSE: [&str; 8] = [
    ".env",
    ".dev.vars",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".dockercfg",
];
/// Ends of the names of such files.
const NOTHING_ELSE_SUFFIXES: [&str; 4] = [".p12", ".pfx", ".kdbx", ".jks"];

/// Whether a file holds secrets, judged by its name alone: one that may as well hold none, such as a certificate or the
/// settings of a package manager, does not count.
pub fn is_secret_file(path: &Path) -> bool {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy()) else {
        return false;
    };
    let is_named = NOTHING_ELSE.contains(&&*name)
        || PREFIXES.iter().any(|start| name.starts_with(start))
        || NOTHING_ELSE_SUFFIXES.iter().any(|end| name.ends_with(end));
    is_named && !HARMLESS.iter().any(|end| name.ends_with(end))
}

/// Why a file looks like a secret, judged by its path; `None` where it does not.
pub(super) fn of_path(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let is_harmless = HARMLESS.iter().any(|end| name.ends_with(end));
    let is_named = NAMES.contains(&&*name)
        || PREFIXES.iter().any(|start| name.starts_with(start))
        || SUFFIXES.iter().any(|end| name.ends_with(end));
    if is_named && !is_harmless {
        return Some("its name".to_owned());
    }
    let directory = path
        .parent()?
        .components()
        .rev()
        .map(|component| component.as_os_str().to_string_lossy().into_owned())
        .find(|name| DIRECTORIES.contains(&name.as_str()))?;
    (!is_harmless).then(|| format!("it lies in {directory}"))
}

/// Why a file looks like a secret, judged by its beginning.
///
/// # Errors
/// A file that cannot be read.
pub(super) fn of_content(file: &File) -> io::Result<Option<String>> {
    let mut beginning = Vec::new();
    file.take(BEGINNING).read_to_end(&mut beginning)?;
    let found = MARKERS.iter().find(|marker| {
        beginning
            .windows(marker.len())
            .any(|window| window == marker.as_bytes())
    });
    Ok(found.map(|marker| format!("`{marker}` in it")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_places_and_beginnings() {
        for path in [
            "/p/.env",
            "/p/.env.local",
            "/h/.ssh/id_ed25519",
            "/p/server.pem",
            "/h/.npmrc",
            "/h/.aws/config",
            "/h/.config/gcloud/x/y.db",
            "/x/credentials",
        ] {
            assert!(of_path(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/p/.env.example",
            "/h/.ssh/id_rsa.pub",
            "/p/environment",
            "/p/keys",
            "/",
            "/p/key.txt",
        ] {
            assert_eq!(of_path(Path::new(path)), None, "{path}");
        }
        for (path, alone) in [
            ("/p/.env.local", true),
            ("/p/.env.example", false),
            ("/h/.ssh/id_ed25519", true),
            ("/h/.ssh/known_hosts", false),
            ("/h/.npmrc", false),
            ("/p/ca.pem", false),
        ] {
            assert_eq!(is_secret_file(Path::new(path)), alone, "{path}");
        }
        let mut file = tempfile::tempfile().unwrap();
        let content = |text: &str, file: &mut File| {
            use std::io::{Seek, Write};
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.rewind().unwrap();
            of_content(file).unwrap()
        };
        assert!(content("-----BEGIN OPENSSH PRIVATE KEY-----", &mut file).is_some());
        assert_eq!(content("hello", &mut file), None);
        assert_eq!(content("", &mut file), None);
        assert_eq!(content(&format!("{}ghp_x", "x".repeat(1024)), &mut file), None);
    }
}
