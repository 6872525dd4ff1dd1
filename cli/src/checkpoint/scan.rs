//! Secrets in a stream of files: by their names, and by what is in them.
//!
//! A finding has the place and the kind, never the secret. What is looked for has a form of its own; a password that
//! looks like any word is not found.

use std::sync::OnceLock;

use regex::bytes::Regex;
use serde::Serialize;

use crate::carry::is_secret_file;

/// Bytes at the end of a piece that are looked at again with the next one: a match may go on there.
const OVERLAP: usize = 1024;
/// Most findings that are kept; the rest is counted.
const MOST_FINDINGS: usize = 1000;

/// Where a box writes.
const LOOKED_AT: [&str; 8] = [
    "workspace/",
    "home/",
    "root/",
    "etc/",
    "opt/",
    "srv/",
    "var/",
    "usr/local/",
];
/// What comes from elsewhere, wherever it lies: packages, and git's objects, which are compressed.
const PASSED_OVER: [&str; 9] = [
    "node_modules",
    "site-packages",
    "dist-packages",
    ".git/objects",
    ".cargo/registry",
    ".cargo/git",
    ".rustup/toolchains",
    "go/pkg/mod",
    ".npm/_cacache",
];
/// What the base system brings, and the supervisor.
const OF_THE_SYSTEM: [&str; 6] = [
    "etc/ssl/certs/",
    "etc/ca-certificates",
    "var/lib/dpkg/",
    "var/lib/apt/",
    "var/cache/",
    "usr/local/bin/agentbox-ctl",
];

/// What has a form of its own. Each is a group of one expression.
const KINDS: [(&str, &str); 11] = [
    (
        "private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|\\n)[A-Za-z0-9+/=:, \\-]{8}",
    ),
    ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    (
        "GitHub token",
        r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{60}",
    ),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20}"),
    (
        "npm token",
        r"\bnpm_[A-Za-z0-9]{36}\b|_authToken[ \t]*=[ \t]*[^\s$]{8}",
    ),
    ("Slack token", r"\bxox[abeprs]-[A-Za-z0-9-]{10}"),
    ("Google key", r"\bAIza[A-Za-z0-9_-]{35}"),
    (
        "API key",
        r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20}|\b[sr]k_live_[A-Za-z0-9]{16}",
    ),
    (
        "JSON web token",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10}",
    ),
    (
        "password in a URL",
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'<>$%{}()]{1,64}:[^\s/:@"'<>$%{}()*]{3,128}@[A-Za-z0-9\[]"#,
    ),
    (
        "registry login",
        r#""auth"[ \t]*:[ \t]*"[A-Za-z0-9+/]{8}|(?:client-key-data|identitytoken)"?[ \t]*:[ \t]*"?[A-Za-z0-9+/]{8}"#,
    ),
];

/// A place where something looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// The file, as an absolute path.
    pub path: String,
    /// Its line, from 1; `None` where the whole file is meant, or has no lines.
    pub line: Option<u64>,
    /// What it looks like.
    pub kind: &'static str,
}

/// Looks through files, one after the other.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    /// What was found.
    findings: Vec<Finding>,
    /// How many more were.
    more: usize,
    file: Option<File>,
}

/// The file that is looked through.
#[derive(Debug)]
struct File {
    path: String,
    /// What is yet to be looked at.
    rest: Vec<u8>,
    /// Lines before `rest`.
    lines: u64,
    /// It has bytes that no text has.
    is_binary: bool,
    /// Kinds that it was found to have.
    found: Vec<&'static str>,
}

impl Scanner {
    /// A file begins, and so the one before ends. `path` has no slash at its beginning.
    pub(super) fn begin(&mut self, path: &[u8], size: u64) {
        self.end();
        let path = String::from_utf8_lossy(path);
        if size == 0 || !is_looked_at(&path) {
            return;
        }
        let file = File {
            path: format!("/{path}"),
            rest: Vec::new(),
            lines: 0,
            is_binary: false,
            found: Vec::new(),
        };
        if is_secret_file(std::path::Path::new(&file.path)) {
            self.add(Finding {
                path: file.path.clone(),
                line: None,
                kind: "file of secrets, by its name",
            });
        }
        self.file = Some(file);
    }

    /// More of the file.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let Some(mut file) = self.file.take() else {
            return;
        };
        file.is_binary |= bytes.contains(&0);
        file.rest.extend_from_slice(bytes);
        let most = file.rest.len().saturating_sub(OVERLAP);
        // Lines stay whole where they are of a length that a person writes.
        let cut = file.rest[..most]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(most, |at| at + 1);
        self.look(&mut file, cut);
        file.lines += file.rest[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
        file.rest.drain(..cut);
        self.file = Some(file);
    }

    /// Ends the last file. Gives what was found, and how many more there were.
    pub(super) fn finish(mut self) -> (Vec<Finding>, usize) {
        self.end();
        self.findings.sort();
        (self.findings, self.more)
    }

    fn end(&mut self) {
        if let Some(mut file) = self.file.take() {
            let all = file.rest.len();
            self.look(&mut file, all);
        }
    }

    /// Looks for what begins before `cut`.
    fn look(&mut self, file: &mut File, cut: usize) {
        for captures in expression().captures_iter(&file.rest) {
            let Some((at, kind)) = KINDS
                .iter()
                .enumerate()
                .find_map(|(index, (kind, _))| captures.get(index + 1).map(|found| (found.start(), *kind)))
            else {
                continue;
            };
            if at >= cut || file.found.contains(&kind) {
                continue;
            }
            file.found.push(kind);
            let above = file.rest[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.add(Finding {
                path: file.path.clone(),
                line: (!file.is_binary).then_some(file.lines + above + 1),
                kind,
            });
        }
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }
}

