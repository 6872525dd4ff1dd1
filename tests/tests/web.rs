//! The exposed service: its URL, the forwarder at :80, changes by reload.

use std::process::Command;
use std::time::Duration;

use agentbox_tests::{Project, TestBox, process, wait_for};

/// Fetches a page of the box from the host.
fn fetch(test_box: &TestBox<'_>, path: &str) -> process::Output {
    let url = test_box.run("url", &[]).ok().stdout;
    let mut curl = Command::new("curl");
    curl.args([
        "-fsS",
        "--max-time",
        "10",
        &format!("{}{path}", url.trim().trim_end_matches('/')),
    ]);
    process::run(curl, Duration::from_secs(20))
}

#[test]
fn the_url_is_given_once_the_service_is_ready_and_works() {
    let project = Project::new(
        "services:\n  web: {command: 'while ! test -e /tmp/go; do sleep 0.05; done; exec python3 -m http.server 3000 --bind 127.0.0.1', expose: {port: 3000}}\n",
    );
    project.file("page", "content\n");
    let test_box = project.create(&[]);
    test_box
        .run("url", &[])
        .expect_code(1)
        .complains(&["web", "starting", "hint: "]);
    test_box.exec("touch /tmp/go").ok();
    test_box.run("wait", &[]).ok();
    assert_eq!(fetch(&test_box, "/page").ok().stdout, "content\n");
    assert_eq!(
        test_box.exec("curl -fsS http://localhost/page").ok().stdout,
        "content\n"
    );
    let status = test_box.status_json();
    assert_eq!(
        status["box"]["url"].as_str(),
        Some(test_box.run("url", &[]).ok().stdout.trim())
    );
    assert_eq!(status["services"][0]["expose"]["port"], 3000);
    // Not ready, no forwarder.
    test_box.run("stop", &["web"]).ok();
    test_box.run("url", &[]).expect_code(1).complains(&["stopped"]);
    test_box
        .exec("curl -fsS --max-time 5 http://127.0.0.1:80/page")
        .expect_code(7);
    // The port survives a restart of the box as far as a URL is given again.
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(fetch(&test_box, "/page").ok().stdout, "content\n");
}

#[test]
fn a_fresh_expose_comes_by_reload_without_a_restart() {
    let web = "services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1";
    let project = Project::new(&format!("{web}}}\n  same: {{command: exec sleep 1000}}\n"));
    project.file("page", "content\n");
    let test_box = project.create(&["--wait"]);
    test_box.run("url", &[]).expect_code(1).complains(&["expose"]);
    let pids = (test_box.pid("web"), test_box.pid("same"));
    project.file(
        "agentbox.yaml",
        format!("{web}, expose: {{port: 3000}}}}\n  same: {{command: exec sleep 1000}}\n  more: {{command: exec sleep 1000}}\n"),
    );
    let reload = test_box.run("reload", &["--push"]).ok();
    for unit in ["web", "more"] {
        assert!(
            format!("{}{}", reload.stdout, reload.stderr).contains(unit),
            "{reload}"
        );
    }
    test_box.wait_state("web", "ready");
    test_box.wait_state("more", "running");
    wait_for("the page", Duration::from_secs(10), || {
        let page = fetch(&test_box, "/page");
        if page.stdout == "content\n" {
            Ok(())
        } else {
            Err(page.to_string())
        }
    });
    assert_eq!(
        (test_box.pid("web"), test_box.pid("same")),
        pids,
        "nothing was restarted"
    );
}

