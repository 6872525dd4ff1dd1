//! A setup script: what is done in a box before its services start.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Invalid, Object, SCRIPT_PREFIX, check_name};

/// Most bytes of a script.
pub const LONGEST_CONTENT: usize = 1 << 20;

/// A setup script as it is kept; its id begins with `ss_`.
pub type SetupScript = Object<SetupScriptFields>;

/// What the owner of a setup script says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupScriptFields {
    /// Its name, unique among the setup scripts of one person.
    pub name: String,
    /// The script: a file that is run by its first line's `#!`, without one by `bash`, else `sh`.
    pub content: String,
    /// When it runs.
    #[serde(default)]
    pub run_on: RunOn,
}

/// `run_on`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOn {
    /// Once in a box, and again after a failure. A box that starts from a checkpoint has it behind it.
    #[default]
    FirstBoot,
    /// At each start of the box.
    EveryStart,
}

impl RunOn {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::FirstBoot, Self::EveryStart];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FirstBoot => "first_boot",
            Self::EveryStart => "every_start",
        }
    }

    /// The time that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|time| time.as_str() == word)
    }
}

impl fmt::Display for RunOn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl SetupScriptFields {
    /// Name of its task in a box.
    pub fn unit_name(&self) -> String {
        format!("{SCRIPT_PREFIX}{}", self.name)
    }

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        check_name(&self.name, &mut wrong);
        if self.content.trim().is_empty() {
            wrong.push(Invalid::new("content", "it is empty"));
        } else if self.content.len() > LONGEST_CONTENT {
            wrong.push(Invalid::new(
                "content",
                format!("it is longer than {LONGEST_CONTENT} bytes"),
            ));
        } else if self.content.contains('\0') {
            wrong.push(Invalid::new("content", "a NUL byte cannot be in a script"));
        }
        wrong
    }
}
