//! Requests to the box's dockerd, of which only the status matters.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Where dockerd listens.
const SOCKET: &str = "/var/run/docker.sock";

/// Whether dockerd answers. Its socket is there long before.
pub(in crate::supervisor) async fn answers() -> bool {
    exchange("GET /_ping").await == Some(200)
}

/// Sends a request without a body and gives the status; `None` where dockerd gives none within `limit`.
pub(super) async fn status(request: &str, limit: Duration) -> Option<u16> {
    timeout(limit, exchange(request)).await.ok().flatten()
}

async fn exchange(request: &str) -> Option<u16> {
    let mut stream = UnixStream::connect(SOCKET).await.ok()?;
    let request = [request, " HTTP/1.0\r\n\r\n"].concat();
    stream.write_all(request.as_bytes()).await.ok()?;
    // `HTTP/1.0 200`
    let mut line = [0; 12];
    stream.read_exact(&mut line).await.ok()?;
    std::str::from_utf8(line.get(9..)?).ok()?.parse().ok()
}
