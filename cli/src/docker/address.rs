//! Which engine is meant, as the `docker` client decides it: a flag, `DOCKER_HOST`, `DOCKER_CONTEXT`, the current
//! `docker context`, the default socket.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use serde::Deserialize;

use crate::context::EngineChoice;

/// The socket of an engine on this machine.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Where an engine is, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAddress {
    /// What carries the connection.
    pub transport: Transport,
    /// What said so, for people: `--engine`, `DOCKER_HOST`, `docker context \`x\``, `default`.
    pub origin: String,
}

/// What carries the connection to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP without encryption, `host:port`.
    Tcp(String),
    /// TCP with TLS.
    Tls {
        /// `host:port`.
        authority: String,
        /// Directory that holds `ca.pem`, `cert.pem` and `key.pem`.
        certificates: PathBuf,
    },
    /// `docker system dial-stdio` over `ssh`, as the docker client does it.
    Ssh {
        /// `user@host`, or only the host.
        destination: String,
        /// Where it is not ssh's default.
        port: Option<u16>,
        /// A socket other than the default of the remote docker client.
        socket: Option<String>,
    },
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.transport.fmt(formatter)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix://{}", path.display()),
            Self::Tcp(authority) | Self::Tls { authority, .. } => write!(formatter, "tcp://{authority}"),
            Self::Ssh {
                destination,
                port,
                socket,
            } => {
                write!(formatter, "ssh://{destination}")?;
                if let Some(port) = port {
                    write!(formatter, ":{port}")?;
                }
                formatter.write_str(socket.as_deref().unwrap_or_default())
            }
        }
    }
}

/// How TLS is asked for in the environment.
#[derive(Debug, Clone, Default)]
pub struct TlsChoice {
    /// `DOCKER_TLS_VERIFY` is set.
    pub verify: bool,
    /// `DOCKER_CERT_PATH`.
    pub certificates: Option<PathBuf>,
}

impl TlsChoice {
    /// Reads the docker client's variables.
    pub fn from_environment() -> Self {
        let path = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            verify: path("DOCKER_TLS_VERIFY").is_some(),
            certificates: path("DOCKER_CERT_PATH").map(PathBuf::from),
        }
    }
}

impl EngineAddress {
    /// Finds the engine that is meant.
    ///
    /// # Errors
    /// An address of no known form (a usage error); a context that does not exist or cannot be read.
    pub fn resolve(choice: &EngineChoice, tls: &TlsChoice) -> Result<Self, Failure> {
        let certificates = tls
            .verify
            .then(|| tls.certificates.clone().or_else(|| choice.docker_config.clone()))
            .flatten();
        if let Some(url) = &choice.flag {
            return Self::parse(url, "--engine", certificates);
        }
        if let Some(url) = &choice.docker_host {
            return Self::parse(url, "DOCKER_HOST", certificates);
        }
        let (name, origin) = match &choice.docker_context {
            Some(name) => (Some(name.clone()), "DOCKER_CONTEXT"),
            None => (
                current_context(choice.docker_config.as_deref()),
                "the current docker context",
            ),
        };
        match name {
            Some(name) if name != "default" => {
                let directory = choice.docker_config.as_deref().unwrap_or(Path::new(""));
                let (url, certificates) = read_context(directory, &name).map_err(|failure| {
                    failure
                        .cause(format!("it is named by {origin}"))
                        .hint("docker context ls")
                })?;
                Self::parse(&url, &format!("docker context `{name}`"), certificates)
            }
            _ => Ok(Self {
                transport: Transport::Unix(PathBuf::from(DEFAULT_SOCKET)),
                origin: "default".to_owned(),
            }),
        }
    }

    /// Reads a URL as `DOCKER_HOST` has it.
    ///
    /// # Errors
    /// A usage error that names `origin`.
    pub fn parse(url: &str, origin: &str, certificates: Option<PathBuf>) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            Failure::usage(format!("`{url}` of {origin} is no engine address: {why}"))
                .hint("agentbox --engine unix:///var/run/docker.sock doctor")
        };
        let transport = match url.split_once("://") {
            Some(("unix", path)) if path.starts_with('/') => Transport::Unix(PathBuf::from(path)),
            Some(("unix", _)) => return Err(wrong("a unix socket needs an absolute path")),
            Some((scheme @ ("tcp" | "http" | "https"), rest)) => {
                let host = rest.trim_end_matches('/');
                if host.is_empty() || host.contains('/') {
                    return Err(wrong("write tcp://HOST:PORT"));
                }
                let encrypted = scheme == "https" || certificates.is_some();
                let authority = if host
                    .rsplit_once(':')
                    .is_some_and(|(_, port)| port.parse::<u16>().is_ok())
                {
                    host.to_owned()
                } else {
                    format!("{host}:{}", if encrypted { 2376 } else { 2375 })
                };
                match certificates {
                    Some(certificates) => Transport::Tls {
                        authority,
                        certificates,
                    },
                    None if encrypted => {
                        return Err(wrong("for TLS set DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH"));
                    }
                    None => Transport::Tcp(authority),
                }
            }
            Some(("ssh", rest)) => parse_ssh(rest).ok_or_else(|| wrong("write ssh://[USER@]HOST[:PORT]"))?,
            Some((scheme, _)) => return Err(wrong(&format!("`{scheme}` is not unix, tcp or ssh"))),
            None => {
                return Err(wrong(
                    "write unix://PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]",
                ));
            }
        };
        Ok(Self {
            transport,
            origin: origin.to_owned(),
        })
    }
}

