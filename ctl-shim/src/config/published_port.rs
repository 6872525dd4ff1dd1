//! Ports as `docker run -p` takes them: `[[ADDRESS:][PORT]:]PORT[/PROTOCOL]`, where a port may be a range.

use std::net::IpAddr;

/// Whether Docker can publish it.
pub fn is_published_port(text: &str) -> bool {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let mut fields = ports.rsplitn(3, ':');
    let (container, published, address) = (fields.next(), fields.next(), fields.next());
    let Some(inner) = container.and_then(range) else {
        return false;
    };
    // One port of the container may be published at whichever of several is free.
    let fits = |outer: (u16, u16)| inner.0 == inner.1 || outer.1 - outer.0 == inner.1 - inner.0;
    ["tcp", "udp", "sctp"]
        .iter()
        .any(|known| protocol.eq_ignore_ascii_case(known))
        && published.is_none_or(|outer| outer.is_empty() || range(outer).is_some_and(fits))
        && address.is_none_or(is_address)
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|&number: &u16| digits && number > 0)
    };
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

fn is_address(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_docker_takes() {
        for good in [
            "80",
            "8080:80",
            ":80",
            "80/udp",
            "53:53/UDP",
            "127.0.0.1:8080:80/tcp",
            "127.0.0.1::80",
            "[::1]:80:80",
            "::1:80:80",
            "5000-5002",
            "5000-5002:6000-6002/udp",
            "5000-5010:80",
        ] {
            assert!(is_published_port(good), "{good}");
        }
        for wrong in [
            "",
            "0",
            "99999",
            "80/xyz",
            "80/tcp/udp",
            "a:b",
            "+80",
            "80:",
            "5-1",
            "1-5:1-3",
            "localhost:80:80",
            "1.2.3:80:80",
            "--privileged",
            "${PORT}:80",
        ] {
            assert!(!is_published_port(wrong), "{wrong}");
        }
    }
}
