//! `ready_when`.

use std::fmt;
use std::time::Duration;

use super::super::http_target::HttpTarget;
use super::super::keys;
use super::super::model::{Check, OnTimeout, Probe};
use super::super::pattern;
use super::super::text::Quoted;
use super::super::yaml::{Node, Place};
use super::{Field, Part, Walker};

/// Keys of which there is exactly one, and it decides which others have an effect.
const CHECKS: [&str; 3] = ["port", "http", "log_match"];

/// For each key that goes with some checks only, which these are.
const COMPANIONS: [(&str, &[&str]); 4] = [
    ("host", &["port"]),
    ("expect_status", &["http"]),
    ("interval_ms", &["port", "http"]),
    ("initial_delay_ms", &["port", "http"]),
];

/// What a file may leave out.
pub(super) fn with_defaults(check: Check) -> Probe {
    Probe {
        check,
        interval: Duration::from_millis(500),
        initial_delay: Duration::ZERO,
        timeout: Duration::from_millis(60_000),
        on_timeout: OnTimeout::Kill,
    }
}

impl<'d, 's> Walker<'d, 's> {
    pub(super) fn probe(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Probe> {
        let part = Part("ready_when", owner);
        let pairs = self.pairs(node, &part)?;
        let (mut port, mut host, mut url, mut status, mut pattern) = (None, None, None, None, None);
        let mut probe = with_defaults(Check::Port { host: None, port: 0 });
        for pair in &pairs {
            let field = pair.field(&part);
            match pair.key {
                "port" => port = self.port(&field),
                "host" => host = self.host(&field),
                "http" => url = self.url(&field),
                "expect_status" => {
                    status = self
                        .whole_number(&field, 100..=599)
                        .and_then(|status| u16::try_from(status).ok());
                }
                "log_match" => pattern = self.pattern(&field),
                "interval_ms" => set(&mut probe.interval, self.milliseconds(&field, 1)),
                "initial_delay_ms" => set(&mut probe.initial_delay, self.milliseconds(&field, 0)),
                "timeout_ms" => set(&mut probe.timeout, self.milliseconds(&field, 1)),
                "on_timeout" => {
                    let words = [
                        ("kill", OnTimeout::Kill),
                        ("mark_unhealthy", OnTimeout::MarkUnhealthy),
                    ];
                    set(&mut probe.on_timeout, self.word(&field, &words));
                }
                _ => self.unknown_key(pair, keys::READY_WHEN, &part),
            }
        }
        let given: Vec<_> = pairs.iter().map(|pair| (pair.key, pair.key_place)).collect();
        let check = self.only_check(&given, node.place, &part)?;
        self.refuse_keys_without_effect(check, &given, &part);
        probe.check = match check {
            "port" => Check::Port { host, port: port? },
            "http" => Check::Http {
                url: url?,
                expect_status: status,
            },
            _ => Check::LogMatch { pattern: pattern? },
        };
        Some(probe)
    }

    fn only_check(&mut self, given: &[(&'d str, Place)], place: Place, part: &Part<'_>) -> Option<&'d str> {
        let mut checks = given.iter().filter(|(key, _)| CHECKS.contains(key));
        let Some(&(check, _)) = checks.next() else {
            self.problem_with_hint(
                place,
                format!("{part} says nothing to check"),
                "add port, http or log_match",
            );
            return None;
        };
        let mut is_only = true;
        for &(key, place) in checks.filter(|(key, _)| *key != check) {
            is_only = false;
            self.problem_with_hint(
                place,
                format!("{key} beside {check} in {part}"),
                "keep exactly one of port, http and log_match",
            );
        }
        is_only.then_some(check)
    }

    fn refuse_keys_without_effect(&mut self, check: &str, given: &[(&'d str, Place)], part: &Part<'_>) {
        for &(key, place) in given {
            let Some((_, companions)) = COMPANIONS.iter().find(|(name, _)| *name == key) else {
                continue;
            };
            if !companions.contains(&check) {
                self.problem_with_hint(
                    place,
                    format!("{key} has no effect with {check} in {part}"),
                    format!("remove it; it goes with {}", companions.join(" and ")),
                );
            }
        }
    }

    fn host(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let host = self.text(field)?;
        let is_good =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'%');
        let has_port =
            host.contains(':') && host.parse::<std::net::Ipv6Addr>().is_err() && !host.contains('%');
        if !host.bytes().all(is_good) || has_port {
            self.problem_with_hint(
                field.node.place,
                format!("{field} is not a name or an address: {}", Quoted(host)),
                "write a host alone, such as localhost, 127.0.0.1 or \"::1\"",
            );
            return None;
        }
        Some(host.to_owned())
    }

    fn url(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let url = self.text(field)?;
        if let Err(reason) = HttpTarget::parse(url) {
            self.problem_with_hint(
                field.node.place,
                format!("{field} is not a URL that can be probed: {reason}"),
                "write it like http://127.0.0.1:3000/health",
            );
            return None;
        }
        Some(url.to_owned())
    }

    fn pattern(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let text = self.text_or_empty(field, "give it a regular expression")?;
        if text.is_empty() {
            self.problem(
                field.node.place,
                format!("{field} is empty and would match at once"),
            );
            return None;
        }
        if !self.good_patterns.contains(text) {
            if let Err(reason) = pattern::check(text) {
                self.problem(
                    field.node.place,
                    format!("{field} is not a regular expression: {reason}"),
                );
                return None;
            }
            self.good_patterns.insert(text);
        }
        Some(text.to_owned())
    }
}

/// Replaces a default where something was read.
pub(super) fn set<T>(default: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *default = value;
    }
}