#[test]
fn a_reload_restarts_what_changed_and_ends_what_is_gone() {
    let project = Project::new(
        "services:\n  a: {command: exec sleep 987901}\n  b: {command: exec sleep 987902}\n  c: {command: exec sleep 987903}\n\
         tasks:\n  t: {command: exec sleep 987904}\n",
    );
    let test_box = project.create(&[]);
    test_box.wait_state("t", "running");
    let kept = test_box.pid("a");
    let yaml = "services:\n  a: {command: exec sleep 987901}\n  b: {command: exec sleep 987912}\ntasks:\n  t: {command: exec sleep 987914}\n";
    project.file("agentbox.yaml", yaml);
    test_box.run("reload", &["--push"]).ok();
    test_box.wait_state("b", "running");
    test_box.wait_state("t", "running");
    assert_eq!(test_box.pid("a"), kept);
    for (marker, count) in [
        ("987901", 1),
        ("987902", 0),
        ("987903", 0),
        ("987904", 0),
        ("987912", 1),
        ("987914", 1),
    ] {
        let found = test_box.processes_matching(&format!("sleep {marker}"));
        assert_eq!(found.len(), count, "{found:?}");
    }
    let status = test_box.status_json();
    assert!(
        agentbox_tests::test_box::find_unit(&status, "c").is_none(),
        "{status}"
    );
}

#[test]
fn a_bad_file_changes_nothing_and_an_edited_one_is_not_overwritten() {
    let project = Project::new("services:\n  a: {command: exec sleep 1000}\n");
    let test_box = project.create(&["--wait"]);
    let pid = test_box.pid("a");
    test_box
        .exec("echo 'services: {a: {comand: x}}' > agentbox.yaml")
        .ok();
    test_box
        .run("reload", &[])
        .expect_code(2)
        .complains(&["agentbox.yaml:1:", "comand"]);
    assert_eq!(test_box.pid("a"), pid, "a running box keeps what it has");
    // The box's copy was edited since it was made, so the host's is not put over it.
    test_box
        .run("reload", &["--push"])
        .expect_code(1)
        .complains(&["--force"]);
    test_box.run("reload", &["--push", "--force"]).ok();
    assert_eq!(test_box.pid("a"), pid);
    test_box.run("start", &[]).ok();
    test_box.exec("echo 'services: [' > agentbox.yaml").ok();
    test_box.run("stop", &[]).ok();
    // A start validates the box's copy before it starts anything.
    test_box.run("start", &[]).expect_code(2);
}

#[test]
fn two_services_with_expose_and_a_taken_port_80_are_told() {
    let project = Project::new(
        "services:\n  web: {command: exec python3 -m http.server 80 --bind 0.0.0.0, user: root, expose: {port: 80}}\n",
    );
    project.file("page", "direct\n");
    let test_box = project.create(&["--wait"]);
    assert_eq!(
        fetch(&test_box, "/page").ok().stdout,
        "direct\n",
        "port 80 needs no forwarder"
    );
}

#[test]
fn a_service_with_a_certificate_of_its_own_gets_ready() {
    let mut yaml = String::from("services:\n");
    for (name, port, key, version) in [
        ("rsa", 8443, "rsa:2048", "TLSv1_2"),
        (
            "elliptic",
            8444,
            "ec -pkeyopt ec_paramgen_curve:prime256v1",
            "TLSv1_3",
        ),
    ] {
        yaml.push_str(&format!(
            "  {name}:\n    \
               command: |\n      \
                 openssl req -x509 -newkey {key} -nodes -days 2 -subj /CN=localhost -keyout {name}.key -out {name}.crt\n      \
                 exec python3 server.py {port} {name} {version}\n    \
               ready_when: {{http: 'https://127.0.0.1:{port}/', timeout_ms: 30000}}\n"
        ));
    }
    let project = Project::new(&yaml);
    project.file(
        "server.py",
        "import http.server, ssl, sys\n\
         port, name, version = sys.argv[1:]\n\
         server = http.server.HTTPServer(('127.0.0.1', int(port)), http.server.SimpleHTTPRequestHandler)\n\
         context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
         context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version)\n\
         context.load_cert_chain(name + '.crt', name + '.key')\n\
         server.socket = context.wrap_socket(server.socket, server_side=True)\n\
         server.serve_forever()\n",
    );
    let test_box = project.create(&["--wait"]);
    for name in ["rsa", "elliptic"] {
        assert_eq!(test_box.unit(name)["state"], "ready");
    }
}
