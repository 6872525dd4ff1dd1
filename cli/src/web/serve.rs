//! Accepting connections, and what becomes of each request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::body::Answer;
use super::boxes::{Boxes, WebBox};
use super::forward::{self, Slot};
use super::host::Site;
use super::origin;
use super::page::{Index, Notice, takes_html};
use super::pool::{self, Pool};
use super::route::{self, Route};
use super::target::{self, Target};
use crate::api::{self, Gate};

/// Connections at once; each may need a second one to its service, and 1024 open files is what many systems grant.
const MOST: usize = 400;
/// Requests at once on one connection of HTTP/2.
const MOST_STREAMS: u32 = 100;
/// How long a client may take until a request's headers are there, and stay idle.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait after a system that could not.
const PAUSE: Duration = Duration::from_millis(100);

/// What all connections share.
struct Shared<B> {
    boxes: Arc<B>,
    pool: Arc<Pool>,
    slots: Arc<Semaphore>,
    api: Option<Arc<Gate>>,
}

/// Serves connections for ever. Dropping the future ends all of them.
pub async fn serve(listeners: Vec<TcpListener>, boxes: Arc<impl Boxes>, api: Option<Arc<Gate>>) {
    serve_at_most(listeners, boxes, api, MOST).await;
}

/// As [`serve`], with at most so many connections at once.
pub(super) async fn serve_at_most(
    listeners: Vec<TcpListener>,
    boxes: Arc<impl Boxes>,
    api: Option<Arc<Gate>>,
    most: usize,
) {
    let shared = Arc::new(Shared {
        boxes,
        pool: Arc::default(),
        slots: Arc::new(Semaphore::new(most)),
        api,
    });
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(accept(listener, Arc::clone(&shared)));
    }
    let pool = Arc::clone(&shared.pool);
    tasks.spawn(async move { pool.sweep().await });
    while tasks.join_next().await.is_some() {}
}

async fn accept<B: Boxes>(listener: TcpListener, shared: Arc<Shared<B>>) {
    let mut connections = JoinSet::new();
    // Where there are as many as may be, further ones wait in the kernel.
    while let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await {
        let (stream, client) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                // Out of descriptors, most likely: let those in use come back.
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        while connections.try_join_next().is_some() {}
        connections.spawn(connection(stream, client, Arc::clone(&shared), slot));
    }
}

/// One client's connection, to its end.
async fn connection<B: Boxes>(
    stream: TcpStream,
    client: SocketAddr,
    shared: Arc<Shared<B>>,
    _slot: OwnedSemaphorePermit,
) {
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let has_asked = AtomicBool::new(false);
    let tunnel = Arc::new(Slot::default());
    let service = service_fn(|request| {
        has_asked.store(true, Ordering::Relaxed);
        let (shared, tunnel) = (Arc::clone(&shared), Arc::clone(&tunnel));
        async move {
            let is_html = takes_html(request.headers());
            let method = request.method().clone();
            let response = respond(&shared, local.port(), client, request, &tunnel).await;
            Ok::<_, Infallible>(response.unwrap_or_else(|notice| notice.respond(is_html, &method)))
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .preserve_header_case(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MOST_STREAMS)
        .initial_stream_window_size(pool::STREAM_WINDOW)
        .initial_connection_window_size(pool::CONNECTION_WINDOW);
    {
        let mut served = pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        // The library's own time limit begins when it knows the protocol.
        let patience = tokio::time::sleep(HEADER_PATIENCE);
        tokio::select! {
            _ = &mut served => {}
            () = patience => {
                if !has_asked.load(Ordering::Relaxed) {
                    return;
                }
                let _ = served.await;
            }
        }
    }
    if let Some(tunnel) = tunnel.take() {
        tunnel.await;
    }
}

/// Answers one request.
async fn respond<B: Boxes>(
    shared: &Shared<B>,
    port: u16,
    client: SocketAddr,
    request: Request<Incoming>,
    slot: &Slot,
) -> Result<Response<Answer>, Notice> {
    let api = shared
        .api
        .as_ref()
        .filter(|_| api::is_below(request.uri().path()));
    let target = match target::read(&request) {
        Ok(target) => target,
        Err(notice) => {
            let refused =
                api.and_then(|api| api.refuse(notice.status, "the request's Host is not this machine"));
            return refused.map(of_the_api).ok_or(notice);
        }
    };
    if let (Some(api), Site::Index) = (api, &target.authority.site)
        && api.is_open()
    {
        let is_foreign = !origin::is_own(request.headers(), &target.authority);
        let answer = api.answer(request, is_foreign, target.authority.port).await;
        return answer.map(of_the_api).ok_or_else(no_such_page);
    }
    let boxes = &*shared.boxes;
    let is_foreign_port = |port: u16| {
        let all = boxes.all();
        let mut others = all
            .iter()
            .filter(|web_box| target.authority.site.box_name() != Some(web_box.name.as_str()));
        others.any(|other| other.published.is_some_and(|address| address.port() == port))
    };
    if !origin::may_ask(
        request.method(),
        request.headers(),
        &target.authority,
        port,
        is_foreign_port,
    ) {
        return Err(Notice::new(
            StatusCode::FORBIDDEN,
            "pages of other boxes and sites cannot reach this one",
        )
        .hint("open its URL in a tab of its own"));
    }
    match &target.authority.site {
        Site::Index => index(boxes, &target, &request),
        Site::Box(name) => {
            let route = find(boxes, name, None).await?;
            forward::forward(boxes, &shared.pool, &route, &target, client.ip(), request, slot).await
        }
        Site::App { app, name } => {
            let route = find(boxes, name, Some(app)).await?;
            forward::forward(boxes, &shared.pool, &route, &target, client.ip(), request, slot).await
        }
        Site::Unknown | Site::Foreign => Err(no_such_box("there is no box of this name")),
    }
}

/// The way to an app of a box, or to its exposed service.
async fn find(boxes: &impl Boxes, name: &str, app: Option<&str>) -> Result<Route, Notice> {
    let route = |web_box: WebBox| match app {
        Some(app) => route::find_app(&web_box, app),
        None => route::find(&web_box),
    };
    match boxes.find(name).map(route) {
        Some(Ok(route)) => Ok(route),
        // What has just become ready, or been made, may not be known yet.
        Some(Err(_)) | None => match boxes.look(name, app).await {
            Some(web_box) => route(web_box),
            None => Err(no_such_box(&format!("there is no box `{name}`"))),
        },
    }
}

fn index(
    boxes: &impl Boxes,
    target: &Target,
    request: &Request<Incoming>,
) -> Result<Response<Answer>, Notice> {
    if request.uri().path() != "/" {
        return Err(no_such_page());
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return Err(Notice::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "there is nothing to send here",
        ));
    }
    let index = Index {
        boxes: boxes.all(),
        port: target.authority.port,
    };
    Ok(index.respond(takes_html(request.headers())))
}

fn of_the_api(response: Response<bytes::Bytes>) -> Response<Answer> {
    response.map(|text| Answer::Text(Some(text)))
}

fn no_such_page() -> Notice {
    Notice::new(StatusCode::NOT_FOUND, "there is no such page").hint("the list of boxes is at /")
}

/// Says nothing of the boxes that there are.
fn no_such_box(title: &str) -> Notice {
    Notice::new(StatusCode::NOT_FOUND, title).hint("agentbox list -g")
}
