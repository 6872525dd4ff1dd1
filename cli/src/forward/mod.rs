//! Ports of a box on the host's loopback, without having published them.
//!
//! ```text
//! spec ─► listen ─► accepted connection ─► way ─┬─ bridge ═ a request on the channel that all share ═ port in the box
//!                                               └─ exec ══ docker exec `agentbox-ctl dial PORT` ═════ port in the box
//! ```
//!
//! The second way is for supervisors of the former release. All connections are served by one task; where there are as many
//! as may be, further ones wait in the kernel.

mod bridge;
mod exec;
mod listen;
mod spec;
mod told;
mod way;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};

pub use self::listen::{Forward, all};
pub use self::spec::{Spec, split};
use self::told::Told;
use self::way::Way;
use crate::boxes;
use crate::context::Context;
use crate::target::Target;

/// Connections at once: a channel takes 256 requests, and some of them may be others.
const MOST: usize = 250;
/// How long to wait after an engine or a system that could not.
const PAUSE: Duration = Duration::from_secs(1);

type Accepting<'a> = Pin<Box<dyn Future<Output = (TcpStream, &'a TcpListener, u16)> + 'a>>;

/// Serves connections until the box is gone.
///
/// # Errors
/// A box that is gone (3).
pub async fn serve(context: &Context, target: &Target, forwards: &[Forward]) -> Result<Infallible, Failure> {
    let (told, way) = (Told::default(), Way::new(target));
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
                connections.push(connection(context, &way, local, port, &told));
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

/// One connection, to its end. One that cannot be made is closed at once.
async fn connection(context: &Context, way: &Way<'_>, mut local: TcpStream, port: u16, told: &Told) {
    // Only a matter of speed.
    let _ = local.set_nodelay(true);
    let connected = match way.connect(port).await {
        Ok(connected) => connected,
        Err(failure) => {
            if told.is_new(port, &failure.render()) {
                context.ui.failure(&failure);
            }
            return;
        }
    };
    told.forget(port);
    if connected.pass(&mut local).await.is_err() {
        // The client is to see that this is not the end of what there was.
        let _ = local.set_zero_linger();
    }
}
