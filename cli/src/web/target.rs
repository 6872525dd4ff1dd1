//! Whom a request is for, where it says so clearly.

use http::header::{HOST, HeaderValue};
use http::{HeaderMap, Method, Request, StatusCode, Version};

use super::host::{self, Authority, Site};
use super::page::Notice;

/// Whom a request is for.
#[derive(Debug)]
pub(super) struct Target {
    /// Parsed.
    pub(super) authority: Authority,
    /// As the client wrote it.
    pub(super) host: HeaderValue,
}

/// Reads the target of a request.
///
/// # Errors
/// What to answer where there is none, where there are several that differ, or where it is not of this machine.
pub(super) fn read<B>(request: &Request<B>) -> Result<Target, Notice> {
    if request.method() == Method::CONNECT {
        return Err(Notice::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this is no proxy for other hosts",
        ));
    }
    let bad = |what: &str| Notice::new(StatusCode::BAD_REQUEST, what);
    let uri = request.uri();
    let is_plain =
        request.version() == Version::HTTP_2 || uri.scheme_str().is_none_or(|scheme| scheme == "http");
    if !is_plain {
        return Err(bad("only http is spoken here"));
    }
    let host = match (uri.authority(), only_host(request.headers())?) {
        (None, None) => return Err(bad("the request has no Host")),
        (None, Some(host)) => host.clone(),
        (Some(authority), other) => {
            // Two readers of such a request could take it for two different ones.
            if other.is_some_and(|host| {
                !host
                    .as_bytes()
                    .eq_ignore_ascii_case(authority.as_str().as_bytes())
            }) {
                return Err(bad("the request's target and its Host differ"));
            }
            HeaderValue::from_str(authority.as_str()).map_err(|_| bad("the request has no usable target"))?
        }
    };
    let authority = host
        .to_str()
        .ok()
        .and_then(host::parse)
        .ok_or_else(|| bad("the request's Host is none"))?;
    if authority.site == Site::Foreign {
        return Err(Notice::new(
            StatusCode::FORBIDDEN,
            "only localhost and the names below it are answered here",
        ));
    }
    Ok(Target { authority, host })
}

fn only_host(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Notice> {
    let mut hosts = headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() {
        return Err(Notice::new(
            StatusCode::BAD_REQUEST,
            "the request has several Hosts",
        ));
    }
    Ok(first)
}
