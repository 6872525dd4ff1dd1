//! Requests and answers, header by header.

use super::*;

#[tokio::test]
async fn the_service_sees_the_request_as_the_browser_sent_it() {
    let proxy = Proxy::to(|mut peer| async move {
        let head = peer.head().await;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
        peer.send(&answer).await;
    })
    .await;
    let answer = proxy
        .get(
            "B.localhost:7080",
            "x-forwarded-for: 10.0.0.1\r\nx-forwarded-proto: https\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
             Cookie: a=1\r\nOrigin: http://b.localhost:7080\r\nAccept-Encoding: gzip\r\n",
        )
        .await;
    let (_, seen) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = seen.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET / HTTP/1.1");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Accept-Encoding: gzip",
            "Cookie: a=1",
            "Host: B.localhost:7080",
            "Origin: http://b.localhost:7080",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: B.localhost:7080",
            "x-forwarded-proto: http",
        ]
    );
}

#[tokio::test]
async fn the_answer_comes_back_as_the_service_gave_it() {
    let proxy = Proxy::to(|peer| {
        always(
            peer,
            "HTTP/1.1 302 Over There\r\nLocation: http://b.localhost:7080/next\r\nSet-Cookie: a=1; Path=/\r\n\
             Set-Cookie: b=2\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nServer: mine\r\nKeep-Alive: timeout=5\r\n\
             Connection: keep-alive\r\nContent-Length: 4\r\n\r\nbody",
        )
    })
    .await;
    let answer = proxy.get("b.localhost:7080", "").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "HTTP/1.1 302 Over There");
    assert_eq!(body, "body");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "Connection: close",
            "Content-Length: 4",
            "Date: Thu, 01 Jan 1970 00:00:00 GMT",
            "Location: http://b.localhost:7080/next",
            "Server: mine",
            "Set-Cookie: a=1; Path=/",
            "Set-Cookie: b=2",
        ]
    );
}

#[tokio::test]
async fn paths_reach_the_service_byte_for_byte() {
    let proxy = Proxy::to(|mut peer| async move {
        let line = peer.until("\r\n").await;
        peer.head().await;
        let answer = format!("HTTP/1.0 200 OK\r\n\r\n{line}");
        peer.send(&answer).await;
    })
    .await;
    for target in [
        "/a//b/../c?x=%2F&y=a b".replace(' ', "+"),
        "/%00%ff?".to_owned(),
        "*".to_owned(),
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        let request = format!("{method} {target} HTTP/1.1\r\nHost: b.localhost\r\nConnection: close\r\n\r\n");
        let answer = proxy.raw(&request).await;
        assert!(
            answer.contains(&format!("{method} {target} HTTP/1.1")),
            "{answer}"
        );
        // The service's own version stays between it and us.
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
    let answer = proxy
        .raw("GET http://b.localhost:7080/x HTTP/1.1\r\nHost: b.localhost:7080\r\nConnection: close\r\n\r\n")
        .await;
    assert!(answer.contains("GET /x HTTP/1.1"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_keep_their_length() {
    let proxy = Proxy::to(|mut peer| async move {
        let mut line = String::new();
        while !line.starts_with("DELETE") {
            line = peer.until("\r\n").await;
            peer.head().await;
            let answer = match line.split(' ').next().unwrap() {
                "HEAD" => "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
                "GET" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nETag: x\r\n\r\n",
                _ => "HTTP/1.1 204 No Content\r\n\r\n",
            };
            peer.send(answer).await;
        }
    })
    .await;
    let mut peer = proxy.connect().await;
    let mut answers = Vec::new();
    for method in ["HEAD", "GET", "HEAD", "DELETE"] {
        peer.send(&format!("{method} / HTTP/1.1\r\nHost: b.localhost\r\n\r\n"))
            .await;
        answers.push(peer.head().await);
    }
    assert!(answers[0].contains("Content-Length: 1234"), "{answers:?}");
    assert!(
        answers[1].starts_with("HTTP/1.1 304") && answers[1].contains("ETag: x"),
        "{answers:?}"
    );
    assert!(answers[2].contains("Content-Length: 1234"), "{answers:?}");
    assert!(
        answers[3].starts_with("HTTP/1.1 204") && !answers[3].to_ascii_lowercase().contains("content-length"),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_connection_is_used_again_and_replaced_where_the_service_closed_it() {
    let connections = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&connections);
    // Closes after the second request of each connection, without saying so.
    let proxy = Proxy::to(move |mut peer| {
        *counted.lock().unwrap() += 1;
        async move {
            for _ in 0..2 {
                peer.head().await;
                peer.send(OK).await;
            }
            peer.head().await;
        }
    })
    .await;
    let mut client = proxy.connect().await;
    for number in 0..6 {
        client.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
        let answer = client.until("ok").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
    }
    assert_eq!(*connections.lock().unwrap(), 3);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_done_twice() {
    let requests = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&requests);
    let proxy = Proxy::to(move |mut peer| {
        let counted = Arc::clone(&counted);
        async move {
            peer.head().await;
            peer.send(OK).await;
            peer.head().await;
            *counted.lock().unwrap() += 1;
        }
    })
    .await;
    let mut client = proxy.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: b.localhost\r\n\r\n").await;
    client.until("ok").await;
    client
        .send("POST / HTTP/1.1\r\nHost: b.localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(*requests.lock().unwrap(), 1);
}

#[tokio::test]
async fn idle_connections_are_given_back() {
    let (sender, mut gone) = tokio::sync::mpsc::unbounded_channel();
    let proxy = Proxy::to(move |mut peer| {
        let sender = sender.clone();
        async move {
            peer.head().await;
            peer.send(OK).await;
            peer.is_gone().await;
            let _ = sender.send(());
        }
    })
    .await;
    proxy.get("b.localhost", "").await;
    assert!(tokio::time::timeout(LIMIT, gone.recv()).await.is_ok());
}

#[tokio::test]
async fn a_box_on_a_remote_engine_is_reached_over_the_channel() {
    let address = upstream(|peer| always(peer, OK)).await;
    let mut far = web_box("b", address);
    far.published = None;
    let proxy = Proxy::new(vec![far]).await;
    assert!(proxy.get("b.localhost", "").await.ends_with("ok"));
}

#[tokio::test]
async fn a_service_that_gives_no_answer_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let unreachable = Proxy::new(vec![web_box("b", address)]).await;
    let early = Proxy::to(|mut peer| async move {
        peer.head().await;
    })
    .await;
    let nonsense = Proxy::to(|mut peer| async move {
        peer.head().await;
        peer.send("220 mail ready\r\n\r\n").await;
    })
    .await;
    for (proxy, what) in [
        (&unreachable, "cannot be reached on port"),
        (&early, "it closed the connection"),
        (&nonsense, "no HTTP"),
    ] {
        let answer = proxy.get("b.localhost", "").await;
        assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
        assert!(
            answer.contains(what) && answer.contains("agentbox logs b web"),
            "{answer}"
        );
        let page = proxy.get("b.localhost", "Accept: text/html\r\n").await;
        assert!(page.contains("<code>agentbox logs b web</code>"), "{page}");
    }
}
