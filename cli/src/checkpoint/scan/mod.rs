//! Secrets in a stream of files: by their names, and by what is in them.
//!
//! A finding has the place and the kind, never the secret. What is looked for has a form of its own; a password that
//! looks like any word is not found.

mod kinds;
mod places;
mod text;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::Serialize;

pub(super) use self::places::passed_over;
use self::text::Decoder;
use crate::carry::is_secret_file;

/// Bytes at the end of a piece that are looked at again with the next one: a match may go on there.
const OVERLAP: usize = 1024;
/// Most findings that are kept; the rest is counted.
const MOST_FINDINGS: usize = 1000;
/// Longest list of what a package brought, in bytes.
const LONGEST_LIST: u64 = 16 << 20;

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

/// Files that were passed over although another name of them is one to look at; that name.
pub(super) type Hidden = HashMap<Vec<u8>, String>;

/// Looks through files, one after the other.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    found: Found,
    file: Option<File>,
    /// What a package brought, as far as it has come.
    list: Option<Vec<u8>>,
    /// The only files that are looked at, by the places that they are said to lie at; all that a box may have written
    /// where it is `None`.
    only: Option<Hidden>,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The findings.
    pub(super) findings: Vec<Finding>,
    /// How many more there were.
    pub(super) more: usize,
    /// Files that another scanner has to look at.
    pub(super) hidden: Hidden,
}

/// The file that is looked through.
#[derive(Debug)]
struct File {
    path: String,
    decoder: Decoder,
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
    /// One that looks at these files alone, and says that they lie elsewhere: what another one found hidden.
    pub(super) fn only(hidden: Hidden) -> Self {
        Self {
            only: Some(hidden),
            ..Self::default()
        }
    }

    /// A file begins, and so the one before ends. `path` has no slash at its beginning.
    pub(super) fn begin(&mut self, path: &[u8], size: u64) {
        self.end();
        if size == 0 {
            return;
        }
        let place = match &self.only {
            Some(only) => only.get(path).cloned(),
            None => place_of(path),
        };
        if let Some(place) = place {
            self.look_at_name(&place);
            self.file = Some(File::at(place));
        } else if places::is_package_list(path) && size <= LONGEST_LIST {
            self.list = Some(Vec::new());
        }
    }

    /// Another name of a file that came before. Its content came with that one, which may have been passed over.
    pub(super) fn link(&mut self, path: &[u8], target: &[u8]) {
        self.end();
        if self.only.is_some() {
            return;
        }
        let Some(place) = place_of(path) else {
            return;
        };
        if place_of(target).is_some() {
            self.look_at_name(&place);
        } else {
            self.found.hidden.entry(target.to_vec()).or_insert(place);
        }
    }

    /// More of the file.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if let Some(list) = &mut self.list {
            list.extend_from_slice(bytes);
        }
        let Some(mut file) = self.file.take() else {
            return;
        };
        let before = file.rest.len();
        file.decoder.feed(bytes, &mut file.rest);
        file.is_binary |= file.rest[before..].contains(&0);
        let most = file.rest.len().saturating_sub(OVERLAP);
        // Lines stay whole where they are of a length that a person writes.
        let cut = file.rest[..most]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(most, |at| at + 1);
        self.look(&mut file, cut);
        file.lines += newlines(&file.rest[..cut]);
        file.rest.drain(..cut);
        self.file = Some(file);
    }

    /// Ends the last file. Gives what was found.
    pub(super) fn finish(mut self) -> Found {
        self.end();
        self.found.findings.sort();
        self.found
    }

    fn end(&mut self) {
        if let Some(mut file) = self.file.take() {
            let all = file.rest.len();
            self.look(&mut file, all);
        }
        if let Some(list) = self.list.take() {
            self.take_back(&list);
        }
    }

    /// Looks for what begins before `cut`.
    fn look(&mut self, file: &mut File, cut: usize) {
        for (at, kind) in kinds::places(&file.rest) {
            if at >= cut || file.found.contains(&kind) {
                continue;
            }
            file.found.push(kind);
            self.add(Finding {
                path: file.path.clone(),
                line: (!file.is_binary).then(|| file.lines + newlines(&file.rest[..at]) + 1),
                kind,
            });
        }
    }

    fn look_at_name(&mut self, place: &str) {
        if is_secret_file(Path::new(place)) {
            self.add(Finding {
                path: place.to_owned(),
                line: None,
                kind: "file of secrets, by its name",
            });
        }
    }

    fn add(&mut self, finding: Finding) {
        let found = &mut self.found;
        if found.findings.len() < MOST_FINDINGS {
            found.findings.push(finding);
        } else {
            found.more += 1;
        }
    }

    /// Forgets what lies in files that a package brought, one on a line; they have come before their list.
    fn take_back(&mut self, list: &[u8]) {
        if self.found.findings.is_empty() {
            return;
        }
        let brought: HashSet<&[u8]> = list.split(|byte| *byte == b'\n').collect();
        self.found.findings.retain(|finding| {
            !(brought.contains(finding.path.as_bytes()) && places::stays_a_package_s(&finding.path))
        });
    }
}

