//! The relay with engines that go away and come back, and with such as are elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use agentbox_tests::engine::docker;
use agentbox_tests::events::{all_once, box_states, broken_chain, numbered, numbers, of, parse};
use agentbox_tests::forwarder::Forwarder;
use agentbox_tests::own_engine::OwnEngine;
use agentbox_tests::ssh_server::SshServer;
use agentbox_tests::{Output, Project, TestBox, images, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const LIMIT: Duration = Duration::from_secs(60);

const YAML: &str = "services:\n  \
    web: {command: exec sleep 1000, backoff: {initial_ms: 50, max_ms: 50}}\n  \
    worker: {command: echo at work; exec sleep 1000}\n";

/// Waits for a relay that has so many channels.
#[track_caller]
fn channels(project: &Project, wanted: u64) {
    wait_for(&format!("a relay with {wanted} channels"), LIMIT, || {
        let health = project.run(&["relay", "status", "--json"]);
        if health.code != 0 {
            return Err(health.to_string());
        }
        let engine = &health.json()["engines"][0];
        if engine["channels"] == wanted && engine["connected"] == true {
            Ok(())
        } else {
            Err(health.stdout)
        }
    });
}

/// What commands print, with the relay and without, which has to be the same at any time.
#[track_caller]
fn same_answers(test_box: &TestBox<'_>) {
    for unit in ["web", "worker"] {
        test_box.wait_state(unit, "running");
    }
    for (verb, arguments) in [
        ("status", &["--json"][..]),
        ("status", &[]),
        ("logs", &["worker"]),
    ] {
        // A unit may just be on its way into another state.
        wait_for("the same answers", LIMIT, || {
            let with = test_box.run(verb, arguments);
            let without = test_box.run(verb, &[arguments, &["--no-relay"]].concat());
            if (with.code, &with.stdout) == (without.code, &without.stdout) {
                Ok(())
            } else {
                Err(format!("{with}{without}"))
            }
        });
    }
}

/// Ends the leader of a unit, past agentbox's own ways.
#[track_caller]
fn crash(test_box: &TestBox<'_>, by: impl Fn(&str)) {
    let old = test_box.pid("web");
    by(&format!("kill -9 {old}"));
    test_box.wait_unit("web", "a new process", |unit| {
        unit["state"] == "running" && unit["pid"].as_u64() != Some(old)
    });
}

/// That the relay has what the box has, each number once.
#[track_caller]
fn stored_is_the_box_s_own(test_box: &TestBox<'_>) {
    let stored = wait_for("stored events", LIMIT, || of(test_box, &[]));
    let own = wait_for("the box's events", LIMIT, || of(test_box, &["--no-relay"]));
    assert_eq!(numbered(&stored), own);
    assert_eq!(broken_chain(&stored), None);
}

#[test]
fn an_engine_that_restarts_is_seen_as_it_is() {
    let image = images::busybox();
    let mut own = OwnEngine::start(600);
    own.load(&image);
    let project = Project::on(&own, YAML).with_relay();
    let test_box = project.create_from(&image, &["--wait"]);
    channels(&project, 1);
    let follower = test_box.start("events", &["-f", "--json"]);
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        all_once(&follower, &test_box, LIMIT);
        own.end(signal);
        for words in [
            &["list"][..],
            &["status", test_box.name()],
            &["events", test_box.name()],
        ] {
            let with = project.run(words).expect_code(4);
            let without = project.run(&[words, &["--no-relay"]].concat()).expect_code(4);
            assert_eq!(with.stderr, without.stderr);
        }
        own.restart();
        // Whatever it does with its boxes: what is told is so, from the first moment on.
        let (with, without) = (project.run(&["list"]), project.run(&["list", "--no-relay"]));
        assert_eq!((with.code, without.code), (0, 0), "{with}{without}");
        project.run(&["start", test_box.name(), "--wait"]).ok();
        same_answers(&test_box);
        channels(&project, 1);
        let container = test_box.container();
        crash(&test_box, |script| {
            own.docker(&["exec", "-u", "0", &container, "sh", "-c", script])
                .ok();
        });
        all_once(&follower, &test_box, LIMIT);
        stored_is_the_box_s_own(&test_box);
        same_answers(&test_box);
    }
    let states = box_states(&all_once(&follower, &test_box, LIMIT));
    let stopped = ("running".to_owned(), "stopped".to_owned());
    assert!(
        states.contains(&stopped),
        "an engine that ends in order says so: {states:?}"
    );
    assert_eq!(
        states.last().map(|(_, to)| to.as_str()),
        Some("running"),
        "{states:?}"
    );
}

