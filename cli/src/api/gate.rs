//! The door: what is not to be answered goes no further than here.

use std::time::Duration;

use agentbox_ctl::failure::Failure;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue,
    RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::error::{Error, Reply};
use super::openapi;
use super::route::{self, Found, Operation};
use super::token::{Access, Comparison, Token};

/// Largest body in bytes: a script of a megabyte, with room for how JSON writes it.
pub(super) const LARGEST_BODY: usize = 2 << 20;
/// Longest path in bytes.
const LONGEST_PATH: usize = 8 << 10;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// How many requests are worked on at once.
const AT_ONCE: usize = 8;
/// How long a request waits until it is one of them.
const QUEUE_PATIENCE: Duration = Duration::from_secs(30);
/// Path of everything.
const ROOT: &str = "/api";
/// Path of the document.
const DOCUMENT: &str = "/api/openapi.json";

const SAVED: HeaderName = HeaderName::from_static("agentbox-saved");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What is to be done for a request that has passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// What.
    pub(super) operation: Operation,
    /// What the path names.
    pub(super) names: Vec<String>,
    /// What was sent.
    pub(super) body: Bytes,
    /// The port that the web proxy answers on, for URLs.
    pub(super) port: u16,
    /// URL of the engine that is meant.
    pub(super) engine: Option<String>,
}

/// Whoever does it.
pub(super) trait Worker: std::fmt::Debug + Send + Sync {
    /// Does a job. Dropped before its end, it undoes what is half made.
    fn work(&self, job: Job) -> BoxFuture<'_, Reply>;
}

/// The door to the API of one user.
#[derive(Debug)]
pub struct Gate {
    access: Access,
    comparison: Comparison,
    worker: Box<dyn Worker>,
    slots: Semaphore,
}

/// Whether a path is one of the API.
pub fn is_below(path: &str) -> bool {
    path.strip_prefix(ROOT)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Gate {
    /// The door with this token.
    ///
    /// # Errors
    /// A system without random bytes.
    #[expect(private_bounds, reason = "the only worker outside of tests is public")]
    pub fn new(access: Access, worker: impl Worker + 'static) -> Result<Self, Failure> {
        Ok(Self {
            access,
            comparison: Comparison::new()?,
            worker: Box::new(worker),
            slots: Semaphore::new(AT_ONCE),
        })
    }

    /// Whether the API is on.
    pub fn is_open(&self) -> bool {
        self.access.read().is_some()
    }

    /// Says no to a request that has not come as far as a path; `None` while the API is off.
    pub fn refuse(&self, status: StatusCode, why: &str) -> Option<Response<Bytes>> {
        self.is_open()
            .then(|| respond(&Error::new(status.as_u16(), why).reply()))
    }

    /// Answers a request below `/api`; `None` while the API is off. `is_foreign` says that a browser sends it for a page of
    /// another origin; `port` is the one that the client used.
    pub async fn answer<B>(&self, request: Request<B>, is_foreign: bool, port: u16) -> Option<Response<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let token = self.access.read()?;
        if is_foreign {
            let why = "pages of other origins have no access to the API";
            return Some(respond(&Error::new(403, why).reply()));
        }
        let path = request.uri().path();
        if path == DOCUMENT {
            return Some(document(&request));
        }
        if !self.is_allowed(&token, request.headers()) {
            let mut response = respond(&Error::new(401, "the token is missing, or not the one").reply());
            let challenge = HeaderValue::from_static("Bearer realm=\"agentbox\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            return Some(response);
        }
        if path.len() > LONGEST_PATH {
            return Some(respond(&Error::new(404, "there is no such path").reply()));
        }
        let (route, names) = match route::find(request.method(), path) {
            Found::Route(route, names) => (route, names),
            Found::Methods(methods) => return Some(not_allowed(&methods)),
            Found::Nothing => {
                let why = "there is no such path; /api/openapi.json has them all";
                return Some(respond(&Error::new(404, why).reply()));
            }
        };
        // Before it takes a slot: one that comes slowly is nobody else's affair.
        let body = match route.body {
            // What is sent along is of no matter.
            None => Bytes::new(),
            Some(_) => match read(request).await {
                Ok(body) => body,
                Err(error) => return Some(respond(&error.reply())),
            },
        };
        let Ok(Ok(_slot)) = timeout(QUEUE_PATIENCE, self.slots.acquire()).await else {
            let mut response = respond(&Error::new(503, "too many requests are under way").reply());
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static("10"));
            return Some(response);
        };
        let job = Job {
            operation: route.operation,
            names,
            body,
            port,
            engine: token.engine,
        };
        Some(respond(&self.worker.work(job).await))
    }

    /// Whether a request has the token, once, and where it belongs.
    fn is_allowed(&self, token: &Token, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else {
            return false;
        };
        let Some((scheme, given)) = split(value.as_bytes()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(b"bearer") && self.comparison.are_same(token.token.as_bytes(), given)
    }
}

/// A scheme, and what follows its blanks.
fn split(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = value.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = value.split_at(blank);
    Some((scheme, rest.trim_ascii()))
}

/// Reads a body of JSON.
async fn read<B>(request: Request<B>) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if !is_json(request.headers()) {
        return Err(Error::new(415, "a body has to be Content-Type: application/json"));
    }
    if request.headers().contains_key(CONTENT_ENCODING) {
        return Err(Error::new(415, "a body has to be without Content-Encoding"));
    }
    let too_large = || Error::new(413, format!("a body may have {LARGEST_BODY} bytes"));
    // Told before it is read, where it says so.
    if request.body().size_hint().lower() > LARGEST_BODY as u64 {
        return Err(too_large());
    }
    let collecting = Limited::new(request.into_body(), LARGEST_BODY).collect();
    match timeout(BODY_PATIENCE, collecting).await {
        Err(_) => Err(Error::new(408, "the body did not come in time")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Error::new(400, "the body broke off")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (all.next(), all.next()) else {
        return false;
    };
    let kind = value.as_bytes().split(|byte| *byte == b';').next();
    kind.is_some_and(|kind| kind.trim_ascii().eq_ignore_ascii_case(b"application/json"))
}

fn document<B>(request: &Request<B>) -> Response<Bytes> {
    if request.method() == http::Method::GET {
        respond(&Reply::of(200, openapi::document()))
    } else {
        not_allowed(&["GET"])
    }
}

fn not_allowed(methods: &[&str]) -> Response<Bytes> {
    let why = format!("this path takes {}", methods.join(", "));
    let mut response = respond(&Error::new(405, why).reply());
    if let Ok(allow) = HeaderValue::try_from(methods.join(", ")) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// A response. No page may use it, and nobody is to keep it.
fn respond(reply: &Reply) -> Response<Bytes> {
    let body = match &reply.body {
        Some(body) => serde_json::to_vec(body).unwrap_or_default(),
        None => Vec::new(),
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if reply.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if let Some(saved) = reply
        .saved
        .as_ref()
        .and_then(|path| HeaderValue::try_from(path).ok())
    {
        headers.insert(SAVED, saved);
    }
    response
}
