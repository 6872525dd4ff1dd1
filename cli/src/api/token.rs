//! The token: who has it may use the API. That there is one means that the API is on.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// What a token begins with, so that it is known for what it is where it lies about.
const PREFIX: &str = "agentbox_";
/// Random bytes of a token.
const LENGTH: usize = 32;
/// Largest file that is read, in bytes.
const LIMIT: u64 = 64 << 10;
/// Name of the file in the state directory.
const FILE: &str = "api-token.json";

/// A token, and what it gives access to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The token.
    pub token: String,
    /// URL of the engine that the API is about; `None` for the one that the relay finds.
    #[serde(default)]
    pub engine: Option<String>,
}

/// The file of the token. It is small and read anew for each request, so that what is changed counts at once.
#[derive(Debug, Clone)]
pub struct Access {
    path: PathBuf,
}

impl Access {
    /// The one in a relay's state directory.
    pub fn new(state_directory: &Path) -> Self {
        Self {
            path: state_directory.join(FILE),
        }
    }

    /// The token; `None` while the API is off. A file that is none counts as none, too.
    pub fn read(&self) -> Option<Token> {
        let found = fs::metadata(&self.path).ok()?;
        if !found.is_file() || found.len() > LIMIT {
            return None;
        }
        let token: Token = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        token.token.starts_with(PREFIX).then_some(token)
    }

    /// Makes a new token, in place of any that there is.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn renew(&self, engine: Option<String>) -> Result<Token, Failure> {
        let mut bytes = [0_u8; LENGTH];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| Failure::failed("the system gives no random bytes for a token"))?;
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = Token {
            token: format!("{PREFIX}{digits}"),
            engine,
        };
        self.write(&token).map_err(|error| self.cannot("write", &error))?;
        Ok(token)
    }

    fn write(&self, token: &Token) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        // Its owner's alone from the first byte on.
        let mut file = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer(&mut file, token)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Takes the token away; whether there was one.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(&self) -> Result<bool, Failure> {
        match fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.cannot("remove", &error)),
        }
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Failure {
        Failure::failed(format!("cannot {what} {}", self.path.display())).because(error)
    }
}

/// Compares texts in a time that does not tell where they differ.
#[derive(Debug)]
pub(super) struct Comparison(hmac::Key);

impl Comparison {
    /// With a key that nobody knows.
    ///
    /// # Errors
    /// A system without random bytes.
    pub(super) fn new() -> Result<Self, Failure> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new())
            .map(Self)
            .map_err(|_| Failure::failed("the system gives no random bytes"))
    }

    /// Whether the two are the same.
    pub(super) fn are_same(&self, one: &[u8], other: &[u8]) -> bool {
        let tag = hmac::sign(&self.0, one);
        hmac::verify(&self.0, other, tag.as_ref()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn it_is_its_owner_s_alone_and_another_one_each_time() {
        let directory = tempfile::tempdir().unwrap();
        let access = Access::new(directory.path());
        assert_eq!((access.read(), access.remove()), (None, Ok(false)));
        let first = access.renew(Some("unix:///e".into())).unwrap();
        assert_eq!(access.read().as_ref(), Some(&first));
        let second = access.renew(None).unwrap();
        assert!(second != first && second.token.len() == PREFIX.len() + 2 * LENGTH);
        let path = directory.path().join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        for text in ["", "{}", "{\"token\":\"\"}", "{\"token\":1}"] {
            fs::write(&path, text).unwrap();
            assert_eq!(access.read(), None, "{text}");
        }
        assert_eq!((access.remove(), access.read()), (Ok(true), None));
    }

    #[test]
    fn what_is_the_same() {
        let comparison = Comparison::new().unwrap();
        assert!(comparison.are_same(b"abc", b"abc"));
        assert!(!comparison.are_same(b"abc", b"abd"));
        assert!(!comparison.are_same(b"abc", b"ab"));
        assert!(!comparison.are_same(b"abc", b""));
    }
}
