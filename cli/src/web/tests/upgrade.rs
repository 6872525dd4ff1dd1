//! Connections that become something else.

use super::*;

const REQUEST: &str = "GET /socket HTTP/1.1\r\nHost: b.localhost:7080\r\nConnection: keep-alive, Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                       Origin: http://b.localhost:7080\r\n\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

#[tokio::test]
async fn a_websocket_passes_both_ways_with_its_ends() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        for line in [
            "Connection: upgrade\r\n",
            "Upgrade: websocket\r\n",
            "Sec-WebSocket-Key: dGhl",
        ] {
            assert!(head.contains(line), "{head}");
        }
        // The first frame comes along with the answer.
        peer.send(&format!("{ACCEPTED}hello")).await;
        let mut buffer = [0; 1024];
        loop {
            let read = peer.0.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            peer.0.write_all(&buffer[..read]).await.unwrap();
        }
        // One direction has ended, the other goes on.
        peer.send("last words").await;
    })
    .await;
    let mut client = proxy.connect().await;
    client.send(REQUEST).await;
    let head = client.head().await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    for line in [
        "Connection: upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert_eq!(client.until("hello").await, "hello");
    client.send("\u{1}\u{2}echo").await;
    assert_eq!(client.until("echo").await, "\u{1}\u{2}echo");
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "last words");
}

#[tokio::test]
async fn a_client_that_breaks_off_ends_the_service_s_side() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let proxy = Proxy::to(move |mut peer| {
        let sender = sender.clone();
        async move {
            peer.head().await;
            peer.send(ACCEPTED).await;
            peer.is_gone().await;
            let _ = sender.send(());
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send(REQUEST).await;
    client.head().await;
    drop(client);
    assert_eq!(
        tokio::time::timeout(LIMIT, receiver.recv()).await.unwrap(),
        Some(())
    );
}

#[tokio::test]
async fn an_upgrade_that_is_refused_is_an_answer() {
    let proxy = Proxy::to(|peer| {
        always(
            peer,
            "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno",
        )
    })
    .await;
    let mut client = proxy.connect().await;
    for _ in 0..2 {
        client.send(REQUEST).await;
        assert!(client.until("no").await.starts_with("HTTP/1.1 426"));
    }
}

#[tokio::test]
async fn a_change_that_nobody_asked_for_is_an_error() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        assert!(!head.to_ascii_lowercase().contains("upgrade"), "{head}");
        peer.send(ACCEPTED).await;
        peer.is_gone().await;
    })
    .await;
    let answer = proxy.get("b.localhost", "").await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    // The protocol of HTTP/2 is not offered to the service.
    let answer = proxy
        .raw(
            "GET / HTTP/1.1\r\nHost: b.localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n\
             HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        )
        .await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}
