//! Apps of a box.

use super::*;
use crate::testing::app;

/// A box whose service answers on one port and whose apps lead to others.
async fn with_apps(apps: &[(&str, u16)]) -> Proxy {
    let service = upstream(|peer| always(peer, OK)).await;
    let apps = apps.iter().map(|(name, port)| app(name, *port)).collect();
    Proxy::new(vec![WebBox {
        apps: Some(Arc::new(apps)),
        ..web_box("b", service)
    }])
    .await
}

async fn saying(answer: &'static str) -> u16 {
    upstream(move |peer| always(peer, answer)).await.port()
}

#[tokio::test]
async fn each_name_leads_to_its_own_port() {
    let one = saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none").await;
    let two = saying("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo").await;
    let proxy = with_apps(&[("one", one), ("two", two)]).await;
    for (host, body) in [
        ("one.b.localhost:7080", "one"),
        ("Two.B.localhost", "two"),
        ("b.localhost", "ok"),
    ] {
        let answer = proxy.get(host, "").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with(body),
            "{answer}"
        );
    }
    let missing = proxy.get("three.b.localhost", "").await;
    assert!(
        missing.starts_with("HTTP/1.1 404 ") && missing.contains("its apps are one, two"),
        "{missing}"
    );
    let missing = proxy.get("one.c.localhost", "").await;
    assert!(
        missing.starts_with("HTTP/1.1 404 ") && missing.contains("there is no box `c`"),
        "{missing}"
    );
    // Gone at once, although its port still answers and the connection to it is still there.
    proxy.boxes.0.lock().unwrap()[0].apps = Some(Arc::new(vec![app("two", two)]));
    assert!(
        proxy
            .get("one.b.localhost", "")
            .await
            .starts_with("HTTP/1.1 404 ")
    );
    assert!(proxy.get("two.b.localhost", "").await.ends_with("two"));
}

#[tokio::test]
async fn an_app_hears_who_asks_and_keeps_its_connection() {
    let port = upstream(|mut peer| async move {
        let head = peer.head().await;
        peer.send(&format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}",
            head.len()
        ))
        .await;
        peer.is_gone().await;
    })
    .await
    .port();
    let proxy = with_apps(&[("web", port)]).await;
    let answer = proxy
        .get("web.b.localhost:7080", "X-Forwarded-Host: evil\r\n")
        .await;
    for line in [
        "Host: web.b.localhost:7080\r\n",
        "x-forwarded-host: web.b.localhost:7080\r\n",
    ] {
        assert!(
            answer.to_ascii_lowercase().contains(&line.to_ascii_lowercase()),
            "{answer}"
        );
    }
    assert!(!answer.contains("evil"), "{answer}");
}

#[tokio::test]
async fn where_nobody_listens_the_page_reloads_itself() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let proxy = with_apps(&[("web", port)]).await;
    let page = proxy.get("web.b.localhost", "Accept: text/html\r\n").await;
    assert!(
        page.starts_with("HTTP/1.1 503 ") && page.contains("http-equiv=\"refresh\""),
        "{page}"
    );
    assert!(page.contains("<code>agentbox ports b</code>"), "{page}");
}

#[tokio::test]
async fn pages_of_one_box_may_ask_its_apps_and_no_others() {
    let port = saying(OK).await;
    let proxy = with_apps(&[("api", port)]).await;
    for (from, status) in [
        ("http://web.b.localhost:7080", "200"),
        ("http://b.localhost:7080", "200"),
        ("http://web.c.localhost:7080", "403"),
        ("http://localhost:7080", "403"),
        ("http://evil.example", "403"),
    ] {
        let answer = proxy
            .get("api.b.localhost:7080", &format!("Origin: {from}\r\n"))
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{from}: {answer}"
        );
    }
}

#[tokio::test]
async fn an_app_may_become_a_websocket() {
    let port = upstream(|mut peer| async move {
        peer.head().await;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        )
        .await;
        let said = peer.until("!").await;
        peer.send(&said).await;
    })
    .await
    .port();
    let proxy = with_apps(&[("chat", port)]).await;
    let mut client = proxy.connect().await;
    client
        .send("GET / HTTP/1.1\r\nHost: chat.b.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        .await;
    assert!(client.head().await.starts_with("HTTP/1.1 101 "));
    client.until("hello").await;
    client.send("back!").await;
    assert_eq!(client.until("!").await, "back!");
}
