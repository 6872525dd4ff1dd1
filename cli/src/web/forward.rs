//! One exchange with a service.
//!
//! ```text
//! request ─► headers ─► an idle connection, or a new one ─► answer ─► headers ─► client
//!                              └── broken before the service can have seen the request: once more, on a new one
//! ```

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{Request, Response, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::body::{Answer, Gate, Upload};
use super::boxes::Boxes;
use super::headers;
use super::page::Notice;
use super::pool::{self, Pool};
use super::route::Route;
use super::target::Target;

/// What is left to do for a connection that has become something else than HTTP.
pub(super) type Tunnel = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where an exchange leaves its tunnel: the client's connection goes on as that.
#[derive(Default)]
pub(super) struct Slot(Mutex<Option<Tunnel>>);

impl Slot {
    fn put(&self, tunnel: Tunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
    }

    /// The tunnel, where one was left.
    pub(super) fn take(&self) -> Option<Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Passes a request on to a service and its answer back.
///
/// # Errors
/// What to answer where the service gives no answer.
pub(super) async fn forward(
    boxes: &impl Boxes,
    pool: &Arc<Pool>,
    route: &Route,
    target: &Target,
    client: IpAddr,
    mut request: Request<Incoming>,
    slot: &Slot,
) -> Result<Response<Answer>, Notice> {
    let is_http2 = request.version() == Version::HTTP_2;
    let wanted = headers::wanted_upgrade(request.headers(), request.version());
    let upgrade = wanted.as_ref().map(|_| hyper::upgrade::on(&mut request));
    let (mut parts, incoming) = request.into_parts();
    let waits = !is_http2 && headers::expects_continue(&parts.headers);
    if is_http2 {
        // Answered by the protocol itself.
        parts.headers.remove(http::header::EXPECT);
    }
    headers::prepare(&mut parts.headers, &target.host, client);
    if let Some(wanted) = wanted {
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, wanted);
    }
    let mut upload = Upload::new(incoming);
    if is_http2 && headers::is_grpc(&parts.headers) {
        return over_streams(boxes, pool, route, target, parts, upload).await;
    }
    let gate = (waits && !upload.is_end_stream()).then(|| upload.wait());
    parts.version = Version::HTTP_11;
    parts.uri = origin_form(&parts.uri);
    let mut request = Request::from_parts(parts, upload);
    if let Some(gate) = &gate {
        let gate = Arc::clone(gate);
        hyper::ext::on_informational(&mut request, move |response| {
            if response.status() == StatusCode::CONTINUE {
                gate.open();
            }
        });
    }
    let (response, sender) = send(boxes, pool, route, request).await?;
    answer(pool, route, response, sender, gate, upgrade, slot)
}

/// Sends a request, on a connection that is there if there is one.
async fn send(
    boxes: &impl Boxes,
    pool: &Pool,
    route: &Route,
    mut request: Request<Upload>,
) -> Result<(Response<Incoming>, pool::Sender), Notice> {
    if let Some(mut sender) = pool.take(&route.destination) {
        let again = repeatable(&request);
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((response, sender)),
            Err(mut error) => match (error.take_message(), again) {
                // Not sent.
                (Some(unsent), _) => request = unsent,
                // Services close idle connections, at times just when one is used.
                (None, Some(parts)) => request = Request::from_parts(parts, Upload::empty()),
                (None, None) => return Err(broken(route, error.error())),
            },
        }
    }
    let mut sender = open(boxes, route).await?;
    match sender.send_request(request).await {
        Ok(response) => Ok((response, sender)),
        Err(error) => Err(broken(route, &error)),
    }
}

/// The request once more, if sending it twice does no harm.
fn repeatable(request: &Request<Upload>) -> Option<Parts> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    // How its headers were written is there.
    *copy.extensions_mut() = request.extensions().clone();
    Some(copy.into_parts().0)
}

fn answer(
    pool: &Arc<Pool>,
    route: &Route,
    mut response: Response<Incoming>,
    sender: pool::Sender,
    gate: Option<Arc<Gate>>,
    upgrade: Option<OnUpgrade>,
    slot: &Slot,
) -> Result<Response<Answer>, Notice> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let (Some(client), Some(protocol)) = (upgrade, response.headers().get(UPGRADE).cloned()) else {
            return Err(route.failed("changed the protocol unasked", "it answered with 101".to_owned()));
        };
        slot.put(tunnel(client, hyper::upgrade::on(&mut response)));
        let (mut parts, _) = response.into_parts();
        headers::remove_hop_by_hop(&mut parts.headers);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        parts.headers.insert(UPGRADE, protocol);
        return Ok(Response::from_parts(parts, Answer::Text(None)));
    }
    let lease = pool.lease(route.destination.clone(), sender);
    let (mut parts, incoming) = response.into_parts();
    headers::remove_hop_by_hop(&mut parts.headers);
    // Whatever the service speaks: this connection is one of ours.
    parts.version = Version::HTTP_11;
    let body = Answer::Service {
        incoming,
        lease: Some(lease),
        _gate: gate.map(Gate::refuse),
    };
    Ok(Response::from_parts(parts, body))
}

/// Bytes both ways until both directions have ended.
fn tunnel(client: OnUpgrade, service: OnUpgrade) -> Tunnel {
    Box::pin(async move {
        if let Ok((client, service)) = tokio::try_join!(client, service) {
            // Either side may break off; that ends both.
            let (mut client, mut service) = (TokioIo::new(client), TokioIo::new(service));
            let _ = tokio::io::copy_bidirectional(&mut client, &mut service).await;
        }
    })
}

/// As [`send`], over HTTP/2.
async fn over_streams(
    boxes: &impl Boxes,
    pool: &Arc<Pool>,
    route: &Route,
    target: &Target,
    mut parts: Parts,
    upload: Upload,
) -> Result<Response<Answer>, Notice> {
    parts.headers.remove(HOST);
    parts.headers.remove(CONNECTION);
    parts.version = Version::HTTP_2;
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = target.host.to_str().ok().and_then(|host| host.parse().ok());
    parts.uri = Uri::from_parts(uri).unwrap_or_default();
    let mut request = Request::from_parts(parts, upload);
    let mut fresh = false;
    let response = loop {
        let (mut streams, was_there) = pool
            .streams(boxes, &route.destination, fresh)
            .await
            .map_err(|error| route.unreachable(&error))?;
        match streams.try_send_request(request).await {
            Ok(response) => break response,
            Err(mut error) => match error.take_message() {
                Some(unsent) if was_there => request = unsent,
                _ => return Err(broken(route, error.error())),
            },
        }
        fresh = true;
    };
    let (mut parts, incoming) = response.into_parts();
    headers::remove_hop_by_hop(&mut parts.headers);
    let body = Answer::Service {
        incoming,
        lease: None,
        _gate: None,
    };
    Ok(Response::from_parts(parts, body))
}

async fn open(boxes: &impl Boxes, route: &Route) -> Result<pool::Sender, Notice> {
    let opened = pool::open(boxes, &route.destination).await;
    opened.map_err(|error| route.unreachable(&error))
}

fn broken(route: &Route, error: &hyper::Error) -> Notice {
    let cause = if error.is_parse() {
        "what it said is no HTTP"
    } else if error.is_incomplete_message() {
        "it closed the connection"
    } else {
        "the connection broke"
    };
    route.failed("gave no answer", cause.to_owned())
}

/// The target as a server gets it: a path, or `*`.
fn origin_form(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    path.unwrap_or_else(|| PathAndQuery::from_static("/")).into()
}
