//! The users of a box's image, as far as carrying needs them: who owns what, and where `~` is.

use std::path::Path;

use agentbox_ctl::failure::Failure;

use super::Entry;
use super::approve::shown;
use crate::seed::{Owner, user};

/// Who is who in a box's image.
#[derive(Debug)]
pub(super) struct People {
    /// The box user.
    pub(super) owner: Owner,
    /// The box user's home, absolute, without a slash at its end; empty for `/`.
    pub(super) home: String,
    passwd: Option<Vec<u8>>,
}

impl People {
    /// Reads the image's files. `image_user` is its configured user.
    ///
    /// # Errors
    /// A user who is not in them, a home that is no path.
    pub(super) fn new(
        image_user: &str,
        passwd: Option<Vec<u8>>,
        group: Option<&[u8]>,
    ) -> Result<Self, Failure> {
        let owner = user::look_up(image_user, passwd.as_deref(), group)?;
        let home = user::home(image_user, passwd.as_deref());
        let is_path = home.starts_with('/') && home.split('/').all(|part| !matches!(part, "." | ".."));
        if !is_path {
            return Err(Failure::failed(format!(
                "the home directory of the image's user is {}, which is no path",
                shown(Path::new(&home))
            ))
            .hint("agentbox create --image with another image"));
        }
        let parts = home.split('/').filter(|part| !part.is_empty());
        let home = parts.fold(String::new(), |home, part| format!("{home}/{part}"));
        Ok(Self { owner, home, passwd })
    }

    /// The owner of what an entry brings.
    ///
    /// # Errors
    /// A name that the image does not have.
    pub(super) fn owner_of(&self, entry: &Entry) -> Result<Owner, Failure> {
        let Some(name) = &entry.carry.user else {
            return Ok(self.owner);
        };
        let found = user::look_up(name, self.passwd.as_deref(), None).ok();
        // The highest number is nobody's: to the kernel it says to leave the owner as it is.
        found.filter(|owner| owner.user != u32::MAX).ok_or_else(|| {
            Failure::failed(format!(
                "the image has no user `{name}`, and carry wants {} to be theirs",
                shown(Path::new(&entry.carry.dest))
            ))
            .hint("name a user of the image in agentbox.yaml, or write its uid")
        })
    }

    /// Whether a path is the box user's home, or in it.
    pub(super) fn is_in_home(&self, path: &str) -> bool {
        !self.home.is_empty() && is_in(path, &self.home)
    }
}

/// Whether `path` is `outer` or lies in it.
pub(super) fn is_in(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
