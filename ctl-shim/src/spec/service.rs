//! A service spec: a service that is defined once and attached to boxes by name.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::exec_start::{ExecStart, is_variable};
use super::{Invalid, Object, SERVICE_PREFIX, check_name};

/// Most bytes of `exec_start`, and of a variable.
const LONGEST_TEXT: usize = 64 << 10;
/// Most bytes of everything in a spec: what a box keeps of it is read whole.
const LONGEST_WHOLE: usize = 1 << 20;

/// A service spec as it is kept; its id begins with `svc_`.
pub type ServiceSpec = Object<ServiceSpecFields>;

/// What the owner of a service spec says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSpecFields {
    /// Its name, unique among the specs of one person.
    pub name: String,
    /// The command, split as systemd splits `ExecStart=`.
    pub exec_start: String,
    /// Variables of the service. They win over those of the file.
    #[serde(default)]
    pub env_vars: BTreeMap<String, String>,
    /// A file of the box with more of them, in systemd's syntax. A leading `-` makes it optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_file: Option<String>,
    /// What happens when it ends.
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    /// Whether it starts with the box.
    #[serde(default)]
    pub auto_enable: bool,
}

/// `restart_policy`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Whenever it ends.
    Always,
    /// When it fails.
    #[default]
    OnFailure,
    /// Never.
    No,
}

impl RestartPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Always, Self::OnFailure, Self::No];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OnFailure => "on-failure",
            Self::No => "no",
        }
    }

    /// The policy that a word names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.as_str() == word)
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl ServiceSpecFields {
    /// Name of its unit in a box.
    pub fn unit_name(&self) -> String {
        format!("{SERVICE_PREFIX}{}", self.name)
    }

    /// Everything that is wrong with it.
    pub fn check(&self) -> Vec<Invalid> {
        let mut wrong = Vec::new();
        check_name(&self.name, &mut wrong);
        if self.exec_start.len() > LONGEST_TEXT {
            wrong.push(Invalid::new(
                "exec_start",
                format!("it is longer than {LONGEST_TEXT} bytes"),
            ));
        } else if let Err(message) = ExecStart::parse(&self.exec_start) {
            wrong.push(Invalid::new("exec_start", message));
        }
        let mut whole = self.exec_start.len();
        for (name, value) in &self.env_vars {
            whole += name.len() + value.len();
            let field = format!("env_vars.{name}");
            if !is_variable(name) {
                wrong.push(Invalid::new(
                    field,
                    "a variable's name has letters, digits and `_`, and does not begin with a digit",
                ));
            } else if value.contains('\0') {
                wrong.push(Invalid::new(field, "a NUL byte cannot be in a variable"));
            } else if value.len() > LONGEST_TEXT {
                wrong.push(Invalid::new(
                    field,
                    format!("it is longer than {LONGEST_TEXT} bytes"),
                ));
            }
        }
        if whole > LONGEST_WHOLE {
            wrong.push(Invalid::new(
                "env_vars",
                format!("all together they are longer than {LONGEST_WHOLE} bytes"),
            ));
        }
        if let Some(file) = &self.environment_file {
            let path = file.strip_prefix('-').unwrap_or(file);
            if !path.starts_with('/') {
                wrong.push(Invalid::new(
                    "environment_file",
                    "it is no absolute path; one of the box is meant, such as /home/developer/app/.env",
                ));
            } else if path.chars().any(char::is_control) || path.len() > 4096 {
                wrong.push(Invalid::new("environment_file", "it is no path"));
            }
        }
        wrong
    }
}
