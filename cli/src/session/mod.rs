//! One command in a box as if it ran here: `exec` and `shell`.
//!
//! ```text
//! stdin ──────► thread ──► frames ──┐
//! SIGWINCH ───► resize ──► frames ──┼──► docker exec `agentbox-ctl session …` ──► stdout, stderr
//! SIGINT, … ──► signal ──► frames ──┘                                         └─► exit code
//! ```
//!
//! What goes to the box is framed, since signals and window sizes have to pass too; what comes back is raw, and
//! written as it arrives. The end of the frames tells the session that we are gone, and it ends the command's tree.

mod input;
mod pump;
mod signals;

use std::ffi::OsString;

use agentbox_ctl::protocol::session::SessionFrame;

pub use self::pump::{Ending, Output, Source, Wire, pump};
pub use self::signals::{Notice, Signals};
use crate::terminal::Size;

/// The bytes of a frame.
fn encoded(frame: SessionFrame<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

/// What to run, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The user; the box user where there is none.
    pub user: Option<String>,
    /// The directory; the workspace where there is none.
    pub directory: Option<String>,
    /// `KEY=VALUE` each.
    pub env: Vec<String>,
    /// The terminal to make, with its size and the value of `TERM`.
    pub terminal: Option<(Size, Option<String>)>,
    /// The command; a login shell where it is empty.
    pub command: Vec<OsString>,
}

impl Request {
    /// The command line for the box.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec![agentbox_ctl::paths::BINARY.into(), "session".into()];
        let mut option = |name: &str, value: &str| arguments.extend([name.into(), value.into()]);
        if let Some(user) = &self.user {
            option("--user", user);
        }
        if let Some(directory) = &self.directory {
            option("--cwd", directory);
        }
        for variable in &self.env {
            option("-e", variable);
        }
        if let Some((size, term)) = &self.terminal {
            option("--tty", &format!("{}x{}", size.columns, size.rows));
            if let Some(term) = term {
                option("--term", term);
            }
        }
        if self.command.is_empty() {
            arguments.push("--login-shell".into());
        } else {
            arguments.push("--".into());
            arguments.extend(self.command.iter().cloned());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_a_shell() {
        let request = Request {
            user: Some("root".to_owned()),
            directory: Some("/tmp".to_owned()),
            env: vec!["A=b c".to_owned()],
            terminal: Some((
                Size {
                    columns: 100,
                    rows: 30,
                },
                Some("xterm".to_owned()),
            )),
            command: vec!["ls".into(), "--".into(), "-l".into()],
        };
        assert_eq!(
            request.arguments(),
            [
                "/usr/local/bin/agentbox-ctl",
                "session",
                "--user",
                "root",
                "--cwd",
                "/tmp",
                "-e",
                "A=b c",
                "--tty",
                "100x30",
                "--term",
                "xterm",
                "--",
                "ls",
                "--",
                "-l"
            ]
        );
        assert_eq!(
            Request::default().arguments(),
            ["/usr/local/bin/agentbox-ctl", "session", "--login-shell"]
        );
    }
}
