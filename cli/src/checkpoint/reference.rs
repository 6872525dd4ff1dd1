//! Names of checkpoints, and the tags that they are known by.

use agentbox_ctl::failure::Failure;
use ring::digest::{SHA256, digest};

use crate::boxes::name;

/// Repository of all checkpoints, before the project's key.
const CHECKPOINTS: &str = "agentbox/checkpoint/";
/// Repository of the tags that say which checkpoint is a project's default.
const DEFAULTS: &str = "agentbox/default/";
/// The only tag in a project's [`DEFAULTS`] repository.
const DEFAULT_TAG: &str = "latest";
/// The word that stands for no checkpoint where one could be named.
pub const NONE: &str = "none";

/// A project in a tag: a directory of one host. Its last name is for people, the digits tell it from all others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    /// The key of a project directory on a host.
    pub fn of(project: &str, host: &str) -> Self {
        let digits = &digits(&format!("{host}\0{project}"))[..8];
        let slug = name::fit(project.rsplit('/').next().unwrap_or_default());
        Self(format!("{slug}-{digits}"))
    }

    /// Repository of the project's checkpoints; the tag in it is the name.
    pub fn repository(&self) -> String {
        format!("{CHECKPOINTS}{}", self.0)
    }

    /// The tag of a checkpoint.
    pub fn tag(&self, name: &str) -> String {
        format!("{}:{name}", self.repository())
    }

    /// Repository and tag of the project's default.
    pub fn default_parts(&self) -> (String, &'static str) {
        (format!("{DEFAULTS}{}", self.0), DEFAULT_TAG)
    }

    /// The tag of the project's default.
    pub fn default_tag(&self) -> String {
        let (repository, tag) = self.default_parts();
        format!("{repository}:{tag}")
    }

    /// Key and name of a checkpoint's tag; `None` for any other tag.
    pub fn of_tag(tag: &str) -> Option<(Self, &str)> {
        let (key, name) = tag.strip_prefix(CHECKPOINTS)?.split_once(':')?;
        (!key.contains('/') && name::is_valid(name)).then(|| (Self(key.to_owned()), name))
    }
}

/// The beginning of a text's digest, in as many hexadecimal digits as a box's id has.
pub(super) fn digits(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref()[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether a tag says which checkpoint is a project's default.
pub fn is_default_tag(tag: &str) -> bool {
    tag.starts_with(DEFAULTS)
}

/// Checks a name that a user gave.
///
/// # Errors
/// A usage error with a name that would do.
pub(super) fn check(name: &str) -> Result<(), Failure> {
    if name == NONE {
        return Err(Failure::usage(format!(
            "`{NONE}` cannot be a checkpoint's name: --from {NONE} starts without one"
        ))
        .hint("agentbox checkpoint create --name ANOTHER-NAME"));
    }
    if name::is_valid(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("`{name}` is not a checkpoint name"))
        .cause("a name is 1 to 40 of a-z, 0-9 and -, without - at either end")
        .hint(format!("agentbox checkpoint create --name {}", name::fit(name))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_tells_whose_and_what_it_is() {
        let key = Key::of("/home/me/My Shop", "host");
        let tag = key.tag("warm-2");
        assert_eq!(tag, "agentbox/checkpoint/my-shop-c6f98353:warm-2");
        assert_eq!(Key::of_tag(&tag), Some((key.clone(), "warm-2")));
        for other in [
            "agentbox/base:latest",
            "agentbox/default/my-shop-00000000:latest",
            "agentbox/checkpoint/a/b:c",
            "agentbox/checkpoint/a:NO",
            "mine/agentbox/checkpoint/a:b",
        ] {
            assert_eq!(Key::of_tag(other), None, "{other}");
        }
        assert_ne!(key, Key::of("/home/me/My Shop", "other"));
        assert_ne!(key, Key::of("/home/you/My Shop", "host"));
    }

    #[test]
    fn names_are_those_of_boxes_but_for_none() {
        assert!(check("warm").is_ok());
        assert!(check("Warm").unwrap_err().hints[0].ends_with("--name warm"));
        assert!(check("none").is_err());
    }
}
