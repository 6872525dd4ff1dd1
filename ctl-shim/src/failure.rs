//! The error that reaches a user: what failed, why, and what to do next.
//!
//! Both binaries print a [`Failure`] in one place, as `error: …`, `caused by: …` and `hint: …` lines, and map
//! its [`Kind`] to the exit code in one function.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What sort of failure it is; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something did not work: exit code 1.
    Failed,
    /// The command line or a configuration file is wrong: exit code 2.
    Usage,
    /// No such box or unit, or more than one that could be meant: exit code 3.
    NotFound,
    /// The Docker engine cannot be reached: exit code 4.
    EngineUnreachable,
    /// A deadline passed: exit code 124.
    Timeout,
    /// Somebody wanted the command to end, by a signal: exit code 130. No error to talk about.
    Interrupted,
}

impl Kind {
    /// The process exit code of this kind.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::EngineUnreachable => 4,
            Self::Timeout => 124,
            Self::Interrupted => 130,
        }
    }
}

/// A failure as a user sees it. Messages are lowercase fragments without a full stop.
///
/// `Display` prints the message alone; causes and hints are separate so that no text appears twice.
/// It travels over the protocol unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The sort of failure.
    pub kind: Kind,
    /// What failed.
    pub message: String,
    /// Why, from the nearest cause to the root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// What to try next; each names a command or an edit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Text that is printed as it is instead of an `error:` line: rendered configuration errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
}

impl Failure {
    /// A failure of `kind` with this message.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            rendered: None,
        }
    }

    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    /// Exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Exit code 3.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// Exit code 124.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    /// Adds `error` and everything beneath it as causes.
    #[must_use]
    pub fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            if self.causes.last() != Some(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds one cause that is only text.
    #[must_use]
    pub fn cause(mut self, text: impl Into<String>) -> Self {
        self.causes.push(text.into());
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, text: impl Into<String>) -> Self {
        self.hints.push(text.into());
        self
    }

    /// The lines to print: `error:`, `caused by:` and `hint:`, or the rendered text where there is one.
    pub fn render(&self) -> String {
        let mut text = match &self.rendered {
            Some(rendered) => rendered.trim_end().to_owned(),
            None => format!("error: {}", self.message),
        };
        for cause in &self.causes {
            text.push_str("\n  caused by: ");
            text.push_str(cause);
        }
        for hint in &self.hints {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text.push('\n');
        text
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_causes_and_hints_once_each() {
        let cause = std::io::Error::other("connection refused");
        let failure = Failure::failed("cannot start box `x`")
            .because(&cause)
            .hint("agentbox doctor");
        assert_eq!(
            failure.render(),
            "error: cannot start box `x`\n  caused by: connection refused\nhint: agentbox doctor\n"
        );
        assert_eq!(failure.to_string(), "cannot start box `x`");
    }
}
