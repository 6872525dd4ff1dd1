//! Requests to the box's dockerd, of which only the status matters. They block, so threads of their own make them: on the
//! supervisor's own loop each would be a task, which costs more code than the thread does memory.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where dockerd listens.
const SOCKET: &str = "/var/run/docker.sock";

/// Sends a request without a body and gives the status; `None` where dockerd gives none within `limit`.
pub(super) fn status(request: &str, limit: Duration) -> Option<u16> {
    let mut stream = UnixStream::connect(SOCKET).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let request = [request, " HTTP/1.0\r\n\r\n"].concat();
    stream.write_all(request.as_bytes()).ok()?;
    // `HTTP/1.0 200`
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(line.get(9..)?).ok()?.parse().ok()
}