/// Whether a file is one that a box may have written.
fn is_looked_at(path: &str) -> bool {
    LOOKED_AT.iter().any(|directory| path.starts_with(directory))
        && !OF_THE_SYSTEM.iter().any(|directory| path.starts_with(directory))
        && !PASSED_OVER.iter().any(|name| is_below(path, name))
}

/// Whether a path has these components before its last one.
fn is_below(path: &str, components: &str) -> bool {
    path.match_indices(components).any(|(at, _)| {
        (at == 0 || path.as_bytes()[at - 1] == b'/') && path[at + components.len()..].starts_with('/')
    })
}

fn expression() -> &'static Regex {
    static EXPRESSION: OnceLock<Regex> = OnceLock::new();
    EXPRESSION.get_or_init(|| {
        let groups: Vec<String> = KINDS.iter().map(|(_, pattern)| format!("({pattern})")).collect();
        Regex::new(&format!("(?-u){}", groups.join("|")))
            .expect("the expressions are right, a test reads them")
    })
}

/// What is not looked at, for people.
pub(super) fn passed_over() -> String {
    format!("{}, and what the system brings", PASSED_OVER.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(path: &str, content: &str, piece: usize) -> Vec<String> {
        let mut scanner = Scanner::default();
        scanner.begin(path.as_bytes(), content.len() as u64);
        for piece in content.as_bytes().chunks(piece) {
            scanner.feed(piece);
        }
        let (findings, _) = scanner.finish();
        findings
            .iter()
            .map(|found| format!("{}:{} {}", found.path, found.line.unwrap_or_default(), found.kind))
            .collect()
    }

    #[test]
    fn each_kind_by_its_form() {
        let forty = "a".repeat(40);
        for (content, kind) in [
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk",
                "private key",
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKC", "private key"),
            ("k=AKIAIOSFODNN7EXAMPLE", "AWS access key"),
            (&format!("ghp_{forty}"), "GitHub token"),
            (&format!("github_pat_{forty}{forty}"), "GitHub token"),
            (&format!("'glpat-{forty}'"), "GitLab token"),
            (&format!("//registry.npmjs.org/:_authToken={forty}"), "npm token"),
            ("xoxb-1234567890-abc", "Slack token"),
            (&format!("AIza{forty}"), "Google key"),
            (&format!("sk-ant-{forty}"), "API key"),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.dBjftJeZ4CVP",
                "JSON web token",
            ),
            ("git clone https://me:s3cret@example.org/x", "password in a URL"),
            (
                "{\"auths\":{\"x\":{\"auth\": \"bWU6c2VjcmV0\"}}}",
                "registry login",
            ),
        ] {
            assert_eq!(
                found("workspace/x", &format!("one\n{content}\n"), 4096),
                [format!("/workspace/x:2 {kind}")],
                "{content}"
            );
        }
        for harmless in [
            "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEA",
            "if text.contains(\"-----BEGIN PRIVATE KEY-----\")",
            "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEA",
            "https://example.org:8080/@scope/x",
            "postgres://$USER:$PASSWORD@host/db",
            "_authToken=${NPM_TOKEN}",
            "task-list sk-learn risk-averse-people-who-wait",
        ] {
            assert_eq!(found("workspace/x", harmless, 4096), [""; 0], "{harmless}");
        }
    }

    #[test]
    fn files_by_their_names_and_places() {
        assert_eq!(
            found("workspace/.env.local", "A=b", 9),
            ["/workspace/.env.local:0 file of secrets, by its name"]
        );
        assert_eq!(found("workspace/.env.example", "A=b", 9), [""; 0]);
        assert_eq!(found("workspace/.env", "", 9), [""; 0]);
        let key = "AKIAIOSFODNN7EXAMPLE";
        for passed_over in [
            "usr/share/doc/x",
            "workspace/node_modules/x/y",
            "workspace/a/.git/objects/ab/cd",
            "etc/ssl/certs/x.pem",
            "var/lib/dpkg/info/x",
        ] {
            assert_eq!(found(passed_over, key, 9), [""; 0], "{passed_over}");
        }
        assert_eq!(found("workspace/my_node_modules/x", key, 9).len(), 1);
        // Not a text: no line to go to.
        assert_eq!(
            found("var/x.db", &format!("\0\n{key}\n"), 4096),
            ["/var/x.db:0 AWS access key"]
        );
    }

    proptest! {
        #[test]
        fn it_is_found_wherever_the_pieces_end(before in 0_usize..5000, lines in 0_usize..40, piece in 1_usize..3000) {
            let content = format!("{}{} AKIAIOSFODNN7EXAMPLE {}", "\n".repeat(lines), "x".repeat(before), "y".repeat(3000));
            prop_assert_eq!(
                found("workspace/x", &content, piece),
                [format!("/workspace/x:{} AWS access key", lines + 1)]
            );
        }
    }
}
