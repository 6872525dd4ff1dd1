//! What goes over connections, and what they do to each other.

use std::io::ErrorKind;

use agentbox_ctl::protocol::message::{Answer, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

/// Bytes in which a piece that is lost, doubled or moved is noticed.
fn content(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

/// Reads to the end, sends it back, closes.
async fn echo(mut peer: TcpStream) {
    let mut all = Vec::new();
    peer.read_to_end(&mut all).await.unwrap();
    peer.write_all(&all).await.unwrap();
}

/// Sends, ends, reads to the end.
async fn exchange(client: &Client, port: u16, content: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = client.dial(port).await.unwrap().into_split();
    let sending = async {
        writer.write_all(content).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    let mut answer = Vec::new();
    let receiving = async {
        reader.read_to_end(&mut answer).await.unwrap();
        reader.finish().await.unwrap();
    };
    soon(async { tokio::join!(sending, receiving) }).await;
    answer
}

#[tokio::test]
async fn content_and_both_ends_pass_to_both_families_and_many_at_once() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let mut ports = Vec::new();
    for address in ["127.0.0.1", "::1"] {
        let (listener, port) = listen(address).await;
        ports.push(port);
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                tokio::spawn(echo(peer));
            }
        });
    }
    let large = content(9 << 20);
    for port in &ports {
        assert_eq!(exchange(&client, *port, b"small").await, b"small");
        assert_eq!(exchange(&client, *port, b"").await, b"");
        assert!(exchange(&client, *port, &large).await == large, "another content");
    }
    let many = (0..200_usize).map(|number| {
        let (client, port) = (client.clone(), ports[number % 2]);
        tokio::spawn(async move {
            let content = content(number * 1000);
            assert!(exchange(&client, port, &content).await == content);
        })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

#[tokio::test]
async fn the_service_may_end_first() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let (listener, port) = listen("127.0.0.1").await;
    let mut dialled = soon(client.dial(port)).await.unwrap();
    let (mut peer, _) = soon(listener.accept()).await.unwrap();
    peer.write_all(b"hello").await.unwrap();
    peer.shutdown().await.unwrap();
    let mut text = String::new();
    soon(dialled.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "hello");
    dialled.write_all(b"still here").await.unwrap();
    dialled.shutdown().await.unwrap();
    // Both ends are said: what is under way arrives all the same.
    drop(dialled);
    text.clear();
    soon(peer.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "still here");
}

#[tokio::test]
async fn one_that_is_slow_holds_up_no_other_and_nothing_grows() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let (listener, port) = listen("127.0.0.1").await;

    // A client that does not read.
    let mut unread = soon(client.dial(port)).await.unwrap();
    let (mut source, _) = soon(listener.accept()).await.unwrap();
    let large = content(40 << 20);
    let sent = large.clone();
    let sending = tokio::spawn(async move {
        source.write_all(&sent).await.unwrap();
    });
    // A service that does not.
    let mut untaken = soon(client.dial(port)).await.unwrap();
    let (mut sink, _) = soon(listener.accept()).await.unwrap();
    let mut taken = 0;
    while let Ok(count) = tokio::time::timeout(
        Duration::from_millis(500),
        untaken.write(&large[taken..large.len().min(taken + 100_000)]),
    )
    .await
    {
        taken += count.unwrap();
        assert!(taken < large.len(), "nobody reads it");
    }

    // Others pass both.
    let accepting = tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            tokio::spawn(echo(peer));
        }
    });
    for _ in 0..3 {
        let content = content(3 << 20);
        assert!(exchange(&client, port, &content).await == content);
    }
    assert!(matches!(
        soon(client.ask(&Request::Status)).await,
        Ok(Answer::Status(_))
    ));

    // And both go on where they were.
    assert!(!sending.is_finished(), "40 MiB are under way");
    let mut read = vec![0; large.len()];
    soon(unread.read_exact(&mut read)).await.unwrap();
    assert!(read == large);
    let mut read = vec![0; taken];
    soon(sink.read_exact(&mut read)).await.unwrap();
    assert!(read == large[..taken]);
    accepting.abort();
}

#[tokio::test]
async fn a_reset_passes_both_ways_and_no_end_takes_its_place() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let (listener, port) = listen("127.0.0.1").await;
    let mut byte = [0];

    let mut dialled = soon(client.dial(port)).await.unwrap();
    let (peer, _) = soon(listener.accept()).await.unwrap();
    peer.set_zero_linger().unwrap();
    drop(peer);
    let error = soon(dialled.read(&mut byte)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(dialled.write(b"x").await.is_err());

    let dialled = soon(client.dial(port)).await.unwrap();
    let (mut peer, _) = soon(listener.accept()).await.unwrap();
    drop(dialled);
    let error = soon(peer.read(&mut byte)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    // The end of the channel is no end of a connection either.
    let dialled = soon(client.dial(port)).await.unwrap();
    let (mut peer, _) = soon(listener.accept()).await.unwrap();
    drop((dialled, client));
    let error = soon(peer.read(&mut byte)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    let client = supervisor.client().await;
    let mut dialled = soon(client.dial(port)).await.unwrap();
    drop(supervisor);
    let error = soon(dialled.read(&mut byte)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(
        client
            .dial(port)
            .await
            .is_err_and(|failure| agentbox_ctl::client::is_lost(&failure))
    );
}

#[tokio::test]
async fn what_the_service_still_said_arrives_though_it_takes_no_more() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let (listener, port) = listen("127.0.0.1").await;
    let (mut reader, mut writer) = soon(client.dial(port)).await.unwrap().into_split();
    let (mut peer, _) = soon(listener.accept()).await.unwrap();
    peer.write_all(b"too large").await.unwrap();
    drop(peer);
    let writing = async { while writer.write_all(&[0; 50_000]).await.is_ok() {} };
    let reading = async {
        let mut text = [0; 9];
        reader.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"too large");
        // Data that nobody takes any more is a connection that broke.
        while reader.read(&mut text).await.is_ok_and(|count| count > 0) {}
        assert!(reader.finish().await.is_err());
    };
    soon(async { tokio::join!(writing, reading) }).await;
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused() {
    let supervisor = Supervisor::start();
    let client = supervisor.client().await;
    let (listener, port) = listen("127.0.0.1").await;
    drop(listener);
    let failure = soon(client.dial(port)).await.unwrap_err();
    assert!(failure.message.contains(&port.to_string()), "{failure:?}");
    assert!(failure.causes[0].contains("refused"), "{failure:?}");
    assert!(soon(client.dial(0)).await.is_err());
}