#[test]
fn tcp_that_is_cut_and_stalls_loses_nothing() {
    let forwarder = Forwarder::to_engine();
    let project = Project::new(YAML)
        .by_way_of(forwarder.url(), Path::new(""))
        .with_relay();
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    channels(&project, 1);
    same_answers(&test_box);
    let follower = test_box.start("events", &["-f", "--json"]);
    let by_docker = |script: &str| drop(test_box.docker_exec(script).ok());
    for _ in 0..3 {
        all_once(&follower, &test_box, LIMIT);
        assert!(forwarder.cut() > 0);
        crash(&test_box, by_docker);
    }
    channels(&project, 1);
    all_once(&follower, &test_box, LIMIT);
    // Nothing comes through, and nobody is told.
    let old = test_box.pid("web");
    forwarder.stall(true);
    by_docker(&format!("kill -9 {old}"));
    let waiting = test_box.start("status", &["--json"]);
    let stalled = project.run(&["relay", "status", "--json"]).ok().json();
    // It answers for itself all the same.
    assert_eq!(stalled["engines"][0]["channels"], 1, "{stalled}");
    forwarder.stall(false);
    waiting.finish(LIMIT).ok();
    all_once(&follower, &test_box, LIMIT);
    // The connections that there are lead nowhere, without a word. Others can be made.
    forwarder.freeze();
    docker(&["stop", "-t", "5", &test_box.container()]).ok();
    for state in ["stopped", "running"] {
        let with = test_box.run("status", &["--json"]).ok().json();
        assert_eq!(with["box"]["state"], state);
        if state == "stopped" {
            docker(&["start", &test_box.container()]).ok();
        }
    }
    channels(&project, 1);
    all_once(&follower, &test_box, LIMIT);
    forwarder.freeze();
    crash(&test_box, by_docker);
    all_once(&follower, &test_box, 2 * LIMIT);
    // Down for a while, as a machine that is switched off.
    forwarder.set_down(true);
    forwarder.cut();
    test_box.run("status", &[]).expect_code(4);
    test_box.run("status", &["--no-relay"]).expect_code(4);
    by_docker("kill -9 $(busybox pidof sleep)");
    forwarder.set_down(false);
    channels(&project, 1);
    same_answers(&test_box);
    all_once(&follower, &test_box, LIMIT);
    stored_is_the_box_s_own(&test_box);
}

