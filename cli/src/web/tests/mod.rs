//! The whole proxy over real sockets, with services that do what a test tells them to.

mod apps;
mod bodies;
mod exchange;
mod http2;
mod refusals;
mod streams;
mod upgrade;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use agentbox_ctl::config::model::Expose;
use agentbox_ctl::report::{ServiceState, ServiceStatus};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::boxes::BoxState;
use crate::testing::{report, service};

const LIMIT: Duration = Duration::from_secs(20);

/// Boxes that are there because a test says so. A dial goes to this machine's port of the same number.
#[derive(Default)]
struct Fake(Mutex<Vec<WebBox>>);

impl Boxes for Fake {
    fn find(&self, name: &str) -> Option<WebBox> {
        self.all().into_iter().find(|web_box| web_box.name == name)
    }

    async fn look(&self, name: &str, _app: Option<&str>) -> Option<WebBox> {
        self.find(name)
    }

    fn all(&self) -> Vec<WebBox> {
        self.0.lock().unwrap().clone()
    }

    async fn dial(&self, name: &str, port: u16) -> io::Result<Connection> {
        assert!(self.find(name).is_some());
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(Box::new(stream))
    }
}

/// The service of a box, ready on this port.
fn web(port: u16) -> ServiceStatus {
    ServiceStatus {
        expose: Some(Expose {
            port,
            published_as: 80,
        }),
        ..service("web", ServiceState::Ready)
    }
}

/// A running box whose service is published at this address.
fn web_box(name: &str, address: SocketAddr) -> WebBox {
    WebBox {
        name: name.to_owned(),
        state: BoxState::Running,
        project: "/p".to_owned(),
        units: Some(Arc::new(report(vec![web(address.port())], Vec::new()))),
        apps: Some(Arc::default()),
        published: Some(address),
    }
}

/// A proxy that runs until it is dropped.
struct Proxy {
    address: SocketAddr,
    boxes: Arc<Fake>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    async fn new(boxes: Vec<WebBox>) -> Self {
        Self::with_limit(boxes, 100).await
    }

    async fn with_limit(boxes: Vec<WebBox>, most: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let boxes = Arc::new(Fake(Mutex::new(boxes)));
        let task = tokio::spawn(serve::serve_at_most(
            vec![listener],
            Arc::clone(&boxes),
            None,
            most,
        ));
        Self { address, boxes, task }
    }

    /// A proxy with the box `b`, whose connections `script` serves.
    async fn to<F: Future<Output = ()> + Send + 'static>(
        script: impl Fn(Peer) -> F + Send + Sync + 'static,
    ) -> Self {
        Self::new(vec![web_box("b", upstream(script).await)]).await
    }

    async fn connect(&self) -> Peer {
        Peer(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends bytes as they are, and gives what comes until the end.
    async fn raw(&self, bytes: &str) -> String {
        let mut peer = self.connect().await;
        peer.send(bytes).await;
        peer.rest().await
    }

    /// A `GET` of `/` with this `Host` and further header lines, on a connection of its own.
    async fn get(&self, host: &str, lines: &str) -> String {
        self.raw(&format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}\r\n"
        ))
        .await
    }
}

/// Starts a service. Each of its connections is served by `script`.
async fn upstream<F: Future<Output = ()> + Send + 'static>(
    script: impl Fn(Peer) -> F + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(script(Peer(stream)));
        }
    });
    address
}

/// One end of a connection.
struct Peer(TcpStream);

impl Peer {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// What comes, up to and with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let read = tokio::time::timeout(LIMIT, self.0.read_u8()).await;
            let read = read.unwrap_or_else(|_| panic!("no {end:?} in {:?}", String::from_utf8_lossy(&text)));
            match read {
                Ok(byte) => text.push(byte),
                Err(error) => panic!("{error}, no {end:?} in {:?}", String::from_utf8_lossy(&text)),
            }
        }
        String::from_utf8(text).unwrap()
    }

    /// The head of a message.
    async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Everything up to the end; a broken connection ends, too.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let reading = self.0.read_to_end(&mut bytes);
        let ended = tokio::time::timeout(LIMIT, reading).await;
        assert!(ended.is_ok(), "no end");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the other side has closed or broken the connection.
    async fn is_gone(&mut self) {
        self.rest().await;
    }
}

/// Answers every request on a connection with the same.
async fn always(mut peer: Peer, answer: &'static str) {
    loop {
        let mut first = [0];
        if peer.0.peek(&mut first).await.unwrap_or(0) == 0 {
            return;
        }
        peer.head().await;
        peer.send(answer).await;
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn what_is_dropped_serves_no_more() {
    let proxy = Proxy::to(|peer| always(peer, OK)).await;
    let mut peer = proxy.connect().await;
    peer.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    peer.until("ok").await;
    proxy.task.abort();
    peer.is_gone().await;
    assert!(proxy.boxes.find("b").is_some());
}

#[tokio::test]
async fn where_there_are_as_many_as_may_be_further_ones_wait() {
    let address = upstream(|peer| always(peer, OK)).await;
    let proxy = Proxy::with_limit(vec![web_box("b", address)], 2).await;
    let request = "GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n";
    let mut peers = Vec::new();
    for _ in 0..2 {
        let mut peer = proxy.connect().await;
        peer.send(request).await;
        peer.until("ok").await;
        peers.push(peer);
    }
    let mut third = proxy.connect().await;
    third.send(request).await;
    let early = tokio::time::timeout(Duration::from_millis(200), third.0.read_u8()).await;
    assert!(early.is_err(), "served beyond the limit");
    drop(peers.pop());
    third.until("ok").await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go() {
    let proxy = Proxy::new(Vec::new()).await;
    for begin in ["", "G", "PRI * HT", "GET / HTTP/1.1\r\nHost: b.loc"] {
        let mut peer = proxy.connect().await;
        peer.send(begin).await;
        let began = tokio::time::Instant::now();
        let reading = tokio::time::timeout(LIMIT * 10, peer.0.read(&mut [0; 64])).await;
        assert_eq!(reading.unwrap().unwrap_or(0), 0, "{begin:?}");
        assert!(began.elapsed() >= Duration::from_secs(29), "{begin:?}");
    }
}
