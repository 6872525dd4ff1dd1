//! Requests to the box's dockerd. They block, so threads of their own make them: on the supervisor's own loop each would
//! be a task, which costs more code than the thread does memory.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Where dockerd listens.
const SOCKET: &str = "/var/run/docker.sock";

/// Sends a request without a body and gives the status; `None` where dockerd gives none within `limit`.
pub(super) fn status(request: &str, limit: Duration) -> Option<u16> {
    let mut stream = send(request, limit)?;
    // `HTTP/1.0 200`
    let mut line = [0; 12];
    stream.read_exact(&mut line).ok()?;
    std::str::from_utf8(line.get(9..)?).ok()?.parse().ok()
}

/// Whether a container runs.
pub(super) fn is_running(container: &str, limit: Duration) -> bool {
    // Those that run are what is listed without asking for more.
    let filter = ["%7B%22id%22%3A%5B%22", container, "%22%5D%7D"].concat();
    let request = ["GET /containers/json?filters=", &filter].concat();
    let mut answer = String::new();
    // The first version of HTTP ends a body with the connection.
    let read = send(&request, limit).and_then(|mut stream| stream.read_to_string(&mut answer).ok());
    read.is_some() && answer.contains(container)
}

fn send(request: &str, limit: Duration) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(SOCKET).ok()?;
    stream.set_read_timeout(Some(limit)).ok()?;
    let request = [request, " HTTP/1.0\r\n\r\n"].concat();
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}