impl File {
    fn at(path: String) -> Self {
        Self {
            path,
            decoder: Decoder::default(),
            rest: Vec::new(),
            lines: 0,
            is_binary: false,
            found: Vec::new(),
        }
    }
}

/// Where a file lies that is to be looked at; `None` for one that is not.
fn place_of(path: &[u8]) -> Option<String> {
    let path = String::from_utf8_lossy(path);
    places::is_looked_at(&path).then(|| format!("/{path}"))
}

fn newlines(text: &[u8]) -> u64 {
    text.iter().filter(|byte| **byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    fn feed(scanner: &mut Scanner, path: &str, content: &[u8], piece: usize) {
        scanner.begin(path.as_bytes(), content.len() as u64);
        for piece in content.chunks(piece) {
            scanner.feed(piece);
        }
    }

    fn told(scanner: Scanner) -> Vec<String> {
        let tell = |found: &Finding| {
            let line = found.line.map_or("-".to_owned(), |line| line.to_string());
            format!("{}:{line} {}", found.path, found.kind)
        };
        scanner.finish().findings.iter().map(tell).collect()
    }

    fn found(path: &str, content: &[u8], piece: usize) -> Vec<String> {
        let mut scanner = Scanner::default();
        feed(&mut scanner, path, content, piece);
        told(scanner)
    }

    #[test]
    fn files_by_their_names_and_contents() {
        assert_eq!(
            found("workspace/.env.local", b"A=b", 9),
            ["/workspace/.env.local:- file of secrets, by its name"]
        );
        assert_eq!(found("workspace/.env.example", b"A=b", 9), [""; 0]);
        assert_eq!(found("workspace/.env", b"", 9), [""; 0]);
        let content = format!("one\n{KEY}\n");
        assert_eq!(found("app/x", content.as_bytes(), 9), ["/app/x:2 AWS access key"]);
        assert_eq!(found("usr/lib/x", content.as_bytes(), 9), [""; 0]);
        // Not a text: no line to go to.
        let content = format!("\0\n{KEY}\n");
        assert_eq!(
            found("var/x.db", content.as_bytes(), 4096),
            ["/var/x.db:- AWS access key"]
        );
        let utf16: Vec<u8> = format!("\u{feff}\u{e4}\n{KEY}\n")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(found("data/x", &utf16, 7), ["/data/x:2 AWS access key"]);
    }

    #[test]
    fn another_name_of_what_is_passed_over() {
        let mut scanner = Scanner::default();
        feed(&mut scanner, "usr/lib/first", KEY.as_bytes(), 9);
        scanner.link(b"usr/lib/second", b"usr/lib/first");
        scanner.link(b"workspace/second", b"usr/lib/first");
        scanner.link(b"workspace/third", b"usr/lib/first");
        feed(&mut scanner, "workspace/plain", b"A=b", 9);
        scanner.link(b"workspace/.env", b"workspace/plain");
        let found = scanner.finish();
        assert_eq!(found.findings.len(), 1, "{found:?}");
        assert_eq!(
            found.hidden,
            HashMap::from([(b"usr/lib/first".to_vec(), "/workspace/second".to_owned())])
        );
        let mut again = Scanner::only(found.hidden);
        feed(&mut again, "usr/lib/first", KEY.as_bytes(), 9);
        feed(&mut again, "workspace/plain", KEY.as_bytes(), 9);
        assert_eq!(told(again), ["/workspace/second:1 AWS access key"]);
    }

    #[test]
    fn what_packages_brought_is_theirs() {
        let mut scanner = Scanner::default();
        for path in ["etc/brought", "opt/mine", "usr/share/brought", "usr/share/mine"] {
            feed(&mut scanner, path, KEY.as_bytes(), 9);
        }
        let list = b"/.\n/etc/brought\n/usr/share/brought\n";
        feed(&mut scanner, "var/lib/dpkg/info/x.list", list, 9);
        feed(&mut scanner, "var/lib/dpkg/info/y.conffiles", b"/opt/mine\n", 9);
        assert_eq!(
            told(scanner),
            [
                "/etc/brought:1 AWS access key",
                "/opt/mine:1 AWS access key",
                "/usr/share/mine:1 AWS access key"
            ]
        );
    }

    proptest! {
        #[test]
        fn it_is_found_wherever_the_pieces_end(before in 0_usize..5000, lines in 0_usize..40, piece in 1_usize..3000) {
            let content = format!("{}{} {KEY} {}", "\n".repeat(lines), "x".repeat(before), "y".repeat(3000));
            prop_assert_eq!(
                found("workspace/x", content.as_bytes(), piece),
                [format!("/workspace/x:{} AWS access key", lines + 1)]
            );
        }
    }
}
