//! Apps: names of their own for ports of a box.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use agentbox_tests::process::Output;
use agentbox_tests::{Project, TestBox, wait_for};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that says its own name and what it was asked for, streams, and becomes something else than HTTP.
const SERVER: &str = r#"
import socket, sys, threading
address, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
server = socket.create_server((address, port), family=socket.AF_INET6 if ':' in address else socket.AF_INET)

def serve(peer):
    head = b''
    while b'\r\n\r\n' not in head:
        more = peer.recv(4096)
        if not more:
            return
        head += more
    path = head.split()[1]
    if path == b'/stream':
        peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n')
        open('/tmp/streaming', 'w').close()
        while peer.recv(1):
            pass
    elif path == b'/socket':
        peer.sendall(b'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello')
        while data := peer.recv(4096):
            peer.sendall(data.upper())
    else:
        body = name.encode() + b' ' + head
        peer.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(body) + body)
    peer.close()

while True:
    peer, _ = server.accept()
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
"#;

/// `::1` where the engine gives its containers one; the unit tests of `dial` always do.
const SIX: &str = "$(grep -q 'lo$' /proc/net/if_inet6 && echo ::1 || echo 127.0.0.1)";

/// A project with a relay and these services, `(name, address, port)`, each of which says its name.
fn project(services: &[(&str, &str, u16)]) -> Project {
    let mut yaml = String::from("services:\n");
    for (name, address, port) in services {
        yaml.push_str(&format!(
            "  {name}:\n    command: exec python3 /workspace/server.py {address} {port} {name}\n    ready_when: {{port: {port}}}\n"
        ));
    }
    let project = Project::new(&yaml).with_relay();
    project.file("server.py", SERVER);
    project
}

/// `agentbox app VERB BOX ARGUMENTS…`.
#[track_caller]
fn app(project: &Project, verb: &str, test_box: &TestBox<'_>, arguments: &[&str]) -> Output {
    let mut all = vec!["app", verb, test_box.name()];
    all.extend(arguments);
    project.run(&all)
}

/// Makes an app and gives its URL.
#[track_caller]
fn create(project: &Project, test_box: &TestBox<'_>, name: &str, port: &str) -> String {
    let made = app(project, "create", test_box, &["--name", name, "--port", port]).ok();
    let url = made.stdout.trim().to_owned();
    let begin = format!("http://{name}.{}.localhost:", test_box.name());
    assert!(url.starts_with(&begin), "{made}");
    url
}

/// The apps of a box as `list --json` has them.
#[track_caller]
fn list(project: &Project, test_box: &TestBox<'_>) -> Vec<Value> {
    let listed = app(project, "list", test_box, &["--json"]).ok().json();
    listed.as_array().expect("an array").clone()
}

/// Name and health of each app.
#[track_caller]
fn health(project: &Project, test_box: &TestBox<'_>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let apps = list(project, test_box);
    apps.iter()
        .map(|app| (text(&app["name"]), text(&app["health"])))
        .collect()
}

fn connect(url: &str) -> (TcpStream, String) {
    let host = url.strip_prefix("http://").expect("a URL").to_owned();
    let (_, port) = host.rsplit_once(':').expect("a port");
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the proxy listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    (stream, host)
}

/// What the proxy answers to a request for `path` of a URL.
fn ask(url: &str, path: &str, lines: &str) -> String {
    let (mut stream, host) = connect(url);
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes()).expect("a connection");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}

/// What comes over a connection, up to and with `end`.
fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut byte = [0];
    while !text.ends_with(end) {
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{error} after {text:?}"));
        text.push(char::from(byte[0]));
    }
    text
}

#[track_caller]
fn wait_answer(url: &str, expected: &str) -> String {
    wait_for("the app", PATIENCE, || {
        let answer = ask(url, "/", "");
        if answer.contains(expected) {
            Ok(answer)
        } else {
            Err(answer)
        }
    })
}

