//! What a client is told that did not get what it asked for.

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::spec::Invalid;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::spec::{DraftError, Refused};

/// A refusal, as `{"error":{"code","message"}}` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Error {
    /// The HTTP status.
    pub(super) status: u16,
    /// For people: a lowercase fragment.
    pub(super) message: String,
    /// Every single mistake, where there can be several.
    pub(super) details: Vec<Invalid>,
}

/// What can be answered without an error in it, or why not.
pub(super) type Answered = Result<Reply, Error>;

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Reply {
    /// The HTTP status.
    pub(super) status: u16,
    /// JSON; nothing for a 204.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
    /// The file that work was saved to before its box was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) saved: Option<String>,
}

impl Reply {
    /// An answer with an object, or a list.
    pub(super) fn of(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            saved: None,
        }
    }

    /// Done, and there is nothing to say.
    pub(super) fn done() -> Self {
        Self {
            status: 204,
            ..Self::default()
        }
    }
}

/// Statuses and the words for them in `code`, with what each means.
pub(super) const CODES: [(u16, &str, &str); 13] = [
    (400, "malformed", "The body is not JSON."),
    (401, "unauthorized", "There is no token, or not the one."),
    (
        403,
        "forbidden",
        "A browser sent it for a page of another origin.",
    ),
    (404, "not_found", "There is no such thing."),
    (
        405,
        "method_not_allowed",
        "The path takes other methods: see Allow.",
    ),
    (408, "too_slow", "The body did not come in time."),
    (
        409,
        "conflict",
        "The name is taken, or the thing is in another state.",
    ),
    (413, "too_large", "The body is larger than 2 MiB."),
    (
        415,
        "unsupported_media_type",
        "The body is not said to be application/json.",
    ),
    (
        422,
        "invalid",
        "The body is JSON, but something in it is wrong: `details` names every mistake.",
    ),
    (500, "failed", "It did not work."),
    (
        503,
        "unavailable",
        "No Docker engine answers, or too much is under way.",
    ),
    (504, "timeout", "It took too long, and was given up."),
];

impl Error {
    /// An error with this status.
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// There is something wrong with a body.
    pub(super) fn invalid(details: Vec<Invalid>) -> Self {
        let message = match details.as_slice() {
            [only] => format!("{}: {}", only.field, only.message),
            several => format!("{} things are wrong", several.len()),
        };
        Self {
            status: 422,
            message,
            details,
        }
    }

    /// One thing is wrong with a body.
    pub(super) fn wrong(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![Invalid::new(field, message)])
    }

    /// A failure where `status` is what a failure without a kind of its own means.
    pub(super) fn from_failure(failure: &Failure, status: u16) -> Self {
        let status = match failure.kind {
            Kind::Usage => 422,
            Kind::NotFound => 404,
            Kind::EngineUnreachable | Kind::Interrupted => 503,
            Kind::Timeout => 504,
            Kind::Failed => status,
        };
        let message = match &failure.rendered {
            Some(rendered) => rendered.trim_end().to_owned(),
            None => {
                let words = std::iter::once(&failure.message).chain(&failure.causes);
                words.cloned().collect::<Vec<_>>().join(": ")
            }
        };
        Self::new(status, message)
    }

    /// The answer.
    pub(super) fn reply(&self) -> Reply {
        let known = CODES.iter().find(|(status, ..)| *status == self.status);
        let mut error = json!({
            "code": known.map_or("failed", |(_, code, _)| code),
            "message": self.message,
        });
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        Reply::of(self.status, json!({ "error": error }))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::from_failure(&failure, 500)
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken(failure) => Self::new(409, failure.message),
            Refused::Missing(failure) => Self::new(404, failure.message),
            Refused::Failed(failure) => failure.into(),
        }
    }
}

impl From<DraftError> for Error {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Malformed(message) => Self::new(400, message),
            DraftError::Invalid(details) => Self::invalid(details),
        }
    }
}
