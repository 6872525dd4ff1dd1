//! The values of a compose file, each of which can be written in several ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use agentbox_ctl::config::is_published_port;
use regex::{Captures, Regex};
use serde_json::Value;

use super::super::proposal::Proposal;
use super::scalar;

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binding {
    /// As `docker run -p` takes it.
    pub(crate) text: String,
    /// TCP port in the container.
    pub(crate) inside: Option<u16>,
    /// TCP port outside of it.
    pub(crate) outside: Option<u16>,
}

impl Binding {
    /// The same port inside and outside.
    pub(crate) fn same(port: u16) -> Self {
        Self {
            text: format!("{port}:{port}"),
            inside: Some(port),
            outside: Some(port),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let mut fields = ports.rsplit(':');
        let inside = fields.next()?;
        // A port that Docker would choose would be one that nobody knows.
        let outside = fields.next().filter(|field| !field.is_empty()).unwrap_or(inside);
        let suffix = if protocol == "tcp" {
            String::new()
        } else {
            format!("/{protocol}")
        };
        let text = format!("{outside}:{inside}{suffix}");
        let number = |field: &str| field.parse().ok().filter(|_| protocol == "tcp");
        is_published_port(&text).then(|| Self {
            inside: number(inside),
            outside: number(outside),
            text,
        })
    }
}

/// `ports`: text or mappings. What cannot be read is left out.
pub(crate) fn bindings(ports: Option<&Value>) -> Vec<Binding> {
    let one = |value: &Value| match value {
        Value::Object(long) => {
            let target = scalar(long.get("target")?)?;
            let published = long
                .get("published")
                .and_then(scalar)
                .unwrap_or_else(|| target.clone());
            let protocol = long
                .get("protocol")
                .and_then(scalar)
                .unwrap_or_else(|| "tcp".to_owned());
            Binding::parse(&format!("{published}:{target}/{protocol}"))
        }
        other => Binding::parse(&Variables::default().fill(&scalar(other)?)),
    };
    ports
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(one)
        .collect()
}

/// The first port of `expose`.
pub(crate) fn first_port(expose: Option<&Value>) -> Option<u16> {
    strings(expose).first()?.parse().ok().filter(|port| *port > 0)
}

/// A list of names, or a mapping by name.
pub(crate) fn names(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Object(entries)) => entries.keys().cloned().collect(),
        other => strings(other),
    }
}

/// Text, or a list of texts.
pub(crate) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|item| scalar(item.get("path").unwrap_or(item)))
            .collect(),
        Some(other) => scalar(other).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A command as arguments.
pub(crate) fn words(value: Option<&Value>) -> Vec<String> {
    let words = match value {
        Some(Value::String(text)) => shell_words::split(text).unwrap_or_default(),
        other => strings(other),
    };
    words.iter().map(|word| Variables::default().fill(word)).collect()
}

/// A service as others name it: in a box it is at localhost, on the port that it is published on.
#[derive(Debug)]
pub(crate) struct Host {
    whole: Option<Regex>,
    in_url: Option<Regex>,
    outside: BTreeMap<u16, u16>,
}

impl Host {
    /// The host of a service with these ports.
    pub(crate) fn new(name: &str, bindings: &[Binding]) -> Self {
        let name = regex::escape(name);
        Self {
            whole: Regex::new(&format!(r"^{name}(:\d+)?$")).ok(),
            in_url: Regex::new(&format!(
                r"(?P<before>//|@){name}(?P<port>:\d+)?(?P<after>$|[/?,])"
            ))
            .ok(),
            outside: bindings
                .iter()
                .filter_map(|binding| Some((binding.inside?, binding.outside?)))
                .collect(),
        }
    }

    fn port(&self, port: Option<&str>) -> String {
        let Some(text) = port else { return String::new() };
        let inside: Option<u16> = text[1..].parse().ok();
        match inside.and_then(|inside| self.outside.get(&inside)) {
            Some(outside) => format!(":{outside}"),
            None => text.to_owned(),
        }
    }

    fn replace(&self, value: &str) -> String {
        if let Some(found) = self.whole.as_ref().and_then(|pattern| pattern.captures(value)) {
            return format!("localhost{}", self.port(found.get(1).map(|port| port.as_str())));
        }
        let Some(pattern) = &self.in_url else {
            return value.to_owned();
        };
        pattern
            .replace_all(value, |found: &Captures<'_>| {
                let port = self.port(found.name("port").map(|port| port.as_str()));
                format!("{}localhost{port}{}", &found["before"], &found["after"])
            })
            .into_owned()
    }
}

