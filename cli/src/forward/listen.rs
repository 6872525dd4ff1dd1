//! The ports here: all of them, or none.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr};

use agentbox_ctl::failure::Failure;
use tokio::net::TcpListener;

use super::spec::Spec;

/// How often another free port is tried where the one that IPv4 got is taken on IPv6.
const TRIES: usize = 20;

/// A forward that listens.
#[derive(Debug)]
pub struct Forward {
    /// What was asked for, with the port that was got.
    pub spec: Spec,
    /// One for each address.
    pub listeners: Vec<TcpListener>,
}

/// Listens for all of `specs`.
///
/// # Errors
/// A port that is taken, or that this user may not have (1).
pub async fn all(specs: &[Spec]) -> Result<Vec<Forward>, Failure> {
    let mut forwards = Vec::new();
    for spec in specs {
        let forward = one(*spec).await.map_err(|error| {
            let what = if error.kind() == ErrorKind::AddrInUse {
                format!("port {} is taken here", spec.local)
            } else {
                format!("cannot listen on port {}", spec.local)
            };
            Failure::failed(what).because(&error).hint(format!(
                "LOCAL:{0} forwards another port, 0:{0} any free one",
                spec.port
            ))
        })?;
        forwards.push(forward);
    }
    Ok(forwards)
}

async fn one(spec: Spec) -> io::Result<Forward> {
    let mut tries = if spec.local == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, spec.local)).await?;
        let local = four.local_addr()?.port();
        let spec = Spec { local, ..spec };
        match TcpListener::bind((Ipv6Addr::LOCALHOST, local)).await {
            Ok(six) => {
                return Ok(Forward {
                    spec,
                    listeners: vec![four, six],
                });
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Err(error),
            // A host without IPv6.
            Err(_) => {
                return Ok(Forward {
                    spec,
                    listeners: vec![four],
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_takes_none_of_the_others() {
        let free = all(&[Spec { local: 0, port: 1 }]).await.unwrap();
        let taken = free[0].spec.local;
        let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wanted = other.local_addr().unwrap().port();
        drop(other);
        let specs = [wanted, taken].map(|local| Spec { local, port: 1 });
        let failure = all(&specs).await.unwrap_err();
        assert_eq!(failure.kind.exit_code(), 1);
        assert!(failure.message.contains(&taken.to_string()), "{failure:?}");
        all(&specs[..1]).await.unwrap();
    }
}
