//! URLs of `http` probes, taken apart.

use std::net::Ipv6Addr;

/// Where an `http` probe sends its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTarget {
    /// Whether the connection is encrypted.
    pub https: bool,
    /// Name or address, an IPv6 address without its brackets.
    pub host: String,
    /// TCP port, by default 80 or 443.
    pub port: u16,
    /// The request target: starts with `/`, holds the query and no fragment.
    pub path_and_query: String,
}

impl HttpTarget {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// Why it is not one that can be probed, as a lowercase fragment.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or("it has to start with http:// or https://")?;
        let https = if scheme.eq_ignore_ascii_case("https") {
            true
        } else if scheme.eq_ignore_ascii_case("http") {
            false
        } else {
            return Err("it has to start with http:// or https://");
        };
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("blanks, control characters and letters beyond ASCII have to be percent-encoded");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("a user name or password cannot be given");
        }
        let (host, port) = Self::split_authority(authority)?;
        let port = match port {
            None | Some("") => {
                if https {
                    443
                } else {
                    80
                }
            }
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|&port| port != 0)
                .ok_or("its port has to be from 1 to 65535")?,
            Some(_) => return Err("its port has to be a number"),
        };
        let path_and_query = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            https,
            host: host.to_owned(),
            port,
            path_and_query,
        })
    }

    fn split_authority(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
        if let Some(bracketed) = authority.strip_prefix('[') {
            let (host, rest) = bracketed
                .split_once(']')
                .ok_or("its IPv6 address lacks a closing bracket")?;
            host.parse::<Ipv6Addr>()
                .map_err(|_| "what stands between the brackets is not an IPv6 address")?;
            return match rest.strip_prefix(':') {
                Some(port) => Ok((host, Some(port))),
                None if rest.is_empty() => Ok((host, None)),
                None => Err("only a port can follow its IPv6 address"),
            };
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if host.is_empty() {
            return Err("it has no host");
        }
        if port.is_some_and(|port| port.contains(':')) {
            return Err("an IPv6 address has to stand between brackets");
        }
        let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !host.bytes().all(is_host_byte) || host.starts_with('.') || host.contains("..") {
            return Err("its host is not a name or an address");
        }
        Ok((host, port))
    }

    /// The value of the `Host` header.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let default = if self.https { 443 } else { 80 };
        if self.port == default {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parts(url: &str) -> Option<(bool, String, u16, String, String)> {
        let target = HttpTarget::parse(url).ok()?;
        let authority = target.authority();
        Some((
            target.https,
            target.host,
            target.port,
            target.path_and_query,
            authority,
        ))
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, https, host, port, path, authority) in [
            (
                "http://127.0.0.1:3000/health",
                false,
                "127.0.0.1",
                3000,
                "/health",
                "127.0.0.1:3000",
            ),
            ("https://localhost", true, "localhost", 443, "/", "localhost"),
            (
                "HTTP://web.localhost:80?x=1#top",
                false,
                "web.localhost",
                80,
                "/?x=1",
                "web.localhost",
            ),
            (
                "http://[::1]:8080/a?b=/c",
                false,
                "::1",
                8080,
                "/a?b=/c",
                "[::1]:8080",
            ),
            ("http://[::1]/", false, "::1", 80, "/", "[::1]"),
            ("http://db_1:5/", false, "db_1", 5, "/", "db_1:5"),
        ] {
            let expected = (
                https,
                host.to_owned(),
                port,
                path.to_owned(),
                authority.to_owned(),
            );
            assert_eq!(parts(url), Some(expected), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_probed_is_refused() {
        for url in [
            "",
            "localhost:3000",
            "ftp://x/",
            "http:/x",
            "http://",
            "http:///x",
            "http://user@x/",
            "http://x:0/",
            "http://x:65536/",
            "http://x:a/",
            "http://x:+1/",
            "http://::1/",
            "http://[::1",
            "http://[::1]x/",
            "http://[x]/",
            "http://a b/",
            "http://x/\u{e4}",
            "http://x/a b",
            "http://.x/",
            "http://a..b/",
            "http://a%41/",
        ] {
            assert!(HttpTarget::parse(url).is_err(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_answered(url in "(https?://)?\\PC{0,40}") {
            if let Ok(target) = HttpTarget::parse(&url) {
                prop_assert!(target.path_and_query.starts_with('/') && !target.path_and_query.contains('#'));
                prop_assert!(target.port != 0 && !target.host.is_empty());
            }
        }
    }
}
