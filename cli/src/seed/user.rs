//! Numeric owner of the workspace: the image's configured user, looked up in the image's own files.

use agentbox_ctl::failure::Failure;

/// A user and a group by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub user: u32,
    /// Group id.
    pub group: u32,
}

impl Owner {
    /// The superuser.
    pub const ROOT: Self = Self { user: 0, group: 0 };
}

/// Reads `uid:gid`, or a user that is root whatever the image's files say. `None` needs a look into them.
pub fn without_files(user: &str) -> Option<Owner> {
    match user {
        "" | "0" | "root" | "root:root" => Some(Owner::ROOT),
        _ => {
            let (user, group) = user.split_once(':')?;
            Some(Owner {
                user: user.parse().ok()?,
                group: group.parse().ok()?,
            })
        }
    }
}

/// Looks a user up as the engine does: a name or a number, `:group` optional. The files may be missing.
///
/// # Errors
/// A name that the image does not have.
pub fn look_up(user: &str, passwd: Option<&[u8]>, group: Option<&[u8]>) -> Result<Owner, Failure> {
    if let Some(owner) = without_files(user) {
        return Ok(owner);
    }
    let (user_word, group_word) = match user.split_once(':') {
        Some((user_word, group_word)) => (user_word, Some(group_word)),
        None => (user, None),
    };
    let unknown = |kind: &str, word: &str, file: &str| {
        Failure::failed(format!("the image's {kind} `{word}` is not in its {file}"))
            .hint("agentbox create --image with an image whose USER exists")
    };
    let number = user_word.parse::<u32>().ok();
    // name:password:uid:gid:…
    let entry = lines(passwd).find_map(|fields| {
        let uid = fields.get(2)?.parse::<u32>().ok()?;
        let gid = fields.get(3)?.parse::<u32>().ok()?;
        (fields[0] == user_word || number == Some(uid)).then_some((uid, gid))
    });
    let (user, own_group) = match (entry, number) {
        (Some((uid, gid)), _) => (uid, gid),
        (None, Some(uid)) => (uid, 0),
        (None, None) => return Err(unknown("user", user_word, "/etc/passwd")),
    };
    let group = match group_word {
        None => own_group,
        Some(word) => match word.parse::<u32>() {
            Ok(gid) => gid,
            Err(_) => lines(group)
                .find_map(|fields| (fields[0] == word).then(|| fields.get(2)?.parse().ok())?)
                .ok_or_else(|| unknown("group", word, "/etc/group"))?,
        },
    };
    Ok(Owner { user, group })
}

/// The home directory of a user as the supervisor sees it: `/` where none is known, `/root` for root. Not checked: it
/// is the image's word.
pub fn home(user: &str, passwd: Option<&[u8]>) -> String {
    let word = user.split_once(':').map_or(user, |(word, _)| word);
    let word = if word.is_empty() { "root" } else { word };
    let number = if word == "root" {
        Some(0)
    } else {
        word.parse::<u32>().ok()
    };
    let home_of = |matches: &dyn Fn(&[String]) -> bool| {
        lines(passwd)
            .find(|fields| fields.len() > 5 && fields[2].parse::<u32>().is_ok() && matches(fields))
            .map(|fields| fields[5].clone())
    };
    let known = home_of(&|fields| fields[0] == word)
        .or_else(|| home_of(&|fields| number.is_some() && fields[2].parse().ok() == number));
    match known {
        Some(home) if home.is_empty() => "/".to_owned(),
        Some(home) => home,
        None if number == Some(0) => "/root".to_owned(),
        None => "/".to_owned(),
    }
}

/// Colon-separated lines of a file; none where there is no file.
fn lines(file: Option<&[u8]>) -> impl Iterator<Item = Vec<String>> {
    String::from_utf8_lossy(file.unwrap_or_default())
        .lines()
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\nbroken\n";
    const GROUP: &[u8] = b"root:x:0:\nstaff:x:50:node\n";

    #[test]
    fn users_as_images_write_them() {
        let found = |user| look_up(user, Some(PASSWD), Some(GROUP)).map(|owner| (owner.user, owner.group));
        assert_eq!(found(""), Ok((0, 0)));
        assert_eq!(found("node"), Ok((1000, 1001)));
        assert_eq!(found("1000"), Ok((1000, 1001)));
        assert_eq!(found("4242"), Ok((4242, 0)));
        assert_eq!(found("node:staff"), Ok((1000, 50)));
        assert_eq!(found("7:8"), Ok((7, 8)));
        assert!(found("nobody").is_err() && found("node:wheel").is_err());
        // An image without any files still has numbers.
        assert_eq!(look_up("5", None, None).unwrap(), Owner { user: 5, group: 0 });
        assert!(look_up("node", None, None).is_err());
    }

    #[test]
    fn homes_as_the_supervisor_finds_them() {
        let passwd = b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1001::/home/node:/bin/sh\nnone:x:7:7:::/bin/sh\n12:x:55:5::/odd:/bin/sh\n";
        for (user, expected) in [
            ("node", "/home/node"),
            ("1000", "/home/node"),
            ("node:staff", "/home/node"),
            ("none", "/"),
            ("12", "/odd"),
            ("4242", "/"),
            ("", "/root"),
            ("0:0", "/root"),
        ] {
            assert_eq!(home(user, Some(passwd)), expected, "{user}");
        }
        assert_eq!(home("root", None), "/root");
        assert_eq!(home("node", None), "/");
    }
}