/// The part behind `ssh://`. A destination that ssh would take for an option is refused.
fn parse_ssh(rest: &str) -> Option<Transport> {
    let (host, socket) = match rest.find('/') {
        Some(at) => (&rest[..at], Some(&rest[at..])),
        None => (rest, None),
    };
    let (destination, port) = match host.rsplit_once(':') {
        Some((destination, port)) => (destination, Some(port.parse().ok()?)),
        None => (host, None),
    };
    if destination.is_empty() || destination.starts_with('-') || destination.contains(char::is_whitespace) {
        return None;
    }
    Some(Transport::Ssh {
        destination: destination.to_owned(),
        port,
        socket: socket.filter(|path| *path != "/").map(str::to_owned),
    })
}

/// `currentContext` of the docker client's configuration. A file that is missing or broken names none.
fn current_context(directory: Option<&Path>) -> Option<String> {
    #[derive(Deserialize)]
    struct Configuration {
        #[serde(rename = "currentContext")]
        current_context: Option<String>,
    }
    let text = fs::read(directory?.join("config.json")).ok()?;
    serde_json::from_slice::<Configuration>(&text)
        .ok()?
        .current_context
        .filter(|name| !name.is_empty())
}

/// The address of a docker context, and its certificates where it has any. The directory of a context is named
/// by a hash of its name; reading the few there are spares the hash.
fn read_context(directory: &Path, name: &str) -> Result<(String, Option<PathBuf>), Failure> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Meta {
        name: String,
        endpoints: std::collections::HashMap<String, Endpoint>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Endpoint {
        host: Option<String>,
    }
    let missing = || Failure::failed(format!("there is no docker context `{name}`"));
    let entries = fs::read_dir(directory.join("contexts/meta")).map_err(|_| missing())?;
    for entry in entries.flatten() {
        let Ok(text) = fs::read(entry.path().join("meta.json")) else {
            continue;
        };
        let Ok(mut meta) = serde_json::from_slice::<Meta>(&text) else {
            continue;
        };
        if meta.name == name {
            let url = meta
                .endpoints
                .remove("docker")
                .and_then(|endpoint| endpoint.host)
                .ok_or_else(|| Failure::failed(format!("docker context `{name}` has no docker endpoint")))?;
            let certificates = directory
                .join("contexts/tls")
                .join(entry.file_name())
                .join("docker");
            return Ok((url, certificates.join("ca.pem").exists().then_some(certificates)));
        }
    }
    Err(missing())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Transport, String> {
        EngineAddress::parse(url, "--engine", None)
            .map(|address| address.transport)
            .map_err(|failure| failure.message)
    }

    #[test]
    fn addresses_of_every_form() {
        assert_eq!(parse("unix:///a/b"), Ok(Transport::Unix("/a/b".into())));
        assert_eq!(parse("tcp://[::1]:7"), Ok(Transport::Tcp("[::1]:7".into())));
        assert_eq!(parse("tcp://h"), Ok(Transport::Tcp("h:2375".into())));
        assert_eq!(
            parse("ssh://me@h:22/run/d.sock"),
            Ok(Transport::Ssh {
                destination: "me@h".into(),
                port: Some(22),
                socket: Some("/run/d.sock".into())
            })
        );
        assert_eq!(parse("ssh://h").unwrap().to_string(), "ssh://h");
        for wrong in [
            "unix://relative",
            "ssh://-oProxyCommand=x",
            "ssh://",
            "ssh://h:x",
            "npipe:////x",
            "h:1",
            "tcp://",
            "https://h:1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_first_choice_that_is_set_wins() {
        let home = tempfile::tempdir().unwrap();
        let meta = home.path().join("contexts/meta/abc");
        fs::create_dir_all(&meta).unwrap();
        fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Metadata":{},"Endpoints":{"docker":{"Host":"ssh://far","SkipTLSVerify":false}}}"#,
        )
        .unwrap();
        fs::write(home.path().join("config.json"), r#"{"currentContext":"far"}"#).unwrap();
        let mut choice = EngineChoice {
            docker_config: Some(home.path().to_owned()),
            ..EngineChoice::default()
        };
        let resolve = |choice: &EngineChoice| EngineAddress::resolve(choice, &TlsChoice::default());
        assert_eq!(resolve(&choice).unwrap().to_string(), "ssh://far");
        choice.docker_context = Some("default".into());
        assert_eq!(
            resolve(&choice).unwrap().to_string(),
            "unix:///var/run/docker.sock"
        );
        choice.docker_context = Some("gone".into());
        assert_eq!(
            resolve(&choice).unwrap_err().message,
            "there is no docker context `gone`"
        );
        choice.docker_host = Some("tcp://a:1".into());
        assert_eq!(resolve(&choice).unwrap().to_string(), "tcp://a:1");
        choice.flag = Some("tcp://b:1".into());
        assert_eq!(resolve(&choice).unwrap().to_string(), "tcp://b:1");
    }
}
