//! `:80` of the box, while its exposed service is ready.
//!
//! The listener exists only then: a connection before is refused, as it would be by the service itself.

use std::cell::RefCell;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, spawn_local};

/// The port that is published to the host.
const PUBLISHED: u16 = 80;

/// Opens and closes the listener.
#[derive(Debug, Default)]
pub(super) struct Forwarder {
    open: Option<(u16, AbortHandle)>,
    error: Rc<RefCell<Option<String>>>,
}

impl Forwarder {
    /// Leads `:80` to `port`, or nowhere. Nothing happens where that is so already.
    pub(super) fn lead_to(&mut self, port: Option<u16>) {
        if self.open.as_ref().map(|(port, _)| *port) == port {
            return;
        }
        if let Some((_, task)) = self.open.take() {
            task.abort();
        }
        *self.error.borrow_mut() = None;
        if let Some(port) = port {
            let error = Rc::clone(&self.error);
            let task = if port == PUBLISHED {
                // The service is there itself.
                spawn_local(async {})
            } else {
                spawn_local(async move {
                    if let Err(cause) = forward(port).await {
                        *error.borrow_mut() =
                            Some(format!("cannot listen on port {PUBLISHED} of the box: {cause}"));
                    }
                })
            };
            self.open = Some((port, task.abort_handle()));
        }
    }

    /// Why `:80` does not lead to the service although it should.
    pub(super) fn error(&self) -> Option<String> {
        self.error.borrow().clone()
    }
}

async fn forward(port: u16) -> std::io::Result<()> {
    // One socket for both families where there is IPv6.
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, PUBLISHED)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, PUBLISHED)).await?,
    };
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            // Out of descriptors, most likely: let those in use come back.
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            continue;
        };
        spawn_local(async move {
            if let Ok(mut service) = connect_loopback(port).await {
                let _ = client.set_nodelay(true);
                let _ = service.set_nodelay(true);
                // Either side may break off; that ends both.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
            }
        });
    }
}

/// Connects to a port of the box, in whichever family something listens.
///
/// # Errors
/// That of the IPv4 attempt, where neither succeeds.
pub(super) async fn connect_loopback(port: u16) -> std::io::Result<TcpStream> {
    match connect((Ipv4Addr::LOCALHOST, port).into()).await {
        Ok(stream) => Ok(stream),
        Err(error) => connect((Ipv6Addr::LOCALHOST, port).into())
            .await
            .map_err(|_| error),
    }
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A free port of the ephemeral range may connect to itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(std::io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}
