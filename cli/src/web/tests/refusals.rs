//! What is not passed on.

use super::*;

async fn proxy() -> Proxy {
    let address = upstream(|peer| always(peer, OK)).await;
    let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let mut stopped = web_box("still", elsewhere);
    stopped.state = BoxState::Stopped;
    let mut starting = web_box("young", elsewhere);
    let service = ServiceStatus {
        state: ServiceState::Starting,
        ..web(3000)
    };
    starting.units = Some(Arc::new(report(vec![service], Vec::new())));
    Proxy::new(vec![web_box("b", address), stopped, starting]).await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or(answer)
}

#[tokio::test]
async fn names_that_are_none_of_ours_reach_nothing() {
    let proxy = proxy().await;
    for (host, expected) in [
        ("b.localhost", "200"),
        ("B.LocalHost.:7080", "200"),
        ("evil.example", "403"),
        ("b.localhost.evil.example", "403"),
        ("10.0.0.1:7080", "403"),
        ("0.0.0.0:7080", "403"),
        ("absent.localhost", "404"),
        ("b.b.localhost", "404"),
        ("a.b.c.localhost", "404"),
        ("b_.localhost", "404"),
        ("b..localhost", "400"),
        ("b.localhost:x", "400"),
        ("", "400"),
    ] {
        let answer = proxy.get(host, "").await;
        assert_eq!(status(&answer), expected, "{host}: {answer}");
        if expected != "200" {
            assert!(!answer.contains("still") && !answer.contains("young"), "{answer}");
        }
    }
}

#[tokio::test]
async fn requests_that_can_be_read_in_two_ways_are_refused() {
    let proxy = proxy().await;
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: b.localhost\r\nHost: b.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: b.localhost\r\nHost: evil.example\r\n\r\n",
        "GET http://b.localhost/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: b.localhost\r\n\r\n",
        "GET http://me@b.localhost/ HTTP/1.1\r\nHost: b.localhost\r\n\r\n",
        "GET https://b.localhost/ HTTP/1.1\r\nHost: b.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: b.localhost, evil.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : b.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: b.localhost\r\nX: a\r\n b\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: b.localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: b.localhost\r\nContent-Length: +1\r\n\r\na",
        "POST / HTTP/1.1\r\nHost: b.localhost\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: b.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: b.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "CONNECT b.localhost:80 HTTP/1.1\r\nHost: b.localhost:80\r\n\r\n",
    ] {
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let answer = proxy.raw(&request).await;
        assert!(
            !answer.contains(" 200 ") && !answer.ends_with("ok"),
            "{request}{answer}"
        );
    }
}

#[tokio::test]
async fn pages_of_other_boxes_reach_neither_a_box_nor_the_list() {
    let proxy = proxy().await;
    let port = proxy.address.port();
    for host in [format!("b.localhost:{port}"), format!("localhost:{port}")] {
        for lines in [
            format!("Origin: http://still.localhost:{port}\r\n"),
            "Origin: http://evil.example\r\nUpgrade: websocket\r\nConnection: upgrade\r\n".to_owned(),
            "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n".to_owned(),
            format!("Referer: http://still.localhost:{port}/\r\n"),
        ] {
            let answer = proxy.get(&host, &lines).await;
            assert_eq!(status(&answer), "403", "{host} {lines}{answer}");
            assert!(
                !answer.to_ascii_lowercase().contains("access-control"),
                "{answer}"
            );
        }
    }
    // Its published port is the same box.
    let published = proxy.boxes.find("b").unwrap().published.unwrap().port();
    let own = format!("Origin: http://127.0.0.1:{published}\r\n");
    assert_eq!(
        status(&proxy.get(&format!("b.localhost:{port}"), &own).await),
        "200"
    );
    assert_eq!(
        status(&proxy.get(&format!("young.localhost:{port}"), &own).await),
        "403"
    );
}

#[tokio::test]
async fn the_list_is_for_this_machine_s_own_names() {
    let proxy = proxy().await;
    for host in ["localhost:7080", "127.0.0.1:7080", "[::1]:7080"] {
        let text = proxy.get(host, "").await;
        assert!(
            text.contains("http://b.localhost:7080/") && text.contains("still"),
            "{text}"
        );
    }
    let page = proxy.get("localhost:7080", "Accept: text/html\r\n").await;
    assert!(
        page.contains("<a href=\"http://b.localhost:7080/\">b</a>"),
        "{page}"
    );
    for line in [
        "x-frame-options: DENY",
        "cross-origin-resource-policy: same-origin",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'",
        "cache-control: no-store",
    ] {
        assert!(page.contains(line), "{page}");
    }
    let head = proxy
        .raw("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    let posted = proxy
        .raw("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(
        posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET, HEAD"),
        "{posted}"
    );
    let other = proxy
        .raw("GET /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await;
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
}

#[tokio::test]
async fn a_box_that_is_not_ready_says_so_until_it_is() {
    let proxy = proxy().await;
    let text = proxy.get("young.localhost", "").await;
    assert!(
        text.starts_with("HTTP/1.1 503") && text.contains("retry-after: 1"),
        "{text}"
    );
    assert!(
        text.contains("web      starting") && text.contains("text/plain"),
        "{text}"
    );
    let page = proxy.get("young.localhost", "Accept: text/html\r\n").await;
    assert!(page.contains("http-equiv=\"refresh\" content=\"1\""), "{page}");
    let stopped = proxy.get("still.localhost", "").await;
    assert!(
        stopped.starts_with("HTTP/1.1 503") && stopped.contains("agentbox start still"),
        "{stopped}"
    );
    let address = proxy.boxes.find("b").unwrap().published.unwrap();
    *proxy.boxes.0.lock().unwrap() = vec![web_box("young", address)];
    assert!(proxy.get("young.localhost", "").await.ends_with("ok"));
}
