//! `connect`: the host's way to the socket. Bytes pass both ways until either side ends.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

use crate::failure::Failure;

/// Size of the pipes to the engine, in bytes, where they are pipes: the engine's side reads in small pieces, and with more
/// room neither waits for the other at each. It is the most that the kernel gives to anybody.
const PIPE: i32 = 1 << 20;

/// Bridges stdin and stdout to the socket. Two blocking threads: no buffer grows, and there is no runtime to start.
pub(super) fn connect(socket: &Path) -> Result<(), Failure> {
    let unreachable = |error: std::io::Error| {
        Failure::failed(format!("cannot reach the supervisor at {}", socket.display())).because(&error)
    };
    // Only a matter of speed.
    let _ = fcntl(std::io::stdin().as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE));
    let _ = fcntl(std::io::stdout().as_fd(), FcntlArg::F_SETPIPE_SZ(PIPE));
    let mut from_socket = UnixStream::connect(socket).map_err(unreachable)?;
    let mut to_socket = from_socket.try_clone().map_err(unreachable)?;
    std::thread::spawn(move || {
        copy(&mut std::io::stdin().lock(), &mut to_socket);
        // The host has gone, or has nothing more to ask: so does the supervisor's side end, and with it this process.
        let _ = to_socket.shutdown(Shutdown::Both);
    });
    copy(&mut from_socket, &mut std::io::stdout().lock());
    Ok(())
}

/// Copies and flushes piece by piece. The end of either side is the end.
fn copy(reader: &mut impl Read, writer: &mut impl Write) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => {
                let piece = buffer.get(..read).unwrap_or_default();
                if writer.write_all(piece).and_then(|()| writer.flush()).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
