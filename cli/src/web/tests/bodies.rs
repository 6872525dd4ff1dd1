//! How bodies are framed, and when they are sent at all.

use super::*;

#[tokio::test]
async fn chunks_and_trailers_pass_both_ways() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        let body = peer.until("0\r\n").await;
        let trailers = peer.head().await;
        assert!(
            head.contains("TE: trailers") && head.contains("Trailer: X-Sum"),
            "{head}"
        );
        assert_eq!(
            (body.as_str(), trailers.as_str()),
            ("3\r\nabc\r\n0\r\n", "x-sum: 6\r\n\r\n")
        );
        peer.send(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n\
             5\r\nhello\r\n0\r\nX-End: yes\r\n\r\n",
        )
        .await;
    })
    .await;
    let mut client = proxy.connect().await;
    client
        .send(
            "POST / HTTP/1.1\r\nHost: b.localhost\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nTrailer: X-Sum\r\n\r\n\
             3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert!(head.contains("Transfer-Encoding: chunked"), "{head}");
    assert_eq!(
        client.until("yes\r\n\r\n").await,
        "5\r\nhello\r\n0\r\nx-end: yes\r\n\r\n"
    );
}

/// A request that waits for leave to send its body.
const WAITING: &str =
    "PUT / HTTP/1.1\r\nHost: b.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

#[tokio::test]
async fn a_body_waits_for_the_service_s_leave() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<()>();
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let proxy = Proxy::to(move |mut peer| {
        let receiver = Arc::clone(&receiver);
        async move {
            let head = peer.head().await;
            assert!(head.contains("Expect: 100-continue"), "{head}");
            receiver.lock().await.recv().await;
            peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
            assert_eq!(peer.until("body").await, "body");
            peer.send(OK).await;
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send(WAITING).await;
    let early = tokio::time::timeout(Duration::from_millis(300), client.0.read_u8()).await;
    assert!(early.is_err(), "told to go on by somebody else than the service");
    sender.send(()).unwrap();
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_that_is_refused_is_not_sent() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let proxy = Proxy::to(move |mut peer| {
        let sender = sender.clone();
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
                .await;
            let _ = sender.send(peer.rest().await);
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send(WAITING).await;
    let answer = client.until("no").await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let got = tokio::time::timeout(LIMIT, receiver.recv()).await;
    assert_eq!(got.unwrap().as_deref(), Some(""));
    // What follows could be the body or another request: the connection is of no more use.
    client.is_gone().await;
}

#[tokio::test]
async fn a_service_that_knows_nothing_of_leave_gets_the_body_all_the_same() {
    let proxy = Proxy::to(|mut peer| async move {
        peer.head().await;
        peer.until("body").await;
        peer.send(OK).await;
    })
    .await;
    let mut client = proxy.connect().await;
    client.send(WAITING).await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert!(client.until("ok").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn other_informational_answers_do_not_end_the_wait() {
    let proxy = Proxy::to(|mut peer| async move {
        peer.head().await;
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n").await;
        peer.send(OK).await;
    })
    .await;
    assert!(proxy.get("b.localhost", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn two_lengths_are_one_request_for_the_service() {
    for lines in [
        "Content-Length: 39\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 39",
    ] {
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let proxy = Proxy::to(move |mut peer| {
            let sender = sender.clone();
            async move {
                let head = peer.head().await;
                let body = peer.until("0\r\n\r\n").await;
                peer.send(OK).await;
                let _ = sender.send(format!("{head}{body}{}", peer.rest().await));
            }
        })
        .await;
        // The connection ends behind it: what follows is no request.
        let answer = proxy
            .raw(&format!(
                "POST / HTTP/1.1\r\nHost: b.localhost\r\n{lines}\r\n\r\n0\r\n\r\n\
                 GET /smuggled HTTP/1.1\r\nHost: b.localhost\r\n\r\n"
            ))
            .await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        let seen = tokio::time::timeout(LIMIT, receiver.recv())
            .await
            .unwrap()
            .unwrap();
        assert!(
            seen.contains("Transfer-Encoding: chunked") && seen.ends_with("\r\n\r\n0\r\n\r\n"),
            "{seen}"
        );
        assert!(!seen.to_ascii_lowercase().contains("content-length"), "{seen}");
    }
}