#[test]
fn an_engine_over_ssh_is_like_one_here() {
    let mut server = SshServer::start();
    let yaml =
        format!("{YAML}  http: {{command: exec python3 -m http.server 3000, ready_when: {{port: 3000}}}}\n");
    let project = Project::new(&yaml)
        .by_way_of(server.url(), &server.programs())
        .with_relay();
    project.file("hello.txt", "hello over ssh\n");
    let test_box = project.create(&["--wait"]);
    channels(&project, 1);
    same_answers(&test_box);
    let status = test_box.run("status", &["-v"]).ok();
    assert!(status.stderr.contains("asked the relay"), "{status}");
    let follower = test_box.start("events", &["-f", "--json"]);
    all_once(&follower, &test_box, LIMIT);
    let forward = test_box.start("forward", &["0:3000", "--json"]);
    let port = |output: &str| -> Option<u16> {
        let line: serde_json::Value = serde_json::from_str(output.lines().next()?).ok()?;
        line["local"].as_u64()?.try_into().ok()
    };
    let port = wait_for("the forward", LIMIT, || {
        port(&forward.stdout()).ok_or_else(|| forward.stderr())
    });
    let fetch = || -> Result<String, String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        let mut answer = String::new();
        stream
            .write_all(b"GET /hello.txt HTTP/1.0\r\n\r\n")
            .and_then(|()| stream.read_to_string(&mut answer))
            .map_err(|error| error.to_string())?;
        if answer.ends_with("hello over ssh\n") {
            Ok(answer)
        } else {
            Err(answer)
        }
    };
    fetch().expect("what the box serves");
    let by_docker = |script: &str| drop(test_box.docker_exec(script).ok());
    for _ in 0..3 {
        let clients = server.clients();
        assert!(!clients.is_empty());
        for client in clients {
            // One may have ended by itself.
            let _ = kill(Pid::from_raw(client), Signal::SIGKILL);
        }
        crash(&test_box, by_docker);
        all_once(&follower, &test_box, LIMIT);
    }
    channels(&project, 1);
    // It looks for the box again.
    wait_for("the forward to go on", LIMIT, fetch);
    // No server, and no connection that is left.
    server.end();
    for client in server.clients() {
        let _ = kill(Pid::from_raw(client), Signal::SIGKILL);
    }
    test_box.run("status", &[]).expect_code(4);
    test_box.run("status", &["--no-relay"]).expect_code(4);
    by_docker("kill -9 $(pidof sleep)");
    server.restart();
    channels(&project, 1);
    same_answers(&test_box);
    all_once(&follower, &test_box, LIMIT);
    stored_is_the_box_s_own(&test_box);
    // What ran for the connections ends with them.
    drop(forward);
    drop(follower);
    project.run(&["relay", "stop"]).ok();
    wait_for("all clients to end", LIMIT, || match server.clients().len() {
        0 => Ok(()),
        left => Err(format!("{left} are left")),
    });
}

#[test]
fn boxes_of_one_name_on_two_engines_are_two() {
    let image = images::busybox();
    let own = OwnEngine::start(600);
    own.load(&image);
    let project = Project::new(YAML).with_relay();
    let here = project.create_from(&image, &["--wait"]);
    let url = own.url();
    let there = |words: &[&str]| project.run(&[&["--engine", &url], words].concat());
    let create = ["create", "-y", "-n", here.name(), "--image", &image, "--wait"];
    there(&create).ok();
    wait_for("a channel to each", LIMIT, || {
        let health = project.run(&["relay", "status", "--json"]);
        let engines = health.json()["engines"].as_array().cloned().unwrap_or_default();
        let each = engines.iter().all(|engine| engine["channels"] == 1);
        if engines.len() == 2 && each {
            Ok(())
        } else {
            Err(health.stdout)
        }
    });
    for _ in 0..3 {
        crash(&here, |script| drop(here.docker_exec(script).ok()));
    }
    stored_is_the_box_s_own(&here);
    let told = |more: &[&str]| {
        let words = [&["events", here.name(), "--json", "-v"], more].concat();
        let output = there(&words).ok();
        assert!(!output.stderr.contains("without the relay"), "{output}");
        numbered(&parse(&output.stdout))
    };
    let (stored, recorded) = (told(&[]), told(&["--no-relay"]));
    assert_eq!(stored, recorded);
    let of_here = wait_for("events", LIMIT, || of(&here, &["--no-relay"]));
    assert_ne!(numbers(&recorded), numbers(&of_here));
    let state = |output: &Output| output.json()["box"]["state"].clone();
    there(&["stop", here.name()]).ok();
    assert_eq!(state(&there(&["status", "--json", here.name()])), "stopped");
    assert_eq!(state(&here.run("status", &["--json"])), "running");
}
