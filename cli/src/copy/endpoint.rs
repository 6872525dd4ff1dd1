//! What a user writes for SRC and DST: `box:/path`, `:/path`, a path of this machine, or `-`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

/// One side of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// `-`: a tar stream on stdin or stdout.
    Stream,
    /// A path of this machine.
    Here(HerePath),
    /// A path of a box.
    InBox {
        /// The box as it was written; `None` means the project's only one.
        name: Option<String>,
        /// The path.
        path: BoxPath,
    },
}

/// What a path says beyond naming something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ending {
    /// It ends with `/` or `/.`: only a directory can be meant, and a link to one is followed.
    pub directory: bool,
    /// It ends with `/.`: what is in the directory is meant, not the directory.
    pub contents: bool,
}

/// A path of this machine, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HerePath {
    /// The path.
    pub path: PathBuf,
    /// How it ends.
    pub ending: Ending,
}

/// A path of a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxPath {
    /// Absolute, without `.`, `..`, or a `/` at its end.
    pub path: String,
    /// How it ended.
    pub ending: Ending,
}

impl Ending {
    fn of(path: &[u8]) -> Self {
        let contents = path == b"." || path.ends_with(b"/.");
        Self {
            directory: contents || path.ends_with(b"/"),
            contents,
        }
    }
}

impl Endpoint {
    /// Reads what was written. What stands before the first colon is a box, unless it could only be a path: it is
    /// absolute, begins with a dot, or has a `/`.
    ///
    /// # Errors
    /// An empty path, a box path that is not UTF-8.
    pub fn parse(text: &OsStr) -> Result<Self, Failure> {
        let bytes = text.as_bytes();
        if bytes == b"-" {
            return Ok(Self::Stream);
        }
        if bytes.is_empty() {
            return Err(Failure::usage("an empty path means nothing").hint("agentbox cp --help"));
        }
        let colon = bytes.iter().position(|&byte| byte == b':');
        let before = colon.map(|colon| &bytes[..colon]);
        match (colon, before) {
            (Some(colon), Some(name)) if !name.contains(&b'/') && !name.starts_with(b".") => {
                let not_text = |_| {
                    Failure::usage("a path of a box can be given only where it is UTF-8")
                        .hint("copy the directory that it is in")
                };
                let name = std::str::from_utf8(name).map_err(not_text)?;
                let path = std::str::from_utf8(&bytes[colon + 1..]).map_err(not_text)?;
                Ok(Self::InBox {
                    name: (!name.is_empty()).then(|| name.to_owned()),
                    path: BoxPath::new(path),
                })
            }
            _ => Ok(Self::Here(HerePath {
                path: PathBuf::from(OsString::from_vec(bytes.to_vec())),
                ending: Ending::of(bytes),
            })),
        }
    }
}

impl BoxPath {
    /// A path of a box; relative ones, the empty one too, begin at `/workspace`. `..` never leads above `/`.
    pub fn new(text: &str) -> Self {
        let from = if text.starts_with('/') {
            ""
        } else {
            paths::WORKSPACE
        };
        let mut kept: Vec<&str> = Vec::new();
        for component in from.split('/').chain(text.split('/')) {
            match component {
                "" | "." => {}
                ".." => {
                    kept.pop();
                }
                name => kept.push(name),
            }
        }
        Self {
            path: format!("/{}", kept.join("/")),
            ending: Ending::of(text.as_bytes()),
        }
    }

    /// The last component; `None` for `/`.
    pub fn name(&self) -> Option<&str> {
        split(&self.path).map(|(_, name)| name)
    }
}

/// Directory and name of an absolute path without a `/` at its end; `None` for `/`.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    let (directory, name) = path.rsplit_once('/')?;
    let directory = if directory.is_empty() { "/" } else { directory };
    (!name.is_empty()).then_some((directory, name))
}

/// `directory/name`.
pub(super) fn join(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Endpoint {
        Endpoint::parse(OsStr::new(text)).unwrap()
    }

    fn in_box(text: &str) -> Option<(Option<String>, String, bool, bool)> {
        match parse(text) {
            Endpoint::InBox { name, path } => {
                Some((name, path.path, path.ending.directory, path.ending.contents))
            }
            _ => None,
        }
    }

    #[test]
    fn a_colon_makes_it_a_box_unless_it_could_only_be_a_path() {
        let of = |name: &str, path: &str, directory, contents| {
            Some((Some(name.to_owned()), path.to_owned(), directory, contents))
        };
        assert_eq!(
            in_box("mybox:/etc/hosts"),
            of("mybox", "/etc/hosts", false, false)
        );
        assert_eq!(in_box("mybox:src/"), of("mybox", "/workspace/src", true, false));
        assert_eq!(in_box("mybox:"), of("mybox", "/workspace", false, false));
        assert_eq!(in_box("mybox:."), of("mybox", "/workspace", true, true));
        assert_eq!(in_box("mybox:/a/./b//../c/."), of("mybox", "/a/c", true, true));
        assert_eq!(in_box("mybox:../../../etc"), of("mybox", "/etc", false, false));
        assert_eq!(in_box("1:a:b"), of("1", "/workspace/a:b", false, false));
        assert_eq!(in_box(":/tmp"), Some((None, "/tmp".to_owned(), false, false)));
        for here in ["./a:b", "/a:b", "../a:b", ".a:b", "a/b:c", "plain", "."] {
            assert_eq!(in_box(here), None, "{here}");
        }
        assert_eq!(parse("-"), Endpoint::Stream);
        assert!(Endpoint::parse(OsStr::new("")).is_err());
        assert!(Endpoint::parse(OsStr::from_bytes(b"b:\xff")).is_err());
        assert!(Endpoint::parse(OsStr::from_bytes(b"./b:\xff")).is_ok());
    }

    #[test]
    fn directory_and_name() {
        assert_eq!(split("/a/b"), Some(("/a", "b")));
        assert_eq!(split("/a"), Some(("/", "a")));
        assert_eq!(split("/"), None);
        assert_eq!([join("/", "a"), join("/a", "b")], ["/a", "/a/b"]);
    }

    proptest! {
        #[test]
        fn a_path_of_a_box_stays_below_its_root(text in "[a./:]{0,20}") {
            let path = BoxPath::new(&text);
            prop_assert!(path.path.starts_with('/'));
            prop_assert!(path.path == "/" || !path.path.ends_with('/'));
            prop_assert!(path.path.split('/').skip(1).all(|part| part != "." && part != ".."));
            // Clean paths are their own.
            prop_assert_eq!(&BoxPath::new(&path.path).path, &path.path);
        }
    }
}
