//! What a secret looks like: the kinds that have a form of their own.

use std::sync::OnceLock;

use regex::bytes::Regex;

/// Each is a group of one expression, over bytes and in ASCII.
const KINDS: [(&str, &str); 14] = [
    // Of a key that is armoured, the beginning of its content, after headers and empty lines: who only speaks of such
    // keys, or looks for them, has the first line alone.
    (
        "private key",
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:(?:[ \t]|\r?\n|\\r|\\n)+(?:[A-Z][A-Za-z-]*:[^\r\n\\]*)?)+[A-Za-z0-9+/]{16}|\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b|\bPuTTY-User-Key-File-[0-9]: ",
    ),
    ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    (
        "AWS secret key",
        r#"(?i:aws_secret_access_key|awssecretaccesskey|secretaccesskey)["']?[ \t]*[=:][ \t]*["']?[A-Za-z0-9+/]{40}\b"#,
    ),
    (
        "GitHub token",
        r"\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_[A-Za-z0-9_]{60}",
    ),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20}"),
    (
        "npm token",
        r"\bnpm_[A-Za-z0-9]{36}\b|_authToken[ \t]*=[ \t]*[^\s$]{8}",
    ),
    ("PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{20}"),
    (
        "Slack token",
        r"\bxox[abeprs]-[A-Za-z0-9-]{10}|\bhooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16}",
    ),
    (
        "Google key",
        r"\bAIza[A-Za-z0-9_-]{35}|\bGOCSPX-[A-Za-z0-9_-]{28}",
    ),
    (
        "API key",
        r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20}|\b[sr]k_live_[A-Za-z0-9]{16}|\bhf_[A-Za-z0-9]{34}\b|\bdo[opr]_v1_[a-f0-9]{64}\b|\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    ),
    (
        "JSON web token",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10}",
    ),
    (
        "refresh token",
        r#""refresh_?[Tt]oken"[ \t]*:[ \t]*"[A-Za-z0-9/_.+=-]{16}"#,
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

/// Where something in a text looks like a secret, and what it looks like.
pub(super) fn places(text: &[u8]) -> impl Iterator<Item = (usize, &'static str)> {
    expression().captures_iter(text).filter_map(|captures| {
        KINDS
            .iter()
            .enumerate()
            .find_map(|(index, (kind, _))| captures.get(index + 1).map(|found| (found.start(), *kind)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<&'static str> {
        places(text.as_bytes()).map(|(_, kind)| kind).collect()
    }

    #[test]
    fn each_kind_by_its_form() {
        let many = "a".repeat(64);
        for (content, kind) in [
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
                "private key",
            ),
            (
                "\"-----BEGIN RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEAxyz1",
                "private key",
            ),
            (
                "KEY: |\r\n  -----BEGIN PRIVATE KEY-----\r\n  MIIEpAIBAAKCAQEAxyz1",
                "private key",
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,5E2C\n\nMIIEpAIBAAKCAQEAxyz1",
                "private key",
            ),
            (
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQOYBGVx0xkBCADHb2",
                "private key",
            ),
            (
                "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v1\nComment: https://x.org/a?b\n\nlQOYBGVx0xkBCADHb2",
                "private key",
            ),
            (
                "KEY='-----BEGIN PRIVATE KEY----- MIIEpAIBAAKCAQEAxyz1",
                "private key",
            ),
            (&format!("AGE-SECRET-KEY-1{}", "Q".repeat(58)), "private key"),
            ("PuTTY-User-Key-File-3: ssh-ed25519", "private key"),
            ("k=AKIAIOSFODNN7EXAMPLE", "AWS access key"),
            (
                &format!("aws_secret_access_key = {}", &many[..40]),
                "AWS secret key",
            ),
            (
                &format!("\"SecretAccessKey\": \"{}\"", &many[..40]),
                "AWS secret key",
            ),
            (&format!("ghp_{many}"), "GitHub token"),
            (&format!("github_pat_{many}"), "GitHub token"),
            (&format!("'glpat-{many}'"), "GitLab token"),
            (&format!("//registry.npmjs.org/:_authToken={many}"), "npm token"),
            (&format!("password = pypi-AgEIcHlwaS5vcmc{many}"), "PyPI token"),
            ("xoxb-1234567890-abc", "Slack token"),
            (
                "https://hooks.slack.com/services/T0ABCDEF1/B0ABCDEF1/abcdefghijklmnopqrstuvwx",
                "Slack token",
            ),
            (&format!("AIza{many}"), "Google key"),
            (&format!("sk-ant-{many}"), "API key"),
            (&format!("hf_{}", &many[..34]), "API key"),
            (&format!("dop_v1_{many}"), "API key"),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3.dBjftJeZ4CVP",
                "JSON web token",
            ),
            ("{\"refresh_token\": \"1//0abcdefghijklmnop\"}", "refresh token"),
            ("git clone https://me:s3cret@example.org/x", "password in a URL"),
            (
                "{\"auths\":{\"x\":{\"auth\": \"bWU6c2VjcmV0\"}}}",
                "registry login",
            ),
        ] {
            assert_eq!(kinds(content), [kind], "{content}");
        }
    }

    #[test]
    fn what_only_speaks_of_them_is_none() {
        for harmless in [
            "-----BEGIN CERTIFICATE-----\nMIIEpAIBAAKCAQEAxyz1",
            "-----BEGIN PUBLIC KEY-----\nMIIEpAIBAAKCAQEAxyz1",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBGVx0xkBCADHb2",
            "if text.contains(\"-----BEGIN PRIVATE KEY-----\")",
            "r\"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?:\\r?\\n|\\\\n)[A-Za-z0-9+/=]{16}\"",
            "A key starts with\n\n    -----BEGIN PGP PRIVATE KEY BLOCK-----\n    Version: GnuPG v1\n\n    ...",
            "-----BEGIN PRIVATE KEY-----\nand the content, base64, follows on lines of its own.",
            "-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n",
            "\"-----BEGIN PRIVATE KEY-----\\n\" + body + \"\\n-----END",
            "-----BEGIN PRIVATE KEY-----\\nMIIEvQ...\\n",
            "https://example.org:8080/@scope/x",
            "postgres://$USER:$PASSWORD@host/db",
            "_authToken=${NPM_TOKEN}",
            "aws_secret_access_key = os.environ['AWS_SECRET_ACCESS_KEY']",
            "{\"refresh_token\": \"string\"}",
            "task-list sk-learn risk-averse-people-who-wait",
        ] {
            assert_eq!(kinds(harmless), [""; 0], "{harmless}");
        }
    }
}
