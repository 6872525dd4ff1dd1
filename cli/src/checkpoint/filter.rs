//! What a flattened checkpoint leaves out: what nobody wants in a new box. Everything else goes through byte for byte,
//! with its attributes, devices, links and long names.

use std::collections::HashSet;

use agentbox_ctl::paths;
use bytes::Bytes;

use super::archive::{Entry, Malformed, Part, Splitter, trimmed};

/// Drops entries from the archive of a file system.
#[derive(Debug, Default)]
pub(super) struct Filter {
    splitter: Splitter,
    /// Home of the box user, without slashes at either end.
    home: Vec<u8>,
    /// Whether the entry that began last is dropped.
    drops: bool,
    /// Files that are dropped, in case another name of one comes later.
    dropped: HashSet<Vec<u8>>,
    /// Files that are kept wherever they lie.
    spared: HashSet<Vec<u8>>,
    /// Dropped ones that have another name which is kept.
    missed: HashSet<Vec<u8>>,
}

impl Filter {
    /// A filter for a box whose user has this home; it keeps these files.
    pub(super) fn new(home: &str, spared: HashSet<Vec<u8>>) -> Self {
        Self {
            home: trimmed(home.as_bytes()).to_vec(),
            spared,
            ..Self::default()
        }
    }

    /// Takes a piece and gives what is kept of it.
    ///
    /// # Errors
    /// Bytes that are no archive.
    pub(super) fn feed(&mut self, piece: Bytes, kept: &mut Vec<Bytes>) -> Result<(), Malformed> {
        let Self {
            splitter,
            home,
            drops,
            dropped,
            spared,
            missed,
        } = self;
        splitter.feed(piece, |part| {
            match part {
                Part::Begin(entry) => {
                    *drops = is_unwanted(&entry, home) && !spared.contains(&entry.path);
                    if *drops {
                        if entry.is_file() {
                            dropped.insert(entry.path);
                        }
                        return Ok(());
                    }
                    let target = trimmed(&entry.link);
                    if entry.is_hard_link() && dropped.contains(target) {
                        missed.insert(target.to_vec());
                    }
                    kept.push(entry.raw);
                }
                Part::Content(_) if *drops => {}
                Part::Content(bytes) | Part::Trailer(bytes) => kept.push(bytes),
            }
            Ok(())
        })
    }

    /// Whether what comes out cannot be used.
    pub(super) fn is_vain(&self) -> bool {
        !self.missed.is_empty()
    }

    /// Says that there are no more pieces. Gives the files that were dropped although they have another name which was
    /// kept: what came out cannot be used then, and a second filter has to spare them.
    ///
    /// # Errors
    /// An archive that is not whole.
    pub(super) fn finish(self) -> Result<HashSet<Vec<u8>>, Malformed> {
        self.splitter.finish()?;
        Ok(self.missed)
    }
}

/// Whether nobody wants an entry.
fn is_unwanted(entry: &Entry, home: &[u8]) -> bool {
    let in_directory = |directory: &str| below(&entry.path, &directory.as_bytes()[1..]).is_some();
    paths::NEVER_WARM.iter().any(|directory| in_directory(directory))
        || !entry.is_directory() && is_history(&entry.path, home)
}

/// Whether a path is one of what somebody typed: in `/root`, in a directory of `/home`, in the home of the box user.
fn is_history(path: &[u8], home: &[u8]) -> bool {
    let of_someone = below(path, b"home").and_then(|rest| {
        let end = rest.iter().position(|byte| *byte == b'/')?;
        Some(&rest[end + 1..])
    });
    [below(path, b"root"), of_someone, below(path, home)]
        .into_iter()
        .flatten()
        .any(|rest| paths::HISTORIES.iter().any(|history| history.as_bytes() == rest))
}

/// The rest of a path in a directory; neither has slashes at either end, and that of the root is empty.
fn below<'path>(path: &'path [u8], directory: &[u8]) -> Option<&'path [u8]> {
    if directory.is_empty() {
        return Some(path);
    }
    path.strip_prefix(directory)?.strip_prefix(b"/")
}

#[cfg(test)]
mod tests {
    use super::super::archive::tests::archive;
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        tar::Archive::new(archive)
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().display().to_string())
            .collect()
    }

    fn filtered(archive: &[u8], spared: &[&str]) -> (Vec<u8>, usize) {
        let spared = spared.iter().map(|path| path.as_bytes().to_vec());
        let mut filter = Filter::new("/srv/me", spared.collect());
        let mut kept = Vec::new();
        for piece in archive.chunks(700) {
            filter.feed(Bytes::copy_from_slice(piece), &mut kept).unwrap();
        }
        let missed = filter.finish().unwrap();
        (kept.concat(), missed.len())
    }

    #[test]
    fn only_what_nobody_wants_is_left_out() {
        let entry = |path: &str, kind: u8| Entry {
            raw: Bytes::new(),
            path: path.into(),
            link: Vec::new(),
            kind,
            size: 1,
        };
        for (path, unwanted) in [
            ("tmp", false),
            ("tmp/x", true),
            ("tmpx/y", false),
            ("var/tmp/x", false),
            ("var/log/agentbox/web.log", true),
            ("var/log/dpkg.log", false),
            ("var/lib/apt/lists/x", true),
            ("root/.bash_history", true),
            ("root/.local/share/fish/fish_history", true),
            ("root/.local/share/fish/fish_variables", false),
            ("home/me/.zsh_history", true),
            ("home/me/.local/share/fish/fish_history", true),
            ("home/me/x/.zsh_history", false),
            ("home/.bash_history", false),
            ("srv/me/.bash_history", true),
            ("srv/you/.bash_history", false),
            ("workspace/.bash_history", false),
            ("", false),
        ] {
            assert_eq!(is_unwanted(&entry(path, b'0'), b"srv/me"), unwanted, "{path}");
        }
        assert!(is_unwanted(&entry(".bash_history", b'0'), b""));
        assert!(!is_unwanted(&entry("root/.history", b'5'), b""));
        assert!(is_unwanted(&entry("tmp/x", b'5'), b""));
        let whole = archive(&[
            ("etc/x", b"1"),
            ("tmp/big", &[b'x'; 5000]),
            ("root/.bash_history", b"secret"),
            ("usr/y", b"2"),
        ]);
        let (kept, missed) = filtered(&whole, &[]);
        assert_eq!((names(&kept), missed), (vec!["etc/x".into(), "usr/y".into()], 0));
        assert_eq!(kept, archive(&[("etc/x", b"1"), ("usr/y", b"2")]));
    }

    #[test]
    fn a_file_with_another_name_is_spared_the_second_time() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_ustar();
        header.set_size(3);
        builder.append_data(&mut header, "tmp/a", &b"abc"[..]).unwrap();
        let mut link = tar::Header::new_ustar();
        link.set_entry_type(tar::EntryType::Link);
        link.set_size(0);
        builder.append_link(&mut link, "usr/b", "tmp/a").unwrap();
        let whole = builder.into_inner().unwrap();
        assert_eq!(filtered(&whole, &[]).1, 1);
        assert_eq!(filtered(&whole, &["tmp/a"]), (whole, 0));
    }
}
