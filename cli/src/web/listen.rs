//! The one port for all boxes.
//!
//! URLs are kept in bookmarks and in the configuration of other programs, so once another port than the wished one had to
//! be taken, that one is asked for first from then on.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;

use agentbox_ctl::failure::Failure;
use tokio::net::TcpListener;

/// The port where nothing else is wished.
pub const DEFAULT_PORT: u16 = 7080;
/// Name of the file with the port, in the state directory.
pub const FILE: &str = "web-port";
/// How many ports are tried.
const TRIES: u16 = 100;

/// Listens on the loopback addresses, 127.0.0.1 first, all on one port: the one that was got for this wish before, the
/// wished one, or the next that is free. Which it became is remembered in `state_directory`.
///
/// # Errors
/// No port is free, or the port cannot be remembered (1).
pub async fn bind(state_directory: &Path, wished: u16) -> Result<Vec<TcpListener>, Failure> {
    let file = state_directory.join(FILE);
    let remembered = fs::read_to_string(&file)
        .ok()
        .and_then(|text| read(&text, wished));
    let next = (0..TRIES).map_while(|offset| wished.checked_add(offset));
    let mut last = None;
    for port in remembered.into_iter().chain(next) {
        match all(port).await {
            Ok(listeners) => {
                if remembered != Some(port) {
                    remember(&file, wished, port).map_err(|error| {
                        Failure::failed(format!("cannot remember the web port in {}", file.display()))
                            .because(&error)
                    })?;
                }
                return Ok(listeners);
            }
            // Taken, or one that only root may have.
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                last = Some(error);
            }
            Err(error) => return Err(Failure::failed("cannot listen on 127.0.0.1").because(&error)),
        }
    }
    let mut failure = Failure::failed(format!("no port from {wished} on is free for the web URLs"));
    if let Some(error) = last {
        failure = failure.because(&error);
    }
    Err(failure.hint("agentbox config set --global relay.port PORT"))
}

/// The port that a wish got, as the file has it: both numbers.
fn read(text: &str, wished: u16) -> Option<u16> {
    let (before, port) = text.trim().split_once(' ')?;
    (before.parse() == Ok(wished))
        .then(|| port.parse().ok())
        .flatten()
}

fn remember(file: &Path, wished: u16, port: u16) -> io::Result<()> {
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
    writeln!(temporary, "{wished} {port}")?;
    temporary.persist(file)?;
    Ok(())
}

async fn all(port: u16) -> io::Result<Vec<TcpListener>> {
    let four = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
        Ok(six) => Ok(vec![four, six]),
        // Browsers try it first: somebody else must not get what is meant for us.
        Err(error) if error.kind() == ErrorKind::AddrInUse => Err(error),
        // A host without IPv6.
        Err(_) => Ok(vec![four]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(listeners: &[TcpListener]) -> u16 {
        let ports: Vec<u16> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap().port())
            .collect();
        assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
        ports[0]
    }

    /// A port that is free, and the one after it, too.
    async fn free() -> u16 {
        loop {
            let probe = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let wished = probe.local_addr().unwrap().port();
            drop(probe);
            if wished < 65000 && all(wished).await.is_ok() && all(wished + 1).await.is_ok() {
                return wished;
            }
        }
    }

    #[tokio::test]
    async fn the_next_free_port_is_taken_and_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let wished = free().await;
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, wished)).await.unwrap();
        let listeners = bind(directory.path(), wished).await.unwrap();
        let got = port(&listeners);
        assert!(got > wished);
        drop((listeners, holder));
        // The wished one is free again, but URLs stay.
        assert_eq!(port(&bind(directory.path(), wished).await.unwrap()), got);
        // Another wish is another matter.
        let other = free().await;
        assert_eq!(port(&bind(directory.path(), other).await.unwrap()), other);
        assert_eq!(port(&bind(directory.path(), other).await.unwrap()), other);
    }

    #[tokio::test]
    async fn a_file_with_nonsense_counts_for_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let wished = free().await;
        for text in ["", "x y", "70000 1", "80"] {
            fs::write(directory.path().join(FILE), text).unwrap();
            assert_eq!(
                port(&bind(directory.path(), wished).await.unwrap()),
                wished,
                "{text}"
            );
        }
        assert_eq!(read("7080 7081\n", 7080), Some(7081));
    }
}