#[test]
fn apps_of_a_box_live_as_long_as_it_does() {
    let project = project(&[("four", "127.0.0.1", 3001), ("six", SIX, 3002)]);
    let test_box = project.create(&["--wait"]);
    let four = create(&project, &test_box, "web", "3001");
    let six = create(&project, &test_box, "admin", "3002");
    let answer = ask(&four, "/page", "x-forwarded-host: evil\r\n").to_ascii_lowercase();
    assert!(
        answer.starts_with("http/1.1 200 ") && answer.contains("four get /page "),
        "{answer}"
    );
    let host = four.strip_prefix("http://").expect("a URL");
    for line in [
        format!("host: {host}\r\n"),
        format!("x-forwarded-host: {host}\r\n"),
    ] {
        assert!(answer.contains(&line), "{answer}");
    }
    assert!(ask(&six, "/", "").contains("six GET / "));

    // A name is taken once, a port as often as one likes.
    let conflict = app(
        &project,
        "create",
        &test_box,
        &["--name", "web", "--port", "3002"],
    );
    conflict.expect_code(1).complains(&["app `web` already"]);
    assert!(ask(&create(&project, &test_box, "web2", "3001"), "/", "").contains("four GET"));
    for (name, port) in [
        ("Web", "1"),
        ("-a", "1"),
        ("a.b", "1"),
        ("a", "0"),
        ("a", "65536"),
    ] {
        app(
            &project,
            "create",
            &test_box,
            &[&format!("--name={name}"), "--port", port],
        )
        .expect_code(2);
    }
    let apps = list(&project, &test_box);
    let web = apps
        .iter()
        .find(|app| app["name"] == "web")
        .expect("it is listed");
    assert!(
        web["id"].as_str().is_some_and(|id| id.starts_with("app_")),
        "{web}"
    );
    assert!(web["created_at"].is_string(), "{web}");
    assert_eq!(
        (&web["port"], &web["url"], &web["unit"]),
        (&3001.into(), &four.as_str().into(), &"four".into())
    );
    assert_eq!(
        test_box.run("url", &["--app", "web"]).ok().stdout,
        format!("{four}\n")
    );

    // Unknown names say which there are; nobody who listens is no error of the proxy's.
    let unknown = ask(&four.replace("//web.", "//shop."), "/", "");
    assert!(
        unknown.starts_with("HTTP/1.1 404 ") && unknown.contains("admin, web, web2"),
        "{unknown}"
    );
    let nobody = create(&project, &test_box, "nobody", "3999");
    let answer = ask(&nobody, "/", "accept: text/html\r\n");
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("http-equiv=\"refresh\""),
        "{answer}"
    );
    let expected = [
        ("admin", "listening"),
        ("nobody", "nobody-listens"),
        ("web", "listening"),
        ("web2", "listening"),
    ];
    let expected = expected.map(|(name, health)| (name.to_owned(), health.to_owned()));
    assert_eq!(health(&project, &test_box), expected);
    let index = four.replace(&format!("web.{}.", test_box.name()), "");
    let page = ask(&index, "/", "accept: text/html\r\n");
    assert!(page.contains(&format!("<a href=\"{four}/\">web</a>")), "{page}");

    // Through a stop, in which they can be changed, too.
    test_box.run("stop", &[]).ok();
    let stopped = ask(&four, "/", "");
    assert!(
        stopped.starts_with("HTTP/1.1 503 ") && stopped.contains("agentbox start"),
        "{stopped}"
    );
    assert!(
        health(&project, &test_box)
            .iter()
            .all(|(_, health)| health == "box-stopped")
    );
    let later = app(
        &project,
        "create",
        &test_box,
        &["--name", "later", "--port", "3001", "--json"],
    )
    .ok();
    let later = later.json()["url"].as_str().expect("a URL").to_owned();
    app(&project, "rm", &test_box, &["nobody", "web2"]).ok();
    assert!(ask(&nobody, "/", "").starts_with("HTTP/1.1 404 "));
    test_box.run("start", &["--wait"]).ok();
    wait_answer(&four, "four GET");
    wait_answer(&later, "four GET");
    // And of the relay.
    project.run(&["relay", "stop"]).ok();
    project.run(&["list"]).ok();
    assert_eq!(
        create(&project, &test_box, "again", "3002").replace("again", "web"),
        four
    );
    wait_answer(&four, "four GET");
    // A frozen box says nothing, but its apps can be read and written.
    test_box.run("pause", &[]).ok();
    assert!(
        health(&project, &test_box)
            .iter()
            .all(|(_, health)| health == "box-paused")
    );
    app(&project, "rm", &test_box, &["again"]).ok();
    assert!(ask(&four, "/", "").contains("agentbox unpause"));
    test_box.run("unpause", &[]).ok();
    wait_answer(&four, "four GET");

    // One that is removed answers no more; all or none are.
    let missing = app(&project, "rm", &test_box, &["web", "again"]);
    missing.expect_code(3).complains(&["no app `again`"]);
    assert!(ask(&four, "/", "").starts_with("HTTP/1.1 200 "));
    app(&project, "rm", &test_box, &["--no-relay", "web"]).ok();
    assert!(ask(&four, "/", "").starts_with("HTTP/1.1 404 "));
    test_box.run("destroy", &["-f", "--discard"]).ok();
    let gone = ask(&six, "/", "");
    assert!(
        gone.starts_with("HTTP/1.1 404 ") && gone.contains("there is no box"),
        "{gone}"
    );
}

