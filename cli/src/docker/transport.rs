//! Connections to an engine: a unix socket, TCP, or a child `ssh` whose stdin and stdout are the connection.
//!
//! bollard leaves the API version out of its requests, and asking an engine for its version makes it run `runc
//! --version` (20 ms). Every response carries the engine's newest version in a header, so the first response
//! negotiates at no cost: requests after it name the newest version that both sides know.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bollard::BollardRequest;
use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::address::Transport;

/// The newest API version whose answers the client library was made for: 1.x.
fn newest_minor() -> usize {
    bollard::API_DEFAULT_VERSION.minor_version
}

/// Opens a connection of one kind, again and again.
#[derive(Debug, Clone)]
struct Connector(Arc<Target>);

#[derive(Debug)]
enum Target {
    Unix(PathBuf),
    Tcp(String),
    Ssh(Vec<String>),
}

/// One open connection.
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    Ssh {
        input: ChildStdin,
        output: ChildStdout,
        /// Ends with the connection.
        _child: Child,
    },
}

/// A client for the engine behind `transport`, which is not TLS.
///
/// # Errors
/// None but the library's own.
pub(super) fn client(
    transport: &Transport,
    timeout_seconds: u64,
) -> Result<(bollard::Docker, RawClient), bollard::errors::Error> {
    let target = match transport {
        Transport::Unix(path) => Target::Unix(path.clone()),
        Transport::Tcp(authority) | Transport::Tls { authority, .. } => Target::Tcp(authority.clone()),
        Transport::Ssh {
            destination,
            port,
            socket,
        } => Target::Ssh(ssh_arguments(destination, *port, socket.as_deref())),
    };
    let connector = Connector(Arc::new(target));
    let raw = RawClient(Client::builder(TokioExecutor::new()).build(connector.clone()));
    let client = Client::builder(TokioExecutor::new()).build(connector);
    // 0: not negotiated yet.
    let minor = Arc::new(AtomicUsize::new(0));
    let send = move |mut request: BollardRequest| {
        let known = minor.load(Ordering::Relaxed);
        if known != 0
            && let Some(uri) = with_version(request.uri(), known)
        {
            *request.uri_mut() = uri;
        }
        let response = client.request(request);
        let minor = Arc::clone(&minor);
        async move {
            let response = response.await.map_err(bollard::errors::Error::from)?;
            if let Some(engine) = response.headers().get("api-version").and_then(|value| {
                let (major, minor) = value.to_str().ok()?.split_once('.')?;
                (major == "1").then(|| minor.parse::<usize>().ok())?
            }) {
                minor.store(engine.min(newest_minor()), Ordering::Relaxed);
            }
            Ok(response)
        }
    };
    let docker = bollard::Docker::connect_with_custom_transport(
        send,
        Some("http://docker"),
        timeout_seconds,
        bollard::API_DEFAULT_VERSION,
    )?;
    Ok((docker, raw))
}

/// For answers that the library cannot read.
#[derive(Debug, Clone)]
pub(super) struct RawClient(Client<Connector, Empty<Bytes>>);

impl RawClient {
    /// Body of a successful GET; else what the engine says.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, String> {
        let uri: Uri = format!("http://docker{path}")
            .parse()
            .map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let response = self.0.get(uri).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let said = answer["message"].as_str().map(str::to_owned);
        Err(said.unwrap_or_else(|| format!("the engine answered {status}")))
    }
}

/// The URI with `/v1.MINOR` before its path.
fn with_version(uri: &Uri, minor: usize) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    let path = parts.path_and_query.as_ref()?;
    parts.path_and_query = format!("/v1.{minor}{path}").parse().ok();
    Uri::from_parts(parts).ok()
}

/// What the docker client runs, too.
fn ssh_arguments(destination: &str, port: Option<u16>, socket: Option<&str>) -> Vec<String> {
    let mut arguments = vec!["-T".to_owned(), "-o".to_owned(), "ConnectTimeout=30".to_owned()];
    if let Some(port) = port {
        arguments.extend(["-p".to_owned(), port.to_string()]);
    }
    arguments.extend(["--".to_owned(), destination.to_owned(), "docker".to_owned()]);
    if let Some(socket) = socket {
        // ssh hands the words to a shell.
        let quoted = format!("'unix://{}'", socket.replace('\'', r"'\''"));
        arguments.extend(["--host".to_owned(), quoted]);
    }
    arguments.extend(["system".to_owned(), "dial-stdio".to_owned()]);
    arguments
}

impl Target {
    async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix),
            Self::Tcp(authority) => {
                let stream = TcpStream::connect(authority).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Ssh(arguments) => {
                // Its own process group, so that a Ctrl-C meant for us does not cut the connection before what
                // was begun is undone. Stderr stays ours: ssh says there what is wrong, or asks.
                let mut child = Command::new("ssh")
                    .args(arguments)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .process_group(0)
                    .kill_on_drop(true)
                    .spawn()
                    .map_err(|error| io::Error::new(error.kind(), format!("cannot run ssh: {error}")))?;
                match (child.stdin.take(), child.stdout.take()) {
                    (Some(input), Some(output)) => Ok(Stream::Ssh {
                        input,
                        output,
                        _child: child,
                    }),
                    _ => Err(io::Error::other("ssh has no stdin or stdout")),
                }
            }
        }
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = Arc::clone(&self.0);
        Box::pin(async move { target.connect().await.map(TokioIo::new) })
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Ssh { output, .. } => Pin::new(output).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Ssh { input, .. } => Pin::new(input).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Ssh { input, .. } => Pin::new(input).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Ssh { input, .. } => Pin::new(input).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_goes_before_the_path() {
        let uri: Uri = "http://docker/containers/json?all=true".parse().unwrap();
        assert_eq!(
            with_version(&uri, 41).unwrap().to_string(),
            "http://docker/v1.41/containers/json?all=true"
        );
    }

    #[test]
    fn ssh_runs_what_the_docker_client_runs() {
        assert_eq!(
            ssh_arguments("me@far", Some(2222), None).join(" "),
            "-T -o ConnectTimeout=30 -p 2222 -- me@far docker system dial-stdio"
        );
        assert_eq!(
            ssh_arguments("far", None, Some("/run/it's")).join(" "),
            r"-T -o ConnectTimeout=30 -- far docker --host 'unix:///run/it'\''s' system dial-stdio"
        );
    }
}
