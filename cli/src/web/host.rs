//! Which box a `Host` means, and which names are not ours to answer for.
//!
//! A web page elsewhere can make its own name lead to this machine (DNS rebinding) and would then be of the same origin
//! as what answers here. So only names that never leave this machine are answered: `localhost`, what is below it, and
//! loopback addresses.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::boxes::name;

/// The port of a URL that names none.
pub(super) const DEFAULT_PORT: u16 = 80;

/// What a host name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Site {
    /// This machine itself.
    Index,
    /// `<name>.localhost`.
    Box(String),
    /// `<app>.<name>.localhost`.
    App {
        /// The first label.
        app: String,
        /// The box.
        name: String,
    },
    /// Below `localhost`, but nothing that a box can be called.
    Unknown,
    /// Not of this machine.
    Foreign,
}

impl Site {
    /// The box that it is of.
    pub(super) fn box_name(&self) -> Option<&str> {
        match self {
            Self::Box(name) | Self::App { name, .. } => Some(name),
            Self::Index | Self::Unknown | Self::Foreign => None,
        }
    }
}

/// A `Host`, or the same part of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Authority {
    /// Where it leads.
    pub(super) site: Site,
    /// The port; that of `http` where none is written.
    pub(super) port: u16,
}

/// Reads `HOST[:PORT]`. `None` is what no client writes.
pub(super) fn parse(text: &str) -> Option<Authority> {
    let (host, port) = split_port(text)?;
    let site = if let Some(inside) = host.strip_prefix('[') {
        let address: Ipv6Addr = inside.strip_suffix(']')?.parse().ok()?;
        let is_ours = match address.to_ipv4_mapped() {
            Some(address) => address.is_loopback(),
            None => address.is_loopback(),
        };
        if is_ours { Site::Index } else { Site::Foreign }
    } else if let Ok(address) = host.parse::<Ipv4Addr>() {
        if address.is_loopback() {
            Site::Index
        } else {
            Site::Foreign
        }
    } else {
        by_name(host)?
    };
    Some(Authority { site, port })
}

fn split_port(text: &str) -> Option<(&str, u16)> {
    // The colons of an IPv6 address stand in brackets.
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let Some(colon) = text[after_address..].find(':') else {
        return Some((text, DEFAULT_PORT));
    };
    let (host, port) = text.split_at(after_address + colon);
    let digits = &port[1..];
    if digits.is_empty() {
        return Some((host, DEFAULT_PORT));
    }
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().map(|port| (host, port))
}

fn by_name(host: &str) -> Option<Site> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let host = host.strip_suffix('.').unwrap_or(host);
    if !host.bytes().all(allowed) || host.split('.').any(str::is_empty) {
        return None;
    }
    let host = host.to_ascii_lowercase();
    let mut labels = host.rsplit('.');
    if labels.next() != Some("localhost") {
        return Some(Site::Foreign);
    }
    let label = |label: &str| name::is_valid(label).then(|| label.to_owned());
    Some(match (labels.next(), labels.next(), labels.next()) {
        (None, ..) => Site::Index,
        (Some(name), None, _) => label(name).map_or(Site::Unknown, Site::Box),
        (Some(name), Some(app), None) => match (label(name), label(app)) {
            (Some(name), Some(app)) => Site::App { app, name },
            _ => Site::Unknown,
        },
        _ => Site::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site(text: &str) -> Option<Site> {
        parse(text).map(|authority| authority.site)
    }

    #[test]
    fn names_of_this_machine() {
        for text in [
            "localhost",
            "LOCALHOST:7080",
            "localhost.",
            "localhost.:80",
            "127.0.0.1",
            "127.1.2.3:7080",
            "[::1]",
            "[::1]:7080",
            "[::ffff:127.0.0.1]:1",
            "localhost:",
        ] {
            assert_eq!(site(text), Some(Site::Index), "{text}");
        }
        for text in ["web-2.localhost", "Web-2.LocalHost:7080", "web-2.localhost.:7080"] {
            assert_eq!(site(text), Some(Site::Box("web-2".to_owned())), "{text}");
        }
        let app = Site::App {
            app: "admin".to_owned(),
            name: "web".to_owned(),
        };
        assert_eq!(site("admin.web.localhost:7080"), Some(app));
        for text in [
            "-web.localhost",
            "we_b.localhost",
            "a.b.c.localhost",
            "a_.web.localhost",
        ] {
            assert_eq!(site(text), Some(Site::Unknown), "{text}");
        }
        assert_eq!(parse("web.localhost:7081").unwrap().port, 7081);
        assert_eq!(parse("web.localhost").unwrap().port, 80);
    }

    #[test]
    fn names_of_elsewhere_and_nonsense() {
        for text in [
            "example.com",
            "web.localhost.example.com",
            "notlocalhost",
            "weblocalhost:7080",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "[fe80::1]",
            "[::ffff:10.0.0.1]",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "127.0.0.01",
        ] {
            assert_eq!(site(text), Some(Site::Foreign), "{text}");
        }
        for text in [
            "",
            ".",
            ":80",
            ".localhost",
            "web..localhost",
            "web.localhost..",
            "localhost:80:80",
            "localhost:+80",
            "localhost:65536",
            "me@localhost",
            "localhost/",
            "localhost localhost",
            "web.localhost,evil",
            "[::1",
            "::1",
            "[127.0.0.1]",
            "[::1%25lo]",
            "[::1]x",
            "löcalhost",
        ] {
            assert_eq!(site(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever is sent: a box is named only by exactly one label before `localhost`.
        #[test]
        fn only_a_label_before_localhost_is_a_box(text in "[a-zA-Z0-9.:\\[\\]_@/ -]{0,24}(localhost|LOCALHOST|local|\\.)?[.:0-9]{0,4}") {
            if let Some(Site::Box(name)) = site(&text) {
                prop_assert!(name::is_valid(&name));
                let bare = text.split(':').next().unwrap().trim_end_matches('.').to_ascii_lowercase();
                prop_assert_eq!(bare, format!("{name}.localhost"));
            }
        }

        #[test]
        fn every_box_is_found_by_its_name(name in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", port in 1_u16.., upper: bool, dot: bool) {
            let mut text = format!("{name}.localhost{}:{port}", if dot { "." } else { "" });
            if upper {
                text = text.to_ascii_uppercase();
            }
            prop_assert_eq!(parse(&text), Some(Authority { site: Site::Box(name), port }));
        }

        #[test]
        fn nothing_makes_it_panic(text: String) {
            let _ = parse(&text);
        }

        /// An address is ours exactly when it is a loopback one.
        #[test]
        fn addresses(four: u32, six: u128) {
            let four = Ipv4Addr::from(four);
            let expected = if four.is_loopback() { Site::Index } else { Site::Foreign };
            prop_assert_eq!(site(&four.to_string()), Some(expected));
            let six = Ipv6Addr::from(six | 1 << 127);
            prop_assert_eq!(site(&format!("[{six}]")), Some(Site::Foreign));
        }
    }
}
