//! What streams, and what breaks off.

use super::*;

#[tokio::test]
async fn an_event_arrives_before_the_next_is_sent() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<()>();
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let proxy = Proxy::to(move |mut peer| {
        let receiver = Arc::clone(&receiver);
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
                .await;
            let mut next = receiver.lock().await;
            for number in 0..3 {
                peer.send(&format!("data: {number}\n\n")).await;
                next.recv().await;
            }
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    assert!(client.head().await.contains("text/event-stream"));
    for number in 0..3 {
        client.until(&format!("data: {number}\n\n")).await;
        sender.send(()).unwrap();
    }
    client.until("0\r\n\r\n").await;
}

/// Sends until nobody takes any more for a while; gives how much that was.
async fn fill(peer: &mut Peer) -> usize {
    let piece = vec![b'x'; 1 << 16];
    let mut sent = 0;
    while let Ok(written) = tokio::time::timeout(Duration::from_millis(500), peer.0.write(&piece)).await {
        sent += written.unwrap();
        assert!(sent < 64 << 20, "nothing holds the sender back");
    }
    sent
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_service_back() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let proxy = Proxy::to(move |mut peer| {
        let sender = sender.clone();
        async move {
            peer.head().await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
                .await;
            let _ = sender.send(fill(&mut peer).await);
            peer.is_gone().await;
            let _ = sender.send(0);
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    client.head().await;
    assert!(receiver.recv().await.unwrap() > 0);
    // And one that goes away ends it.
    drop(client);
    let ended = tokio::time::timeout(LIMIT, receiver.recv()).await;
    assert_eq!(ended.unwrap(), Some(0));
}

#[tokio::test]
async fn a_service_that_does_not_read_holds_the_client_back() {
    let proxy = Proxy::to(|mut peer| async move {
        peer.head().await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut client = proxy.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: b.localhost\r\nContent-Length: 99999999999\r\n\r\n")
        .await;
    assert!(fill(&mut client).await > 0);
}

#[tokio::test]
async fn a_client_that_goes_away_ends_a_request_without_an_answer() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let proxy = Proxy::to(move |mut peer| {
        let sender = sender.clone();
        async move {
            peer.head().await;
            let _ = sender.send("asked");
            peer.is_gone().await;
            let _ = sender.send("gone");
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    assert_eq!(receiver.recv().await, Some("asked"));
    drop(client);
    let ended = tokio::time::timeout(LIMIT, receiver.recv()).await;
    assert_eq!(ended.unwrap(), Some("gone"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    for head in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let proxy = Proxy::to(move |mut peer| async move {
            peer.head().await;
            peer.send(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n4\r\nhalf\r\n"))
                .await;
        })
        .await;
        let answer = proxy.get("b.localhost", "").await;
        assert!(answer.contains("half"), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn many_bytes_arrive_as_they_were() {
    const LENGTH: usize = 20 << 20;
    let byte = |index: usize| (index % 251) as u8;
    let proxy = Proxy::to(move |mut peer| async move {
        peer.head().await;
        let mut body = vec![0; LENGTH];
        peer.0.read_exact(&mut body).await.unwrap();
        peer.send(&format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"))
            .await;
        peer.0.write_all(&body).await.unwrap();
    })
    .await;
    let mut client = proxy.connect().await;
    client
        .send(&format!(
            "PUT / HTTP/1.1\r\nHost: b.localhost\r\nContent-Length: {LENGTH}\r\n\r\n"
        ))
        .await;
    let sent: Vec<u8> = (0..LENGTH).map(byte).collect();
    client.0.write_all(&sent).await.unwrap();
    client.head().await;
    let mut got = vec![0; LENGTH];
    client.0.read_exact(&mut got).await.unwrap();
    assert!(got == sent);
}
