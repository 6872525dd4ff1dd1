//! The names below `localhost` that lead to boxes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use agentbox_tests::forwarder::Forwarder;
use agentbox_tests::{Project, TestBox, wait_for};

/// In the box its own name leads to its own service, whoever resolves it: `curl` answers for `localhost` itself, most
/// other programs ask the system's resolver.
#[test]
fn a_box_s_name_leads_to_its_service_inside_the_box_too() {
    let project = Project::new(
        "services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1, expose: {port: 3000}}\n",
    );
    project.file("page", "content\n");
    let test_box = project.create(&["--wait"]);
    let url = format!("http://{}.localhost/page", test_box.name());
    assert_eq!(
        test_box.exec(&format!("curl -fsS {url}")).ok().stdout,
        "content\n"
    );
    let resolved = format!(
        "import socket\nprint(*sorted({{found[4][0] for found in socket.getaddrinfo('{}.localhost', 80)}}))",
        test_box.name()
    );
    let addresses = test_box
        .run("exec", &["--", "python3", "-c", &resolved])
        .ok()
        .stdout;
    for address in addresses.split_whitespace() {
        assert!(["127.0.0.1", "::1"].contains(&address), "{addresses}");
    }
    let fetched =
        format!("import urllib.request\nprint(urllib.request.urlopen('{url}').read().decode(), end='')");
    let page = test_box
        .run("exec", &["--", "python3", "-c", &fetched])
        .ok()
        .stdout;
    assert_eq!(page, "content\n");
}

/// What the proxy answers to a request for `path` with further lines of a head.
fn ask(port: &str, host: &str, path: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the proxy listens");
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).expect("a connection");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The box's URL, and the host and port in it.
fn url(test_box: &TestBox<'_>) -> (String, String, String) {
    let url = test_box.run("url", &[]).ok().stdout.trim().to_owned();
    let host = url.strip_prefix("http://").expect("a URL").to_owned();
    let (name, port) = host.split_once(':').expect("a port");
    assert_eq!(name, format!("{}.localhost", test_box.name()));
    let port = port.to_owned();
    (url, host, port)
}

