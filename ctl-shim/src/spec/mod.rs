//! Service specs and setup scripts: units that belong to a person, and are attached to whichever box needs them.
//!
//! ```text
//! host: spec store ──(create, start, attach)──► attached.json in the private volume ──► supervisor
//!                                                                                          │
//!                             rigbox-svc-<name> (service), setup-<name> (task) ◄───────────┘
//! ```
//!
//! The words and fields are Rigbox's, whose users know them.

pub mod attached;
pub mod exec_start;
pub mod script;
pub mod service;
pub mod unit;
pub mod unit_file;

pub use attached::{Attachments, Kind, Mark, Marks, Origin};
pub use exec_start::{ExecStart, is_variable};
pub use script::{RunOn, SetupScript, SetupScriptFields};
pub use service::{RestartPolicy, ServiceSpec, ServiceSpecFields};
pub use unit_file::unit_file;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What the unit of a service spec is called: this, and the spec's name.
pub const SERVICE_PREFIX: &str = "rigbox-svc-";
/// What the task of a setup script is called: this, and the script's name.
pub const SCRIPT_PREFIX: &str = "setup-";
/// Longest name: with the longer prefix it is as long as a unit's name may be.
pub const LONGEST_NAME: usize = 52;
/// Digits of an id, after its prefix.
const ID_DIGITS: usize = 12;

/// Something of a person's as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<F> {
    /// A prefix that tells what it is, and twelve hexadecimal digits; never changes.
    pub id: String,
    /// What its owner said.
    #[serde(flatten)]
    pub fields: F,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One thing that is wrong with a spec or a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// The field, as users write it.
    pub field: String,
    /// What is wrong, without the field's name.
    pub message: String,
}

impl Invalid {
    /// A mistake in `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// Whether text has letters, digits, `_` and `-`, and nothing else.
pub(crate) fn is_word(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Checks a name.
fn check_name(name: &str, wrong: &mut Vec<Invalid>) {
    if name.is_empty() {
        wrong.push(Invalid::new("name", "it is empty"));
    } else if !is_word(name) {
        wrong.push(Invalid::new(
            "name",
            "only letters, digits, `_` and `-` can be in it",
        ));
    } else if name.len() > LONGEST_NAME {
        wrong.push(Invalid::new(
            "name",
            format!("it has {} characters; {LONGEST_NAME} may be", name.len()),
        ));
    } else if is_like_an_id(name) {
        // Whoever deletes by id a second time must not meet another thing that is called so.
        wrong.push(Invalid::new("name", "it has the form of an id"));
    }
}

/// Whether a name could be taken for the id of a spec or script.
fn is_like_an_id(name: &str) -> bool {
    let digits = name.strip_prefix("svc_").or_else(|| name.strip_prefix("ss_"));
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digits.is_some_and(|digits| digits.len() == ID_DIGITS && digits.bytes().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_no_ids() {
        let wrong = |name: &str| {
            let mut wrong = Vec::new();
            check_name(name, &mut wrong);
            wrong.pop().map(|wrong| wrong.message).unwrap_or_default()
        };
        for name in [
            "api",
            "-",
            "svc_",
            "svc_c98dd9b6774",
            "svc_C98DD9B6774B",
            "ss_worker",
        ] {
            assert_eq!(wrong(name), "", "{name}");
        }
        for name in ["svc_c98dd9b6774b", "ss_bf94ae1f6f3c"] {
            assert_eq!(wrong(name), "it has the form of an id");
        }
        assert!(wrong("a b").contains("only letters"));
        assert!(wrong(&"x".repeat(53)).contains("52 may be"));
    }
}
