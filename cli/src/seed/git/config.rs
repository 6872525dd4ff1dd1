//! What of a repository's configuration goes into a box: who commits, how lines end, and where its remotes are, without
//! anything that opens them. Everything else stays: hooks, credentials, rewritten URLs, paths of this machine.

use std::fmt::Write as _;

use agentbox_ctl::failure::Failure;

use crate::host_git::HostGit;

/// Keys that are taken as they stand. Those of `core` decide what `git status` shows.
const TAKEN: [&str; 8] = [
    "user.name",
    "user.email",
    "core.autocrlf",
    "core.eol",
    "core.safecrlf",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
];
/// Which keys git is asked for; names of sections and keys come in lower case.
const ASKED: &str = r"^(user\.(name|email)|core\.(autocrlf|eol|safecrlf|filemode|symlinks|ignorecase)|remote\..*\.url|submodule\..*\.url|filter\..*\.(clean|smudge|process))$";

/// The box's files have the times and sizes of the files here, and nothing else that the index remembers of them; so git
/// there needs not read them all again before it knows that they are the same.
const SAME_TIMES: &str = "\tcheckStat = minimal\n\ttrustctime = false\n";

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settings {
    /// Keys and values that go into the box.
    pub(super) values: Vec<(String, String)>,
    /// Names of remotes and where they are, cleaned.
    pub(super) remotes: Vec<(String, String)>,
    /// Names of the submodules in use and where they come from, cleaned; `None` is a place on this machine.
    pub(super) submodules: Vec<(String, Option<String>)>,
    /// Names of filter drivers, such as `lfs`.
    pub(super) filters: Vec<String>,
}

/// Reads the configuration of a repository as git sees it, the user's own included.
///
/// # Errors
/// A configuration that git cannot read.
pub(super) fn read(git: &HostGit) -> Result<Settings, Failure> {
    let found = git.lookup(["config", "--null", "--get-regexp", ASKED])?;
    Ok(choose(&found.unwrap_or_default()))
}

/// Chooses from what `git config --null` prints: `key LF value NUL` each. Later values win.
fn choose(printed: &[u8]) -> Settings {
    let mut settings = Settings::default();
    for entry in printed.split(|byte| *byte == 0) {
        let Ok(entry) = std::str::from_utf8(entry) else {
            continue;
        };
        let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
        if TAKEN.contains(&key) {
            settings.values.retain(|(other, _)| other != key);
            settings.values.push((key.to_owned(), value.to_owned()));
        } else if let Some(name) = inner(key, "remote.", ".url") {
            settings.remotes.retain(|(other, _)| other != name);
            if let Some(url) = without_secrets(value) {
                settings.remotes.push((name.to_owned(), url));
            }
        } else if let Some(name) = inner(key, "submodule.", ".url") {
            settings.submodules.retain(|(other, _)| other != name);
            let url = without_secrets(value);
            settings.submodules.push((name.to_owned(), url));
        } else if let Some((name, _)) = key.strip_prefix("filter.").and_then(|rest| rest.rsplit_once('.'))
            && !settings.filters.iter().any(|other| other == name)
        {
            settings.filters.push(name.to_owned());
        }
    }
    settings
}

fn inner<'a>(key: &'a str, before: &str, after: &str) -> Option<&'a str> {
    key.strip_prefix(before)?.strip_suffix(after)
}

/// The URL of a remote without user and password, query and fragment; `None` for paths and helpers of this machine.
fn without_secrets(url: &str) -> Option<String> {
    if url.contains(|character: char| character.is_control() || character.is_whitespace()) {
        return None;
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        let scheme = scheme.to_ascii_lowercase();
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, format!("/{path}")),
            None => (rest, String::new()),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        return match scheme.as_str() {
            "http" | "https" | "git" => Some(format!("{scheme}://{host}{path}")),
            // The name is part of the address there; what follows a colon is a password.
            "ssh" => {
                let user = user.and_then(|user| user.split(':').next());
                let user = user.map_or_else(String::new, |user| format!("{user}@"));
                Some(format!("{scheme}://{user}{host}{path}"))
            }
            _ => None,
        };
    }
    // user@host:path, and never transport::address or a path.
    let (host, path) = url.split_once(':')?;
    let is_address = !host.contains('/') && !path.starts_with(':') && host.len() > 1;
    is_address.then(|| url.to_owned())
}

