//! Which pages may send requests to a box.
//!
//! A box is hostile until proven otherwise, and so is every page that it serves: it must not reach the other boxes through
//! the browser of the person who looks at it, not even blindly. Browsers say which page a request comes from (`Origin`,
//! `Referer`, `Sec-Fetch-Site`), and no page can change that. What comes from elsewhere may only lead a person to a box:
//! a `GET` that replaces what a tab shows. Clients that are no browsers say nothing, and are not asked.

use http::header::{HeaderName, HeaderValue, ORIGIN, REFERER};
use http::{HeaderMap, Method};

use super::host::{self, Authority, Site};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Where a request comes from.
#[derive(Debug, PartialEq, Eq)]
enum Initiator {
    /// A page of this machine.
    Local(Authority),
    /// Another page, one that hides where it is from, or one whose origin cannot be told.
    Elsewhere,
    /// Nobody says.
    Unsaid,
}

/// Whether a request to `here` may be answered. `port` is where we listen; `is_foreign_port` tells whether a loopback
/// port is known to lead to another box.
pub(super) fn may_ask(
    method: &Method,
    headers: &HeaderMap,
    here: &Authority,
    port: u16,
    is_foreign_port: impl FnOnce(u16) -> bool,
) -> bool {
    let site = text(headers, &SEC_FETCH_SITE);
    if matches!(site, Some("same-origin" | "none")) {
        return true;
    }
    if is_visit(method, headers) {
        return true;
    }
    match initiator(headers) {
        Initiator::Local(from) if from == *here => true,
        // Another name of the same box, for which we answer, too: the service's own rules for other origins hold.
        Initiator::Local(from)
            if from.port == here.port
                && from.site.box_name().is_some()
                && from.site.box_name() == here.site.box_name() =>
        {
            true
        }
        // Another box, or our own pages, which ask for nothing.
        Initiator::Local(from) if from.port == here.port || from.port == port => false,
        Initiator::Local(from) => !is_foreign_port(from.port),
        Initiator::Elsewhere => false,
        Initiator::Unsaid => site.is_none(),
    }
}

/// Whether nothing says that a page of another origin sends a request: for what no other page may ask, not even blindly.
/// Every header that says something has to be content.
pub(super) fn is_own(headers: &HeaderMap, here: &Authority) -> bool {
    let mut sites = headers.get_all(&SEC_FETCH_SITE).iter();
    let is_ours = |url: &HeaderValue| url.to_str().ok().and_then(authority).as_ref() == Some(here);
    sites.all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"))
        && headers.get_all(ORIGIN).iter().all(is_ours)
        && headers.get_all(REFERER).iter().all(is_ours)
}

/// Whether somebody follows a link, as far as one can tell: the answer takes the place of a whole tab.
fn is_visit(method: &Method, headers: &HeaderMap) -> bool {
    (method == Method::GET || method == Method::HEAD)
        && text(headers, &SEC_FETCH_MODE) == Some("navigate")
        && text(headers, &SEC_FETCH_DEST) == Some("document")
}

fn initiator(headers: &HeaderMap) -> Initiator {
    let origin = headers.get(ORIGIN);
    // A sandboxed frame has no origin of its own, but may say which page it is in.
    let named = match origin.map(|origin| origin.as_bytes()) {
        Some(b"null") | None => headers.get(REFERER),
        Some(_) => origin,
    };
    match named {
        None if origin.is_some() => Initiator::Elsewhere,
        None => Initiator::Unsaid,
        Some(url) => match url.to_str().ok().and_then(authority) {
            Some(authority) if authority.site != Site::Foreign => Initiator::Local(authority),
            _ => Initiator::Elsewhere,
        },
    }
}

