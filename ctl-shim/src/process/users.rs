//! Users and groups, from `/etc/passwd` and `/etc/group` themselves: a static binary cannot load the image's
//! name service modules, and an image may have neither file.

use std::fs;
use std::io;
use std::path::Path;

/// Who a process runs as, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Supplementary group ids, sorted, the primary one included.
    pub groups: Vec<u32>,
    /// The user's name; the uid in digits where the image does not know it.
    pub name: String,
    /// Home directory, `/` where none is known.
    pub home: String,
    /// Login shell, `/bin/sh` where none is known.
    pub shell: String,
}

struct User {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
    shell: String,
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

/// Resolves `user`, `uid`, `user:group` or `uid:gid`; an empty text is root. `root` is `/` outside of tests.
///
/// A numeric id needs no entry anywhere; a name does. With an explicit group, the supplementary groups of the
/// user are left out, as an image's `USER` has it.
///
/// # Errors
/// A fragment such as ``no such user `bob` ``: names without an entry, files that cannot be read.
pub fn lookup(spec: &str, root: &Path) -> Result<Credentials, String> {
    let (user_text, group_text) = match spec.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (spec, None),
    };
    let user_text = if user_text.is_empty() { "0" } else { user_text };
    let users = read(root, "etc/passwd", parse_user)?;
    let groups = read(root, "etc/group", parse_group)?;

    let found = users.iter().find(|user| user.name == user_text).or_else(|| {
        let uid = user_text.parse::<u32>().ok()?;
        users.iter().find(|user| user.uid == uid)
    });
    let mut credentials = match found {
        Some(user) => Credentials {
            uid: user.uid,
            gid: user.gid,
            groups: Vec::new(),
            name: user.name.clone(),
            home: or_default(&user.home, "/"),
            shell: or_default(&user.shell, "/bin/sh"),
        },
        None => unknown_user(user_text)?,
    };
    match group_text {
        Some(text) => credentials.gid = group_id(text, &groups)?,
        None => {
            let memberships = groups
                .iter()
                .filter(|group| found.is_some() && group.members.contains(&credentials.name))
                .map(|group| group.gid);
            credentials.groups.extend(memberships);
        }
    }
    credentials.groups.push(credentials.gid);
    credentials.groups.sort_unstable();
    credentials.groups.dedup();
    Ok(credentials)
}

fn unknown_user(text: &str) -> Result<Credentials, String> {
    let uid = match text.parse::<u32>() {
        // The highest id means "leave it" to the kernel.
        Ok(uid) if uid != u32::MAX => uid,
        _ if text == "root" => 0,
        _ => return Err(format!("no such user `{text}`")),
    };
    let (name, home) = if uid == 0 {
        ("root".to_owned(), "/root")
    } else {
        (uid.to_string(), "/")
    };
    Ok(Credentials {
        uid,
        gid: 0,
        groups: Vec::new(),
        name,
        home: home.to_owned(),
        shell: "/bin/sh".to_owned(),
    })
}

fn group_id(text: &str, groups: &[Group]) -> Result<u32, String> {
    if let Some(group) = groups.iter().find(|group| group.name == text) {
        return Ok(group.gid);
    }
    match text.parse::<u32>() {
        Ok(gid) if gid != u32::MAX => Ok(gid),
        _ if text == "root" => Ok(0),
        _ => Err(format!("no such group `{text}`")),
    }
}

fn or_default(text: &str, default: &str) -> String {
    if text.is_empty() { default } else { text }.to_owned()
}

/// The entries of a colon separated file; none where it is missing. Lines that are no entries are passed over,
/// as every reader of these files does.
fn read<T>(root: &Path, file: &str, parse: fn(&[&str]) -> Option<T>) -> Result<Vec<T>, String> {
    let bytes = match fs::read(root.join(file)) {
        Ok(bytes) => bytes,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(format!("cannot read /{file}: {error}")),
    };
    Ok(String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| parse(&line.split(':').collect::<Vec<_>>()))
        .collect())
}

fn parse_user(fields: &[&str]) -> Option<User> {
    let [name, _password, uid, gid, _comment, home, rest @ ..] = fields else {
        return None;
    };
    Some(User {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: (*home).to_owned(),
        shell: rest.first().copied().unwrap_or_default().trim_end().to_owned(),
    })
}

fn parse_group(fields: &[&str]) -> Option<Group> {
    let [name, _password, gid, rest @ ..] = fields else {
        return None;
    };
    let members = rest.first().copied().unwrap_or_default().trim_end();
    Some(Group {
        name: (*name).to_owned(),
        gid: gid.parse().ok()?,
        members: members
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0:root:/root:/bin/bash\nnot an entry\ndeveloper:x:1000:1000:,,,:/home/developer:/bin/zsh\n\
             bare:x:7:8::\n1234:x:55:55::/odd:/bin/sh\n",
        )
        .unwrap();
        fs::write(
            root.path().join("etc/group"),
            "root:x:0:\nsudo:x:27:other,developer\ndocker:x:999:developer\ndeveloper:x:1000:\n",
        )
        .unwrap();
        root
    }

    #[test]
    fn a_name_brings_its_groups_home_and_shell() {
        let root = image();
        let expected = Credentials {
            uid: 1000,
            gid: 1000,
            groups: vec![27, 999, 1000],
            name: "developer".into(),
            home: "/home/developer".into(),
            shell: "/bin/zsh".into(),
        };
        assert_eq!(lookup("developer", root.path()), Ok(expected.clone()));
        assert_eq!(lookup("1000", root.path()), Ok(expected));
    }

    #[test]
    fn an_explicit_group_replaces_the_memberships() {
        let root = image();
        let credentials = lookup("developer:docker", root.path()).unwrap();
        assert_eq!((credentials.gid, credentials.groups), (999, vec![999]));
        let credentials = lookup("2000:3000", root.path()).unwrap();
        assert_eq!(
            (credentials.uid, credentials.gid, credentials.groups),
            (2000, 3000, vec![3000])
        );
        assert_eq!(
            (credentials.name.as_str(), credentials.home.as_str()),
            ("2000", "/")
        );
    }

    #[test]
    fn a_name_of_digits_goes_before_an_id() {
        assert_eq!(lookup("1234", image().path()).unwrap().uid, 55);
    }

    #[test]
    fn empty_fields_get_defaults() {
        let credentials = lookup("bare", image().path()).unwrap();
        assert_eq!(
            (credentials.home.as_str(), credentials.shell.as_str()),
            ("/", "/bin/sh")
        );
    }

    #[test]
    fn unknown_names_are_errors_and_ids_are_not() {
        let root = image();
        assert_eq!(lookup("bob", root.path()), Err("no such user `bob`".into()));
        assert_eq!(
            lookup("root:staff", root.path()),
            Err("no such group `staff`".into())
        );
        assert_eq!(
            lookup("4294967295", root.path()),
            Err("no such user `4294967295`".into())
        );
        assert_eq!(lookup("-1", root.path()), Err("no such user `-1`".into()));
    }

    #[test]
    fn an_image_without_the_files_has_root_and_numbers() {
        let root = tempfile::tempdir().unwrap();
        for spec in ["", "root", "0", "0:0", "root:root"] {
            let credentials = lookup(spec, root.path()).unwrap();
            assert_eq!(
                (credentials.uid, credentials.gid, credentials.home.as_str()),
                (0, 0, "/root"),
                "{spec}"
            );
        }
        assert_eq!(lookup("1000", root.path()).unwrap().gid, 0);
        assert!(lookup("developer", root.path()).is_err());
    }
}
