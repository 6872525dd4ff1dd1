//! What a process sees as its environment.
//!
//! From the weakest to the strongest: the image's (the daemon's own), what is right for the user and the place
//! (`HOME`, `USER`, `LOGNAME`, `SHELL`, `TZ`, `LANG`), the box's, the unit's files, the unit's own, and last what
//! tells a program that it runs in a box.

use std::ffi::{OsStr, OsString};

use super::place::Place;
use super::users::Credentials;
use crate::identity::Identity;

/// The search path where the image sets none, as Docker has it.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables in a stable order; each name is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment of this process.
    pub fn of_this_process() -> Self {
        std::env::vars_os().collect()
    }

    /// Sets a variable; an earlier value of the same name is replaced where it stands.
    ///
    /// A name that is empty or holds `=` or NUL, or a value with a NUL, cannot be in an environment and is left out.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        let (name, value) = (name.into(), value.into());
        let bytes = name.as_encoded_bytes();
        if bytes.is_empty()
            || bytes.contains(&b'=')
            || bytes.contains(&0)
            || value.as_encoded_bytes().contains(&0)
        {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name, value)),
        }
    }

    /// The value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        let name = name.as_ref();
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// All variables.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut environment = Self::new();
        for (name, value) in pairs {
            environment.set(name, value);
        }
        environment
    }
}

/// What an environment is made from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The image's environment: the daemon's own.
    pub base: &'a Environment,
    /// The box.
    pub identity: &'a Identity,
    /// The user of the process.
    pub credentials: &'a Credentials,
    /// Time zone and locale that the image knows, from [`Place::find`].
    pub place: &'a Place,
    /// Variables of the unit's files, in order; later ones win.
    pub files: &'a [(String, String)],
    /// The unit's own variables.
    pub unit: &'a [(String, String)],
}

/// Composes the environment of a unit, shell or exec.
pub fn compose(sources: &Sources<'_>) -> Environment {
    let mut environment = sources.base.clone();
    if environment.get("PATH").is_none() {
        environment.set("PATH", DEFAULT_PATH);
    }
    environment.set("HOME", &sources.credentials.home);
    environment.set("USER", &sources.credentials.name);
    environment.set("LOGNAME", &sources.credentials.name);
    environment.set("SHELL", &sources.credentials.shell);
    if let Some(timezone) = &sources.place.timezone {
        environment.set("TZ", timezone);
    }
    if let Some(lang) = &sources.place.lang {
        environment.set("LANG", lang);
    }
    for (name, value) in sources
        .identity
        .env
        .iter()
        .chain(sources.files)
        .chain(sources.unit)
    {
        environment.set(name, value);
    }
    environment.set("AGENTBOX", "1");
    environment.set("AGENTBOX_BOX_NAME", &sources.identity.name);
    environment.set("AGENTBOX_BOX_ID", &sources.identity.id);
    if let Some(url) = &sources.identity.url {
        environment.set("AGENTBOX_URL", url);
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn stronger_sources_win() {
        let base: Environment = [
            ("A", "image"),
            ("B", "image"),
            ("C", "image"),
            ("D", "image"),
            ("HOME", "/root"),
        ]
        .into_iter()
        .collect();
        let identity = Identity {
            id: "id1".into(),
            name: "web".into(),
            env: pairs(&[
                ("B", "box"),
                ("C", "box"),
                ("D", "box"),
                ("AGENTBOX", "no"),
                ("TZ", "UTC"),
            ]),
            url: Some("http://web.localhost".into()),
            ..Identity::default()
        };
        let credentials = super::super::users::lookup("1000", std::path::Path::new("/nonexistent")).unwrap();
        let place = Place {
            timezone: Some("Europe/Zurich".into()),
            lang: Some("C.UTF-8".into()),
        };
        let environment = compose(&Sources {
            base: &base,
            identity: &identity,
            credentials: &credentials,
            place: &place,
            files: &pairs(&[("C", "file"), ("D", "file"), ("C", "later file")]),
            unit: &pairs(&[("D", "unit")]),
        });
        let text: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
            .collect();
        assert_eq!(
            text,
            [
                "A=image",
                "B=box",
                "C=later file",
                "D=unit",
                "HOME=/",
                &format!("PATH={DEFAULT_PATH}"),
                "USER=1000",
                "LOGNAME=1000",
                "SHELL=/bin/sh",
                "TZ=UTC",
                "LANG=C.UTF-8",
                "AGENTBOX=1",
                "AGENTBOX_BOX_NAME=web",
                "AGENTBOX_BOX_ID=id1",
                "AGENTBOX_URL=http://web.localhost",
            ]
        );
    }

    #[test]
    fn impossible_variables_are_left_out() {
        let environment: Environment = [("", "x"), ("A=B", "x"), ("C", "x\0y"), ("D", "")]
            .into_iter()
            .collect();
        assert_eq!(environment.iter().count(), 1);
        assert_eq!(environment.get("D"), Some(OsStr::new("")));
    }
}
