//! The HTTP API as curl sees it.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::{Project, process};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// The API of a project's own relay.
#[derive(Debug)]
pub struct Api<'a> {
    /// Whose relay serves it.
    pub project: &'a Project,
    /// Where it is, `/api` included.
    pub url: String,
    /// What opens it.
    pub token: String,
}

/// An answer: status and body.
pub type Answer = (u16, Value);

impl<'a> Api<'a> {
    /// Has it switched on.
    #[track_caller]
    pub fn enable(project: &'a Project) -> Self {
        let state = project.run(&["api", "enable", "--json"]).ok().json();
        assert_eq!(state["enabled"], true);
        let text = |field: &str| state[field].as_str().expect("text").to_owned();
        Self {
            project,
            url: text("url"),
            token: text("token"),
        }
    }

    /// Calls curl with these arguments.
    #[track_caller]
    pub fn curl(&self, method: &str, path: &str, arguments: &[&str]) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "120", "-w", "\n%{http_code}", "-X", method]);
        curl.args(arguments).arg(format!("{}{path}", self.url));
        self.project.hermetic(&mut curl);
        let output = process::run(curl, PATIENCE).ok();
        let (body, status) = output.stdout.rsplit_once('\n').expect("a status");
        (
            status.parse().expect("a number"),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }

    /// Asks with the token.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        self.curl(method, path, &["-H", &bearer])
    }

    /// Sends JSON with the token.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let body = body.to_string();
        let kind = "Content-Type: application/json";
        self.curl(method, path, &["-H", &bearer, "-H", kind, "-d", &body])
    }

    /// Sends it, and wants this status.
    #[track_caller]
    pub fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (got, answer) = if body.is_null() {
            self.ask(method, path)
        } else {
            self.send(method, path, body)
        };
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        answer
    }
}
