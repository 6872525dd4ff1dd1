//! Clients that speak HTTP/2, and services that have to.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

async fn client(proxy: &Proxy) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let (sender, driver) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(driver);
    sender
}

fn request(content_type: &'static str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post("http://b.localhost:7080/path?x")
        .header("content-type", content_type)
        .header("te", "trailers")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .body(Full::from(body))
        .unwrap()
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> (u16, Collected<Bytes>) {
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    (
        response.status().as_u16(),
        response.into_body().collect().await.unwrap(),
    )
}

#[tokio::test]
async fn requests_over_http2_reach_a_service_that_knows_http1() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        let mut body = [0; 4];
        peer.0.read_exact(&mut body).await.unwrap();
        let text = format!("{head}{}", String::from_utf8_lossy(&body));
        let answer = format!(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        peer.send(&answer).await;
    })
    .await;
    let mut client = client(&proxy).await;
    // At once, on one connection.
    let (mut one, mut two) = (client.clone(), client.clone());
    let answers = tokio::join!(
        ask(&mut one, request("text/plain", "body")),
        ask(&mut two, request("text/plain", "body"))
    );
    for (status, answer) in [answers.0, answers.1] {
        let text = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
        assert_eq!(status, 200, "{text}");
        for line in [
            "POST /path?x HTTP/1.1",
            "host: b.localhost:7080",
            "cookie: a=1; b=2",
            "x-forwarded-host: b.localhost:7080",
        ] {
            assert!(text.contains(line), "{text}");
        }
        assert!(text.ends_with("body"), "{text}");
    }
    let foreign = Request::get("http://evil.example/")
        .body(Full::default())
        .unwrap();
    assert_eq!(ask(&mut client, foreign).await.0, 403);
    let differing = Request::get("http://b.localhost/").header("host", "c.localhost");
    assert_eq!(
        ask(&mut client, differing.body(Full::default()).unwrap()).await.0,
        400
    );
}

/// Sends back what came, and trailers behind it.
async fn echo(
    request: Request<Incoming>,
) -> Result<Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri().authority().unwrap(), "b.localhost:7080");
    assert_eq!(request.headers()["te"], "trailers");
    assert_eq!(request.headers()["x-forwarded-proto"], "http");
    assert!(!request.headers().contains_key("host"));
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let pieces = futures_util::stream::iter([Ok(Frame::data(body)), Ok(Frame::trailers(trailers))]);
    let body = BodyExt::boxed(http_body_util::StreamBody::new(pieces));
    Ok(Response::new(body))
}

#[tokio::test]
async fn grpc_stays_http2_and_its_trailers_arrive() {
    let proxy = Proxy::to(|peer| async move {
        let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = served
            .serve_connection(TokioIo::new(peer.0), service_fn(echo))
            .await;
    })
    .await;
    let mut client = client(&proxy).await;
    for _ in 0..2 {
        let (status, answer) = ask(&mut client, request("application/grpc+proto", "message")).await;
        assert_eq!(status, 200);
        assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(answer.to_bytes(), "message");
    }
}

#[tokio::test]
async fn trailers_of_a_service_that_knows_http1_arrive_too() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        assert!(head.contains("te: trailers"), "{head}");
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n1\r\nx\r\n0\r\nX-End: yes\r\n\r\n",
        )
        .await;
    })
    .await;
    let (_, answer) = ask(&mut client(&proxy).await, request("text/plain", "")).await;
    assert_eq!(answer.trailers().unwrap()["x-end"], "yes");
}

#[tokio::test]
async fn a_service_that_does_not_know_http2_is_named_to_a_grpc_client() {
    let proxy = Proxy::to(|mut peer| async move {
        peer.until("SM\r\n\r\n").await;
        peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await;
    })
    .await;
    let (status, answer) = ask(&mut client(&proxy).await, request("application/grpc", "")).await;
    assert_eq!(status, 502);
    let text = String::from_utf8(answer.to_bytes().to_vec()).unwrap();
    assert!(text.contains("agentbox logs b web"), "{text}");
}
