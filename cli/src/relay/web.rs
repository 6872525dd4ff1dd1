//! The boxes of this relay, for the web proxy.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::client::{is_lost, is_not_understood};
use agentbox_ctl::failure::Failure;

use super::engine::Engine;
use super::link::Link;
use super::server::Shared;
use crate::boxes::{BoxInfo, BoxState};
use crate::web::{Boxes, Connection, WebBox};

/// How long an engine, a channel and a box may take each, while somebody waits for a page.
const PATIENCE: Duration = Duration::from_millis(400);
/// How long it may take to read the apps of a box.
const APPS_PATIENCE: Duration = Duration::from_secs(5);

/// What the proxy sees.
pub(super) struct Site(pub(super) Arc<Shared>);

impl Site {
    /// The boxes that have links, of all engines.
    fn linked(&self) -> Vec<(Arc<Engine>, Arc<Link>, BoxInfo)> {
        let mut found = Vec::new();
        for engine in self.0.watched() {
            for info in engine.known().iter() {
                if let Some(link) = engine.link(&info.id) {
                    found.push((Arc::clone(&engine), link, info.clone()));
                }
            }
        }
        found
    }

    /// Names are unique on an engine; of two engines' boxes of one name, one that runs is meant.
    fn named(&self, name: &str) -> Option<(Arc<Engine>, Arc<Link>, BoxInfo)> {
        let mut named = self.linked();
        named.retain(|(.., info)| info.name == name);
        let running = named
            .iter()
            .position(|(.., info)| info.state == BoxState::Running);
        (!named.is_empty()).then(|| named.swap_remove(running.unwrap_or_default()))
    }
}

impl Boxes for Site {
    fn find(&self, name: &str) -> Option<WebBox> {
        self.named(name)
            .map(|(engine, link, info)| describe(&engine, &link, info))
    }

    async fn look(&self, name: &str, app: Option<&str>) -> Option<WebBox> {
        for engine in self.0.watched() {
            // One that does not answer is as it was.
            let _ = engine.boxes(PATIENCE).await;
        }
        let (engine, link, info) = self.named(name)?;
        if info.state == BoxState::Running && link.opened(PATIENCE).await.is_some() {
            link.renew(PATIENCE).await;
        }
        if let Some(app) = app
            && link
                .apps()
                .is_none_or(|apps| !apps.iter().any(|known| known.name == app))
        {
            link.look_at_apps(APPS_PATIENCE).await;
        }
        Some(describe(&engine, &link, info))
    }

    fn all(&self) -> Vec<WebBox> {
        let all = self.linked().into_iter();
        all.map(|(engine, link, info)| describe(&engine, &link, info))
            .collect()
    }

    async fn dial(&self, name: &str, port: u16) -> io::Result<Connection> {
        let none = |what: &str| io::Error::new(io::ErrorKind::NotConnected, what.to_owned());
        let (_, link, _) = self.named(name).ok_or_else(|| none("there is no such box"))?;
        let channel = link
            .channel()
            .ok_or_else(|| none("there is no channel to the box"))?;
        let dialled = channel.client.dial(port).await.map_err(of_dialling)?;
        Ok(Box::new(dialled))
    }
}

/// What the box says is that nobody took the connection; all else is about the way there.
fn of_dialling(failure: Failure) -> io::Error {
    let kind = if is_lost(&failure) || is_not_understood(&failure) {
        io::ErrorKind::Other
    } else {
        io::ErrorKind::ConnectionRefused
    };
    let text = std::iter::once(failure.message).chain(failure.causes);
    io::Error::new(kind, text.collect::<Vec<_>>().join(": "))
}

fn describe(engine: &Engine, link: &Link, info: BoxInfo) -> WebBox {
    let published = info
        .port
        .as_ref()
        .filter(|_| engine.is_local())
        .map(|(address, port)| {
            let address: IpAddr = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            SocketAddr::new(address, *port)
        });
    WebBox {
        name: info.name,
        state: info.state,
        project: info.project,
        units: link.units(),
        apps: link.apps(),
        published,
    }
}