/// `environment`: a mapping or a list of `NAME=value`. Other services are at localhost in a box.
pub(crate) fn environment(
    value: Option<&Value>,
    hosts: &[Host],
    variables: &mut Variables,
) -> Vec<(String, String)> {
    let pairs: Vec<(String, String)> = match value {
        Some(Value::Object(entries)) => entries
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), scalar(value)?)))
            .collect(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(scalar)
            .filter_map(|item| {
                item.split_once('=')
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect(),
        Some(_) | None => Vec::new(),
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in pairs {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            continue;
        }
        let filled = variables.fill(&value);
        let value = hosts.iter().fold(filled, |value, host| host.replace(&value));
        found.retain(|(other, _)| *other != name);
        found.push((name, value));
    }
    found
}

/// The URL that a check asks for, with the port it has outside of the container.
pub(crate) fn probed_url(test: &str, outside: &BTreeMap<u16, u16>) -> Option<String> {
    static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(
            r#"(?:curl|wget).*?(https?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d+))?(/[^\s"'|;)]*)?"#,
        )
        .ok()
    });
    let found = URL.as_ref()?.captures(test)?;
    let scheme = &found[1];
    let inside = match found.get(2) {
        Some(port) => port.as_str().parse().ok()?,
        None if scheme == "https" => 443,
        None => 80,
    };
    let port = outside.get(&inside)?;
    let path = found.get(3).map_or("/", |path| path.as_str());
    Some(format!("{scheme}://127.0.0.1:{port}{path}"))
}

/// `${…}` of a compose file. Its values come from the person's shell and `.env`, which are not looked at.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    missing: BTreeSet<String>,
}

impl Variables {
    /// Text with the defaults that the file itself gives.
    pub(crate) fn fill(&mut self, text: &str) -> String {
        static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r"\$\$|\$\{([A-Za-z_]\w*)(?:(:?[-?+])([^{}]*))?\}|\$([A-Za-z_]\w*)").ok()
        });
        let Some(pattern) = VARIABLE.as_ref() else {
            return text.to_owned();
        };
        pattern
            .replace_all(text, |found: &Captures<'_>| {
                if &found[0] == "$$" {
                    return "$".to_owned();
                }
                let name = found
                    .get(1)
                    .or_else(|| found.get(4))
                    .map_or("", |name| name.as_str());
                match (found.get(2).map(|kind| kind.as_str()), found.get(3)) {
                    (Some("-" | ":-"), Some(default)) => default.as_str().to_owned(),
                    _ => {
                        self.missing.insert(name.to_owned());
                        String::new()
                    }
                }
            })
            .into_owned()
    }

    /// Whether any had no default.
    pub(crate) fn is_any_missing(&self) -> bool {
        !self.missing.is_empty()
    }

    /// Says which had no default.
    pub(crate) fn note(self, proposal: &mut Proposal, file: &str, service: &str) {
        if !self.missing.is_empty() {
            let names: Vec<String> = self.missing.into_iter().collect();
            proposal.note(format!(
                "{file}: {service} takes {} from the environment: fill it in",
                names.join(", ")
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_all_their_forms() {
        let value = serde_json::json!([
            "5432", "8080:80", "127.0.0.1:6380:6379", "53:53/udp", "3000-3002:3000-3002", "[::1]:9000:9000",
            {"target": "80", "published": "8081"}, "x:y", "${PORT:-7000}:7000"
        ]);
        let found: Vec<_> = bindings(Some(&value))
            .into_iter()
            .map(|binding| (binding.text, binding.outside))
            .collect();
        let expected: Vec<(String, Option<u16>)> = [
            ("5432:5432", Some(5432)),
            ("8080:80", Some(8080)),
            ("6380:6379", Some(6380)),
            ("53:53/udp", None),
            ("3000-3002:3000-3002", None),
            ("9000:9000", Some(9000)),
            ("8081:80", Some(8081)),
            ("7000:7000", Some(7000)),
        ]
        .into_iter()
        .map(|(text, port)| (text.to_owned(), port))
        .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn variables_and_hosts() {
        let mut variables = Variables::default();
        let env = environment(
            Some(&serde_json::json!([
                "URL=postgres://me:${PW:-x}@db:5432/app",
                "H=db",
                "K=$$5 ${MISSING}",
                "R=cache:6379"
            ])),
            &[
                Host::new("db", &bindings(Some(&serde_json::json!(["5433:5432"])))),
                Host::new("cache", &[]),
            ],
            &mut variables,
        );
        let expected: Vec<(String, String)> = [
            ("URL", "postgres://me:x@localhost:5433/app"),
            ("H", "localhost"),
            ("K", "$5 "),
            ("R", "localhost:6379"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        assert_eq!(env, expected);
        assert!(variables.missing.contains("MISSING"));
    }

    #[test]
    fn checks_by_url() {
        let outside = BTreeMap::from([(80, 8080)]);
        assert_eq!(
            probed_url("CMD-SHELL curl -f http://localhost/health || exit 1", &outside).as_deref(),
            Some("http://127.0.0.1:8080/health")
        );
        assert_eq!(probed_url("CMD pg_isready", &outside), None);
    }
}
