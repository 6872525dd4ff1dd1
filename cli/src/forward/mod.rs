//! Ports of a box on the host's loopback, without having published them.
//!
//! ```text
//! spec ─► listen ─► accepted connection ─► bridge ═ docker exec `agentbox-ctl dial PORT` ═ port in the box
//! ```
//!
//! All connections are served by one task; where there are as many as may be, further ones wait in the kernel.

mod bridge;
mod listen;
mod spec;

use std::collections::HashSet;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::report::one_line;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};

pub use self::listen::{Forward, all};
pub use self::spec::{Spec, split};
use crate::boxes;
use crate::context::Context;
use crate::docker::ExecOptions;
use crate::target::Target;

/// Connections at once.
const MOST: usize = 256;
/// How long to wait after an engine or a system that could not.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the box's side may take to say whether the connection stands: both addresses, and a busy engine.
const PATIENCE: Duration = Duration::from_secs(30);

type Accepting<'a> = Pin<Box<dyn Future<Output = (TcpStream, &'a TcpListener, u16)> + 'a>>;

/// Serves connections until the box is gone.
///
/// # Errors
/// A box that is gone (3).
pub async fn serve(context: &Context, target: &Target, forwards: &[Forward]) -> Result<Infallible, Failure> {
    let told = Told::default();
    let gone = gone(target);
    tokio::pin!(gone);
    let mut accepting: FuturesUnordered<Accepting<'_>> = forwards
        .iter()
        .flat_map(|forward| {
            let listeners = forward.listeners.iter();
            listeners.map(move |listener| accept(listener, forward.spec.port))
        })
        .collect();
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            failure = &mut gone => return Err(failure),
            Some(()) = connections.next() => {}
            Some((local, listener, port)) = accepting.next(), if connections.len() < MOST => {
                connections.push(connection(context, target, local, port, &told));
                accepting.push(accept(listener, port));
            }
        }
    }
}

fn accept(listener: &TcpListener, port: u16) -> Accepting<'_> {
    Box::pin(async move {
        loop {
            match listener.accept().await {
                Ok((local, _)) => return (local, listener, port),
                // Out of descriptors, most likely: let those in use come back.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    })
}

/// Ends when the box has been removed.
async fn gone(target: &Target) -> Failure {
    loop {
        // Whatever it says, the list of boxes decides: an engine that restarts ends the wait too.
        let _ = target.docker.wait_removed(&target.info.container_id).await;
        if let Ok(observation) = boxes::observe(&target.docker).await
            && !observation.boxes.iter().any(|info| info.id == target.info.id)
        {
            return Failure::not_found(format!("box `{}` is gone", target.info.name))
                .hint("agentbox list -g");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Failures that have been said, by port: each once, until a connection works again.
#[derive(Debug, Default)]
struct Told(Mutex<HashSet<(u16, String)>>);

impl Told {
    fn is_new(&self, port: u16, message: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The words may be the box's: no more of them than one would read.
        told.len() < MOST && told.insert((port, message.to_owned()))
    }

    fn forget(&self, port: u16) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(other, _)| *other != port);
    }
}

/// One connection, to its end. One that cannot be made is closed at once.
async fn connection(context: &Context, target: &Target, local: TcpStream, port: u16, told: &Told) {
    // Only a matter of speed.
    let _ = local.set_nodelay(true);
    if let Err(failure) = carry(target, local, port, told).await
        && told.is_new(port, &failure.render())
    {
        context.ui.failure(&failure);
    }
}

async fn carry(target: &Target, mut local: TcpStream, port: u16, told: &Told) -> Result<(), Failure> {
    let name = &target.info.name;
    let command = [paths::BINARY.to_owned(), "dial".to_owned(), port.to_string()];
    let options = ExecOptions {
        user: Some("0".to_owned()),
        stdin: true,
        ..ExecOptions::default()
    };
    let cannot = || Failure::failed(format!("cannot forward port {port} of box `{name}`"));
    let stream = target
        .docker
        .exec_stream(&target.info.container_id, &command, &options)
        .await
        .map_err(|error| cannot().because(&error).hint(format!("agentbox status {name}")))?;
    let (mut from_box, to_box, stderr) = stream.into_duplex();
    match tokio::time::timeout(PATIENCE, bridge::opening(&mut from_box)).await {
        Ok(Ok(bridge::Opening::Opened)) => {}
        Ok(Ok(bridge::Opening::Refused(reason))) => {
            let mut failure = Failure::failed(format!("nothing answers on port {port} of box `{name}`"))
                .cause(one_line(&reason).into_owned());
            if let Some(owner) = owner(target, port).await {
                failure = failure.cause(owner);
            }
            return Err(failure.hint(format!("agentbox ports {name}")));
        }
        Ok(Err(_)) if stderr.text().contains("unrecognized subcommand") => {
            return Err(cannot()
                .cause("its supervisor is of an older release")
                .hint(format!("agentbox restart {name}")));
        }
        Ok(Err(error)) => {
            let mut failure = cannot().because(&error);
            if let Some(line) = stderr.text().lines().next() {
                failure = failure.cause(one_line(line).into_owned());
            }
            return Err(failure.hint(format!("agentbox status {name}")));
        }
        Err(_) => {
            return Err(cannot()
                .cause("the box does not answer")
                .hint(format!("agentbox status {name}")));
        }
    }
    told.forget(port);
    let (reader, writer) = local.split();
    if bridge::pass(reader, writer, from_box, to_box).await.is_err() {
        // The client is to see that this is not the end of what there was.
        let _ = local.set_zero_linger();
    }
    Ok(())
}

/// Which unit is to listen on a port, where one says so.
async fn owner(target: &Target, port: u16) -> Option<String> {
    let channel = target.channel().await.ok()?;
    let units = channel.units().await.ok()?;
    let service = units
        .services
        .iter()
        .find(|service| service.expose.as_ref().is_some_and(|expose| expose.port == port))?;
    Some(format!(
        "it belongs to service `{}`, which is {}",
        one_line(&service.name),
        service.state
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_once_until_a_connection_works() {
        let told = Told::default();
        assert!(told.is_new(1, "refused") && !told.is_new(1, "refused"));
        assert!(told.is_new(2, "refused") && told.is_new(1, "paused"));
        told.forget(1);
        assert!(told.is_new(1, "refused") && !told.is_new(2, "refused"));
    }
}
