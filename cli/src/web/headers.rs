//! What of a message is between two machines only, and what we say of the client.

use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_TYPE, COOKIE, EXPECT, FORWARDED, HeaderName, HeaderValue, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, Version};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// The protocol that a message asks to change to. That of HTTP/2 is not offered: its request would reach the service as
/// one that nobody looks at.
pub(super) fn wanted_upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    if version != Version::HTTP_11 || !names(headers, &CONNECTION, "upgrade") {
        return None;
    }
    let wanted = headers.get(UPGRADE)?;
    let is_http2 = wanted.to_str().ok().is_none_or(|wanted| {
        wanted
            .split(',')
            .any(|word| word.trim().eq_ignore_ascii_case("h2c"))
    });
    (!is_http2).then(|| wanted.clone())
}

/// Whether a request's meaning depends on HTTP/2.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

/// Whether the client waits for leave to send its body.
pub(super) fn expects_continue(headers: &HeaderMap) -> bool {
    headers
        .get(EXPECT)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Removes what concerns one connection only, also what `Connection` names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|word| HeaderName::try_from(word.trim()).ok())
            // Would take away whom the message is for.
            .filter(|name| name != http::header::HOST)
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in [
        CONNECTION,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION,
        HTTP2_SETTINGS,
        TE,
        TRANSFER_ENCODING,
        UPGRADE,
    ] {
        headers.remove(name);
    }
}

/// Makes a client's request one of ours: `host` as the client wrote it, and who asks, in place of what it says itself.
pub(super) fn prepare(headers: &mut HeaderMap, host: &HeaderValue, client: IpAddr) {
    let takes_trailers = names(headers, &TE, "trailers");
    remove_hop_by_hop(headers);
    if takes_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    let claimed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().starts_with("x-forwarded-"))
        .cloned()
        .collect();
    for name in claimed {
        headers.remove(name);
    }
    headers.remove(FORWARDED);
    headers.remove(X_REAL_IP);
    join_cookies(headers);
    headers.insert(http::header::HOST, host.clone());
    let client = client.to_canonical().to_string();
    if let Ok(client) = HeaderValue::try_from(client) {
        headers.insert(X_FORWARDED_FOR, client);
    }
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
}

/// HTTP/2 may give each cookie a line of its own; HTTP/1 knows one line.
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let all: Vec<&[u8]> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if let Ok(joined) = HeaderValue::from_bytes(&all.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Whether a list of words has this one.
fn names(headers: &HeaderMap, list: &HeaderName, wanted: &str) -> bool {
    headers
        .get_all(list)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn prepared(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = headers(lines);
        let host = HeaderValue::from_static("b.localhost:7080");
        prepare(&mut headers, &host, "::ffff:127.0.0.1".parse().unwrap());
        headers
    }

    #[test]
    fn a_client_cannot_say_who_it_is() {
        let headers = prepared(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", "10.0.0.2"),
            ("x-forwarded-prefix", "/admin"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("accept", "*/*"),
        ]);
        let expected = [
            ("accept", "*/*"),
            ("host", "b.localhost:7080"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "b.localhost:7080"),
            ("x-forwarded-proto", "http"),
        ];
        let mut got: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        got.sort_unstable();
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_between_two_machines_stays_there() {
        let headers = prepared(&[
            ("connection", "close, X-Mine"),
            ("connection", "host, te"),
            ("x-mine", "1"),
            ("keep-alive", "5"),
            ("proxy-connection", "close"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABk"),
        ]);
        assert_eq!(headers["host"], "b.localhost:7080");
        assert_eq!(
            (&headers["te"], &headers["connection"]),
            (&"trailers".parse().unwrap(), &"te".parse().unwrap())
        );
        for name in [
            "x-mine",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "upgrade",
            "http2-settings",
        ] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn cookies_come_in_one_line() {
        let headers = prepared(&[("cookie", "a=1"), ("cookie", "b=2; c=3")]);
        let cookies: Vec<_> = headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn upgrades_but_not_to_http2() {
        let wanted = |value| {
            let headers = headers(&[("connection", "keep-alive, Upgrade"), ("upgrade", value)]);
            wanted_upgrade(&headers, Version::HTTP_11)
        };
        assert_eq!(wanted("websocket").unwrap(), "websocket");
        assert_eq!(wanted("h2c"), None);
        assert_eq!(wanted("websocket, H2C"), None);
        assert_eq!(
            wanted_upgrade(&headers(&[("upgrade", "websocket")]), Version::HTTP_11),
            None
        );
    }
}