#[test]
fn of_many_who_make_apps_at_once_none_loses_one() {
    let project = project(&[("web", "127.0.0.1", 3000)]);
    let test_box = project.create(&[]);
    let name = test_box.name();
    let begin =
        |app: &str| project.start(&["app", "create", name, "--name", app, "--port", "3000", "--json"]);
    let names: Vec<String> = (0..8).map(|number| format!("app-{number}")).collect();
    let different: Vec<_> = names.iter().map(|name| begin(name)).collect();
    let same: Vec<_> = (0..4).map(|_| begin("same")).collect();
    for running in different {
        running.finish(PATIENCE).ok();
    }
    let codes: Vec<i32> = same
        .into_iter()
        .map(|running| running.finish(PATIENCE).code)
        .collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 1).count(), 3, "{codes:?}");
    let mut expected = names;
    expected.push("same".to_owned());
    let listed: Vec<String> = health(&project, &test_box)
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(listed, expected);
    let locks = std::fs::read_dir(project.data_directory().join("agentbox/locks")).expect("there were locks");
    assert_eq!(locks.count(), 0);
}

#[test]
fn an_app_is_called_after_what_listens() {
    let project = project(&[("web_UI", "127.0.0.1", 3000), ("far", "127.0.0.1", 3001)]);
    let yaml = std::fs::read_to_string(project.directory().join("agentbox.yaml")).expect("it was written");
    project.file("agentbox.yaml", format!("{yaml}    expose: {{port: 3001}}\n"));
    let test_box = project.create(&["--wait"]);
    let expose = |port: &str| app(&project, "expose", &test_box, &[port]);
    let name = |output: Output| {
        let url = output.ok().stdout.trim().to_owned();
        let name = url["http://".len()..]
            .split('.')
            .next()
            .expect("a name")
            .to_owned();
        (name, url)
    };
    let (first, url) = name(expose("3000"));
    assert_eq!(first, "web-ui");
    assert!(ask(&url, "/", "").contains("web_UI GET"));
    assert_eq!(name(expose("3000")).0, "web-ui-2");
    assert_eq!(name(expose("3000")).0, "web-ui-3");
    // Of no unit: the program's name.
    test_box
        .exec("cp \"$(command -v python3)\" /tmp/my_Program; setsid /tmp/my_Program /workspace/server.py 127.0.0.1 3005 program </dev/null >/dev/null 2>&1 &")
        .ok();
    let url = wait_for("the program", PATIENCE, || {
        let exposed = expose("3005");
        if exposed.code == 0 {
            Ok(exposed)
        } else {
            Err(exposed.to_string())
        }
    });
    let (program, url) = name(url);
    assert_eq!(program, "my-program");
    assert!(ask(&url, "/", "").contains("program GET"));
    expose("3999")
        .expect_code(1)
        .complains(&["nobody listens on port 3999", "agentbox app create"]);
    expose("0").expect_code(2);
    expose("http").expect_code(2);
    test_box.run("stop", &[]).ok();
    expose("3000")
        .expect_code(1)
        .complains(&["is stopped", "agentbox start"]);
}