#[test]
fn a_url_stays_and_says_what_is_missing() {
    let project = Project::new(
        "tasks: {build: {command: 'until test -e go; do sleep 0.05; done'}}\n\
         services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1, needs: [build], expose: {port: 3000}}\n",
    )
    .with_relay();
    project.file("page", "content\n");
    project.file("go", "");
    let test_box = project.create(&["--wait"]);
    let (first, host, port) = url(&test_box);
    let published = test_box.status_json()["box"]["url"]
        .as_str()
        .expect("a URL")
        .to_owned();
    let both = test_box.run("url", &["-v"]).ok().stdout;
    assert_eq!(both, format!("{first}\n{published}\n"));
    let page = ask(&port, &host, "/page", "");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\ncontent\n"),
        "{page}"
    );
    // Until the service is ready.
    test_box.exec("rm /workspace/go").ok();
    test_box.run("restart", &[]).ok();
    let plain = wait_for("the units", Duration::from_secs(30), || {
        let answer = ask(&port, &host, "/page", "");
        if answer.contains("build") {
            Ok(answer)
        } else {
            Err(answer)
        }
    });
    assert!(
        plain.starts_with("HTTP/1.1 503 ") && plain.contains("text/plain"),
        "{plain}"
    );
    assert!(plain.contains("needs build"), "{plain}");
    let html = ask(&port, &host, "/page", "accept: text/html\r\n");
    assert!(
        html.starts_with("HTTP/1.1 503 ") && html.contains("http-equiv=\"refresh\""),
        "{html}"
    );
    test_box.exec("touch /workspace/go").ok();
    wait_for("the page", Duration::from_secs(60), || {
        let answer = ask(&port, &host, "/page", "");
        if answer.contains("content\n") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    test_box.run("stop", &[]).ok();
    let stopped = ask(&port, &host, "/page", "");
    assert!(
        stopped.starts_with("HTTP/1.1 503 ") && stopped.contains("agentbox start"),
        "{stopped}"
    );
    test_box.run("start", &["--wait"]).ok();
    assert_eq!(url(&test_box).0, first);
    assert!(ask(&port, &host, "/page", "").ends_with("content\n"));
    // And so after the relay has ended.
    project.run(&["relay", "stop"]).ok();
    assert_eq!(url(&test_box).0, first);
    wait_for("the page", Duration::from_secs(30), || {
        let answer = ask(&port, &host, "/page", "");
        if answer.ends_with("content\n") {
            Ok(())
        } else {
            Err(answer)
        }
    });
    let index = ask(&port, &format!("localhost:{port}"), "/", "");
    assert!(
        index.starts_with("HTTP/1.1 200 ") && index.contains(test_box.name()),
        "{index}"
    );
    let unknown = ask(&port, &format!("no-such-box.localhost:{port}"), "/", "");
    assert!(unknown.starts_with("HTTP/1.1 404 "), "{unknown}");
    for foreign in [
        "example.org",
        "localhost.example.org",
        "169.254.169.254",
        &format!("{}.test", test_box.name()),
    ] {
        let refused = ask(&port, foreign, "/page", "");
        assert!(
            !refused.starts_with("HTTP/1.1 200 ") && !refused.ends_with("content\n"),
            "{foreign}: {refused}"
        );
    }
    test_box.run("destroy", &["-f", "--discard"]).ok();
    assert!(ask(&port, &host, "/", "").starts_with("HTTP/1.1 404 "));
}

/// A browser that is really one: it resolves the name, runs what the page says, and paints it.
#[test]
fn a_browser_finds_a_box_by_its_name() {
    let project = Project::new(
        "services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1, expose: {port: 3000}}\n",
    )
    .with_relay();
    project.file(
        "index.html",
        "<body style='background: #0f0'><script>document.title = location.host; document.body.append('written by ' + 'a script')</script>",
    );
    let test_box = project.create(&["--wait"]);
    let (url, host, port) = url(&test_box);
    let directory = project.directory().join("browser");
    let browse = |arguments: &[&str]| {
        let mut command = Command::new("chromium");
        project.hermetic(&mut command);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--window-size=400,300",
        ]);
        command.arg(format!("--user-data-dir={}", directory.display()));
        command.args(arguments);
        agentbox_tests::process::run(command, Duration::from_secs(100))
            .ok()
            .stdout
    };
    let page = browse(&["--dump-dom", &format!("{url}/")]);
    assert!(
        page.contains("written by a script") && page.contains(&format!("<title>{host}</title>")),
        "{page}"
    );
    let index = browse(&["--dump-dom", &format!("http://localhost:{port}/")]);
    assert!(index.contains(&format!("href=\"{url}/\"")), "{index}");
    let picture = project.directory().join("page.png");
    browse(&[&format!("--screenshot={}", picture.display()), &format!("{url}/")]);
    let picture = std::fs::read(&picture).expect("a picture");
    assert!(
        picture.starts_with(b"\x89PNG\r\n\x1a\n"),
        "{} bytes",
        picture.len()
    );
}

/// What an engine publishes on its own loopback is not on ours when it is elsewhere.
#[test]
fn a_box_on_an_engine_elsewhere_is_reached_over_its_channel() {
    let forwarder = Forwarder::to_engine();
    let project = Project::new(
        "services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1, expose: {port: 3000}}\n",
    )
    .by_way_of(forwarder.url(), Path::new(""))
    .with_relay();
    project.file("page", "content\n");
    project.file("large", vec![b'x'; 8 << 20]);
    let test_box = project.create(&["--wait"]);
    let (_, host, port) = url(&test_box);
    let page = ask(&port, &host, "/page", "");
    assert!(
        page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\ncontent\n"),
        "{page}"
    );
    let (head, body) = ask(&port, &host, "/large", "")
        .split_once("\r\n\r\n")
        .map(|(head, body)| (head.to_owned(), body.len()))
        .expect("an answer");
    assert_eq!(body, 8 << 20, "{head}");
    // It is the channel that leads there: without one there is no way.
    let connects = test_box.processes_matching("agentbox-ctl connect").len();
    assert_eq!(connects, 1);
    test_box.run("stop", &[]).ok();
    assert!(ask(&port, &host, "/page", "").starts_with("HTTP/1.1 503 "));
    test_box.run("start", &["--wait"]).ok();
    wait_for("the page", Duration::from_secs(60), || {
        let answer = ask(&port, &host, "/page", "");
        if answer.ends_with("content\n") {
            Ok(())
        } else {
            Err(answer)
        }
    });
}