/// The authority of an `http` URL. A page that came over TLS did not come from here.
fn authority(url: &str) -> Option<Authority> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    host::parse(&rest[..end])
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a request with these headers may reach `b.localhost:7080`; `a` is published at 32768.
    fn asks(method: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let here = host::parse("b.localhost:7080").unwrap();
        may_ask(&method.parse().unwrap(), &headers, &here, 7080, |port| {
            port == 32768
        })
    }

    /// Whether a request with these headers to `localhost:7080` is one of no other origin.
    fn owns(headers: &[(&'static str, &str)]) -> bool {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        is_own(&all, &host::parse("localhost:7080").unwrap())
    }

    #[test]
    fn what_no_other_page_may_ask_is_refused_by_any_header() {
        for headers in [
            &[][..],
            &[("sec-fetch-site", "none")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://localhost:7080"),
            ],
            &[("referer", "http://localhost:7080/")],
        ] {
            assert!(owns(headers), "{headers:?}");
        }
        for headers in [
            &[("sec-fetch-site", "same-site")][..],
            &[
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
            &[
                ("sec-fetch-site", "same-origin"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("sec-fetch-site", "Same-Origin")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://b.localhost:7080"),
            ],
            &[("origin", "null")],
            &[("origin", "http://b.localhost:7080")],
            &[("origin", "http://a.b.localhost:7080")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "https://localhost:7080")],
            &[
                ("origin", "http://localhost:7080"),
                ("origin", "http://example.com"),
            ],
            &[("referer", "http://example.com/")],
            &[("origin", "")],
        ] {
            assert!(!owns(headers), "{headers:?}");
        }
    }

    #[test]
    fn programs_and_a_box_s_own_pages_may_ask() {
        assert!(asks("POST", &[]));
        assert!(asks(
            "GET",
            &[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")]
        ));
        assert!(asks(
            "POST",
            &[
                ("sec-fetch-site", "same-origin"),
                ("origin", "http://b.localhost:7080")
            ]
        ));
        // A browser without Sec-Fetch, and a WebSocket, which has none.
        assert!(asks("POST", &[("origin", "http://b.localhost:7080")]));
        assert!(asks("GET", &[("referer", "http://B.localhost:7080/page?x")]));
        // A sandboxed frame of its own.
        assert!(asks(
            "GET",
            &[
                ("sec-fetch-site", "cross-site"),
                ("origin", "null"),
                ("referer", "http://b.localhost:7080/")
            ]
        ));
    }

    #[test]
    fn apps_of_one_box_may_ask_each_other_and_its_service() {
        for method in ["GET", "POST", "OPTIONS"] {
            let headers = [
                ("origin", "http://x.b.localhost:7080"),
                ("sec-fetch-site", "same-site"),
            ];
            assert!(asks(method, &headers));
            let app = host::parse("y.b.localhost:7080").unwrap();
            for (from, may) in [
                ("http://b.localhost:7080", true),
                ("http://x.b.localhost:7080", true),
                ("http://y.a.localhost:7080", false),
                ("http://a.localhost:7080", false),
                ("http://localhost:7080", false),
                ("http://evil.example", false),
                ("http://x.b.localhost:32768", false),
            ] {
                let headers = [(ORIGIN, from.parse().unwrap())].into_iter().collect();
                let method = method.parse().unwrap();
                let asked = may_ask(&method, &headers, &app, 7080, |port| port == 32768);
                assert_eq!(asked, may, "{from}");
            }
        }
    }

    #[test]
    fn pages_of_other_boxes_may_not() {
        for from in [
            "http://a.localhost:7080",
            "http://localhost:7080",
            "http://b.a.localhost:7080",
            "http://x.y.b.localhost:7080",
            "http://127.0.0.1:32768",
            "http://b.localhost:32768",
            "http://x.b.localhost:32768",
            "http://evil.example",
            "https://b.localhost:7080",
            "http://b.localhost:7080@evil.example",
            "null",
            "",
        ] {
            for method in ["GET", "POST", "OPTIONS"] {
                assert!(!asks(method, &[("origin", from)]), "{from}");
                assert!(
                    !asks(method, &[("origin", from), ("sec-fetch-site", "cross-site")]),
                    "{from}"
                );
            }
        }
        // Without an Origin: images, scripts, frames, and pages that hide their address.
        assert!(!asks("GET", &[("referer", "http://a.localhost:7080/")]));
        for destination in ["image", "script", "iframe", "empty", "object"] {
            for site in ["cross-site", "same-site"] {
                let headers = [
                    ("sec-fetch-site", site),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", destination),
                ];
                assert!(!asks("GET", &headers), "{destination}");
            }
        }
    }

    #[test]
    fn a_person_may_follow_a_link_but_no_form_is_sent_from_elsewhere() {
        let visit = [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("referer", "http://a.localhost:7080/"),
        ];
        assert!(asks("GET", &visit));
        assert!(!asks("POST", &visit));
    }

    #[test]
    fn a_page_of_this_machine_that_is_no_box_s_may_ask() {
        assert!(asks(
            "POST",
            &[
                ("origin", "http://localhost:5173"),
                ("sec-fetch-site", "cross-site")
            ]
        ));
        assert!(asks("OPTIONS", &[("origin", "http://127.0.0.1:3000")]));
    }
}
