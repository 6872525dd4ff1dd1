//! Names of hosts, without the image's libraries.
//!
//! The supervisor is linked statically and must not load an image's NSS modules, so it reads `/etc/hosts` and
//! asks the name servers of `/etc/resolv.conf` itself: one UDP question for IPv4 addresses, which is what
//! Docker's own server answers for containers on a network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

/// Time for one name server.
const PATIENCE: Duration = Duration::from_secs(2);

/// Addresses of a name, in the order in which to try them.
///
/// # Errors
/// A name that nothing knows.
pub(super) async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(vec![address]);
    }
    if host.eq_ignore_ascii_case("localhost") {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let known = in_hosts_file(&hosts, host);
    if !known.is_empty() {
        return Ok(known);
    }
    let servers = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    for server in name_servers(&servers) {
        if let Ok(Ok(answer)) = timeout(PATIENCE, ask(server, host)).await
            && !answer.is_empty()
        {
            return Ok(answer);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("cannot resolve {host}"),
    ))
}

fn in_hosts_file(text: &str, host: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words
                .any(|name| name.eq_ignore_ascii_case(host))
                .then_some(address)
        })
        .collect()
}

fn name_servers(text: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .collect()
}

async fn ask(server: IpAddr, host: &str) -> io::Result<Vec<IpAddr>> {
    let local: IpAddr = if server.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((local, 0)).await?;
    // Connected, so that only this server can answer.
    socket.connect((server, 53)).await?;
    let id = u16::from_le_bytes([
        socket.local_addr()?.port().to_le_bytes()[0],
        std::process::id().to_le_bytes()[0],
    ]);
    socket.send(&question(id, host)).await?;
    let mut answer = [0_u8; 1500];
    let length = socket.recv(&mut answer).await?;
    Ok(ipv4_answers(id, answer.get(..length).unwrap_or_default()))
}

/// A query for the A records of `host` (RFC 1035, §4).
fn question(id: u16, host: &str) -> Vec<u8> {
    let mut packet = id.to_be_bytes().to_vec();
    // Recursion desired, one question.
    packet.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in host.trim_end_matches('.').split('.') {
        let label = label.as_bytes().get(..63).unwrap_or(label.as_bytes());
        packet.push(u8::try_from(label.len()).unwrap_or(63));
        packet.extend_from_slice(label);
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}

/// The addresses in an answer; an answer that cannot be read holds none.
fn ipv4_answers(id: u16, packet: &[u8]) -> Vec<IpAddr> {
    parse_answers(id, packet).unwrap_or_default()
}

fn parse_answers(id: u16, packet: &[u8]) -> Option<Vec<IpAddr>> {
    let number = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    if number(0)? != id {
        return None;
    }
    let (questions, answers) = (number(4)?, number(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = after_name(packet, at)? + 4;
    }
    let mut addresses = Vec::new();
    for _ in 0..answers {
        at = after_name(packet, at)?;
        let (kind, length) = (number(at)?, usize::from(number(at + 8)?));
        let data = packet.get(at + 10..at + 10 + length)?;
        if let (1, [a, b, c, d]) = (kind, data) {
            addresses.push(Ipv4Addr::new(*a, *b, *c, *d).into());
        }
        at += 10 + length;
    }
    Some(addresses)
}

/// The position after a name, which ends in an empty label or in a pointer.
fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*packet.get(at)?) {
            0 => return Some(at + 1),
            length if length >= 0xc0 => return Some(at + 2),
            length => at += 1 + length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_hosts_and_name_servers() {
        let hosts = "127.0.0.1 localhost\n10.0.0.2 db db.local # db2\nnonsense\n";
        assert_eq!(
            in_hosts_file(hosts, "DB.local"),
            ["10.0.0.2".parse::<IpAddr>().unwrap()]
        );
        assert_eq!(in_hosts_file(hosts, "db2"), Vec::<IpAddr>::new());
        assert_eq!(
            name_servers("search x\nnameserver 127.0.0.11\n"),
            ["127.0.0.11".parse::<IpAddr>().unwrap()]
        );
    }

    #[test]
    fn reads_an_answer_and_refuses_a_foreign_one() {
        let mut packet = question(7, "db");
        packet[2] = 0x81;
        packet[7] = 1;
        packet.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 9]);
        assert_eq!(ipv4_answers(7, &packet), ["10.0.0.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(ipv4_answers(8, &packet), Vec::<IpAddr>::new());
        for length in 0..packet.len() {
            let _ = ipv4_answers(7, &packet[..length]);
        }
    }
}