/// The text of the box's `.git/config`.
pub(super) fn text(settings: &Settings, object_format: &str) -> String {
    let sha256 = object_format == "sha256";
    let mut text = format!(
        "[core]\n\trepositoryformatversion = {}\n\tbare = false\n\tlogallrefupdates = true\n{SAME_TIMES}",
        u8::from(sha256)
    );
    if !settings.values.iter().any(|(key, _)| key == "core.filemode") {
        text.push_str("\tfilemode = true\n");
    }
    if sha256 {
        text.push_str("[extensions]\n\tobjectFormat = sha256\n");
    }
    for (key, value) in &settings.values {
        if let Some((section, name)) = key.split_once('.') {
            let _ = writeln!(text, "[{section}]\n\t{name} = {}", quoted(value));
        }
    }
    for (name, url) in &settings.remotes {
        let _ = writeln!(
            text,
            "[remote {}]\n\turl = {}\n\tfetch = {}",
            subsection(name),
            quoted(url),
            quoted(&format!("+refs/heads/*:refs/remotes/{name}/*"))
        );
    }
    for (name, url) in &settings.submodules {
        let _ = writeln!(text, "[submodule {}]\n\tactive = true", subsection(name));
        if let Some(url) = url {
            let _ = writeln!(text, "\turl = {}", quoted(url));
        }
    }
    text
}

/// A value as git's configuration has it.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// A subsection's name: only quotes and backslashes are escaped there, and it holds no line break.
fn subsection(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_remote_stays_here() {
        let clean = |url| without_secrets(url).unwrap_or_else(|| "-".to_owned());
        let urls = [
            "https://me:ghp_secret@github.com/a/b.git?token=secret#secret",
            "HTTPS://token@host:8443/a",
            "ssh://git:secret@host:22/a",
            "git@github.com:a/b.git",
            "git://host/a",
            "/home/me/repository",
            "../other",
            "file:///home/me/x",
            "ext::sh -c secret",
            "ext::secret",
            "C:/repository",
            "https://a@b@host/x",
        ];
        let cleaned: Vec<String> = urls.iter().map(|url| clean(url)).collect();
        insta::assert_snapshot!(cleaned.join("\n"), @r"
        https://github.com/a/b.git
        https://host:8443/a
        ssh://git@host:22/a
        git@github.com:a/b.git
        git://host/a
        -
        -
        -
        -
        -
        -
        https://host/x
        ");
    }

    #[test]
    fn only_what_is_known_to_be_harmless_is_written() {
        let printed = b"user.name\nA \"B\" \\C\0user.email\na@b\0core.autocrlf\ninput\0user.name\nD\0\
            submodule.lib.url\n/home/me/lib\0submodule.web.url\nhttps://t@host/web\0\
            remote.origin.url\nhttps://x:y@host/a\0remote.here.url\n/home/me\0filter.lfs.clean\ngit-lfs clean\0\
            filter.lfs.smudge\ngit-lfs smudge\0core.filemode\0";
        let settings = choose(printed);
        assert_eq!(settings.filters, ["lfs"]);
        insta::assert_snapshot!(text(&settings, "sha256"), @r#"
        [core]
        	repositoryformatversion = 1
        	bare = false
        	logallrefupdates = true
        	checkStat = minimal
        	trustctime = false
        [extensions]
        	objectFormat = sha256
        [user]
        	email = "a@b"
        [core]
        	autocrlf = "input"
        [user]
        	name = "D"
        [core]
        	filemode = "true"
        [remote "origin"]
        	url = "https://host/a"
        	fetch = "+refs/heads/*:refs/remotes/origin/*"
        [submodule "lib"]
        	active = true
        [submodule "web"]
        	active = true
        	url = "https://host/web"
        "#);
        assert_eq!(quoted("A \"B\" \\C\n"), r#""A \"B\" \\C\n""#);
    }
}
