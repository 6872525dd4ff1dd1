//! Readiness probes.
//!
//! `port` and `http` probes are tasks that try until they pass; they know no deadline, since the
//! [machine](super::machine) keeps that. A `log_match` probe is fed by the unit's output.

mod http;
pub(super) mod log;
mod resolve;

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::forward::connect_loopback;
use crate::config::model::{Check, Probe};

/// Longest time one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time in which Docker drops a connection that leads nowhere. Mostly it takes it a millisecond; but it accepts before the
/// container has its network, and then finds out when TCP tries again, after a second.
const MOMENT: Duration = Duration::from_millis(1200);
/// Shortest gap between two attempts.
const SHORTEST_GAP: Duration = Duration::from_millis(5);

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Passed,
    /// Nothing listens: the next attempt costs next to nothing.
    Closed,
    /// Something answered otherwise: it may be working on it, and is not to be flooded.
    Otherwise,
}

/// Tries until the probe passes; where a container listens, only a connection that stays counts for its port.
/// Never returns for `log_match` and dockerd.
pub(super) async fn until_passed(probe: &Probe, is_container: bool) {
    match &probe.check {
        Check::Port { host, port } => {
            attempts(probe, async || match connect(host.as_deref(), *port).await {
                Ok(stream) if !is_container || stays(&stream).await => Attempt::Passed,
                _ => Attempt::Closed,
            })
            .await;
        }
        Check::Http { url, expect_status } => match crate::config::HttpTarget::parse(url) {
            Ok(target) => attempts(probe, async || http::attempt(&target, *expect_status).await).await,
            // Validation lets no such URL through.
            Err(_) => std::future::pending().await,
        },
        Check::Docker | Check::LogMatch { .. } => std::future::pending().await,
    }
}

async fn attempts<F: Future<Output = Attempt>>(probe: &Probe, attempt: impl Fn() -> F) {
    sleep(probe.initial_delay).await;
    let begin = Instant::now();
    loop {
        let came = timeout(ATTEMPT, attempt()).await.unwrap_or(Attempt::Otherwise);
        if came == Attempt::Passed {
            return;
        }
        sleep(gap(came, begin.elapsed(), probe.interval)).await;
    }
}

/// Whether a connection is still there after a moment. Docker itself accepts those to a published port, and drops them
/// where nothing listens behind it.
async fn stays(stream: &TcpStream) -> bool {
    match timeout(MOMENT, stream.peek(&mut [0])).await {
        Ok(result) => result.is_ok_and(|bytes| bytes > 0),
        Err(_) => true,
    }
}

/// The wait before the next attempt: dense at first, so that a service that comes up fast is seen at once, and never
/// more than about 1 % late while its port is closed (3 % once it answers); at most the interval.
fn gap(came: Attempt, elapsed: Duration, interval: Duration) -> Duration {
    let share = if came == Attempt::Closed { 128 } else { 32 };
    (elapsed / share).max(SHORTEST_GAP).min(interval)
}

async fn connect(host: Option<&str>, port: u16) -> io::Result<TcpStream> {
    let Some(host) = host else {
        return connect_loopback(port).await;
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, format!("cannot resolve {host}"));
    for address in resolve::addresses(host).await? {
        match TcpStream::connect((address, port)).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_thin_out_up_to_the_interval() {
        let interval = Duration::from_millis(500);
        let closed = |elapsed| gap(Attempt::Closed, elapsed, interval);
        assert_eq!(closed(Duration::ZERO), Duration::from_millis(5));
        assert_eq!(closed(Duration::from_millis(3200)), Duration::from_millis(25));
        assert_eq!(closed(Duration::from_secs(600)), interval);
        assert_eq!(
            gap(Attempt::Otherwise, Duration::from_millis(3200), interval),
            Duration::from_millis(100)
        );
        assert_eq!(
            gap(Attempt::Closed, Duration::ZERO, Duration::from_millis(1)),
            Duration::from_millis(1)
        );
    }
}
