//! What the proxy asks of whoever knows the boxes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use agentbox_ctl::report::UnitsReport;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::app::App;

/// A box as the proxy needs it.
#[derive(Debug, Clone)]
pub struct WebBox {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: crate::boxes::BoxState,
    /// Project directory on the host that made it; empty where there is none.
    pub project: String,
    /// Units as last reported; `None` where nobody could be asked.
    pub units: Option<Arc<UnitsReport>>,
    /// Its apps; `None` where nobody has read them yet.
    pub apps: Option<Arc<Vec<App>>>,
    /// Where the box's port 80 is published on this machine; `None` on a remote engine.
    pub published: Option<SocketAddr>,
}

/// The boxes there are, as they are now. Each request asks anew, so answers come from memory.
pub trait Boxes: Send + Sync + 'static {
    /// The box of exactly this name.
    fn find(&self, name: &str) -> Option<WebBox>;

    /// As [`Self::find`], but asked of the engine and the box themselves; what is known is the answer where they take long.
    /// With an app, its apps are read again where it is not among them.
    fn look(&self, name: &str, app: Option<&str>) -> impl Future<Output = Option<WebBox>> + Send;

    /// All boxes, in the order in which they are shown.
    fn all(&self) -> Vec<WebBox>;

    /// A connection to `port` on the box's loopback, over the channel.
    ///
    /// # Errors
    /// No such box, no channel to it; [`io::ErrorKind::ConnectionRefused`] where nobody listens there.
    fn dial(&self, name: &str, port: u16) -> impl Future<Output = io::Result<Connection>> + Send;
}

/// A connection into a box. Shutting it down ends one direction only.
pub type Connection = Box<dyn Duplex>;

/// What can be read and written.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}