/// What HTTP can become passes, also in a box that has no network at all.
#[test]
fn streams_and_sockets_pass_to_a_box_without_a_network() {
    let project = project(&[("web", "127.0.0.1", 3000)]);
    let test_box = project.create(&["--wait", "--network", "none"]);
    let url = create(&project, &test_box, "web", "3000");
    wait_answer(&url, "web GET");
    let (mut stream, host) = connect(&url);
    let request = format!("GET /stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a connection");
    until(&mut stream, "data: first\n\n");
    drop(stream);
    let (mut socket, host) = connect(&url);
    let request = format!(
        "GET /socket HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\norigin: {url}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a connection");
    let head = until(&mut socket, "\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    until(&mut socket, "hello");
    socket.write_all(b"back!").expect("a connection");
    assert_eq!(until(&mut socket, "!"), "BACK!");
    // A page of another box may not, one of another app of the box may.
    let name = test_box.name();
    let from = |from: &str| ask(&url, "/", &format!("origin: {from}\r\n"));
    assert!(from(&url.replace("//web.", "//other.")).starts_with("HTTP/1.1 200 "));
    assert!(from(&url.replace(name, "another-box")).starts_with("HTTP/1.1 403 "));
}

/// The file lies in the box, whose root can write it as well.
#[test]
fn what_others_write_is_seen_and_not_trusted() {
    let project = project(&[("web", "127.0.0.1", 3000)]);
    let test_box = project.create(&["--wait"]);
    let url = create(&project, &test_box, "web", "3000");
    assert!(ask(&url, "/", "").contains("web GET"));
    let write = |text: &str| {
        let script = format!("cat > /var/lib/agentbox/private/apps.json <<'END'\n{text}\nEND");
        test_box.docker_exec(&script).ok();
    };
    // As another host would.
    let entry = |id: &str, name: &str| {
        format!(
            "{{\"id\":\"{id}\",\"name\":\"{name}\",\"port\":3000,\"created_at\":\"2026-01-01T00:00:00Z\"}}"
        )
    };
    write(&format!(
        "[{},{}]",
        entry("app_1", "new"),
        entry("app_2", "<script>")
    ));
    let new = url.replace("//web.", "//new.");
    wait_answer(&new, "web GET");
    assert!(ask(&url, "/", "").starts_with("HTTP/1.1 404 "));
    assert_eq!(
        health(&project, &test_box),
        [("new".to_owned(), "listening".to_owned())]
    );
    // Nonsense, links and much of both cost nobody else anything.
    write("[{");
    app(&project, "list", &test_box, &[])
        .expect_code(1)
        .complains(&["cannot be understood", "sudo rm"]);
    app(&project, "create", &test_box, &["--name", "x", "--port", "1"]).expect_code(1);
    test_box
        .docker_exec("cd /var/lib/agentbox/private && rm apps.json && ln -s /etc/passwd apps.json")
        .ok();
    app(&project, "list", &test_box, &[]).expect_code(1);
    test_box
        .docker_exec("rm /var/lib/agentbox/private/apps.json")
        .ok();
    assert_eq!(list(&project, &test_box), Vec::<Value>::new());
    let begun = Instant::now();
    assert!(ask(&url.replace("//web.", "//no."), "/", "").starts_with("HTTP/1.1 404 "));
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Without a relay there are apps, but no URLs.
    let without = app(
        &project,
        "create",
        &test_box,
        &["--name", "x", "--port", "1", "--json", "--no-relay"],
    )
    .ok();
    assert_eq!(without.json()["url"], Value::Null);
    app(&project, "list", &test_box, &["--no-relay"])
        .ok()
        .complains(&["relay"]);
}

/// They are the box's own, and no checkpoint carries them.
#[test]
fn a_box_from_a_checkpoint_has_no_apps() {
    let project = project(&[("web", "127.0.0.1", 3000)]);
    let test_box = project.create(&["--wait"]);
    create(&project, &test_box, "web", "3000");
    project
        .run(&["checkpoint", "create", test_box.name(), "--name", "warm"])
        .ok();
    let name = format!("{}-warm", project.name());
    project.run(&["create", "-y", "-n", &name, "--from", "warm"]).ok();
    let other = TestBox::new(&project, &name);
    assert_eq!(list(&project, &other), Vec::<Value>::new());
    assert_eq!(list(&project, &test_box).len(), 1);
}
