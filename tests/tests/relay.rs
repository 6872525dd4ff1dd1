//! The relay: what is faster with it, what it remembers, and that nobody needs it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use agentbox_tests::engine::docker;
use agentbox_tests::events::{all_once, box_states, numbers, parse};
use agentbox_tests::{Output, Project, TestBox, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

const YAML: &str = "tasks: {build: {command: echo built}}\nservices:\n  \
    web: {command: exec sleep 1000, needs: [build], backoff: {initial_ms: 50, max_ms: 50}}\n  \
    worker: {command: echo at work; exec sleep 1000}\n";

fn project(yaml: &str) -> Project {
    Project::new(yaml).with_relay()
}

/// The relay's own report.
fn health(project: &Project) -> Result<Value, String> {
    let output = project.run(&["relay", "status", "--json"]);
    if output.code == 0 {
        Ok(output.json())
    } else {
        Err(output.stderr)
    }
}

/// The process that is the relay, once it has so many channels.
#[track_caller]
fn relay_with_channels(project: &Project, channels: u64) -> Pid {
    wait_for(&format!("a relay with {channels} channels"), LIMIT, || {
        let health = health(project)?;
        if health["engines"][0]["channels"] == channels {
            let pid = health["pid"].as_i64().expect("a number");
            Ok(Pid::from_raw(i32::try_from(pid).expect("a process id")))
        } else {
            Err(health.to_string())
        }
    })
}

/// Commands, with and without the relay.
#[track_caller]
fn with_and_without(test_box: &TestBox<'_>, verb: &str, arguments: &[&str]) -> (Output, Output) {
    let with = test_box.run(verb, &[arguments, &["-v"]].concat());
    let without = test_box.run(verb, &[arguments, &["--no-relay"]].concat());
    assert!(with.stderr.contains("asked the relay"), "{with}");
    (with, without)
}

fn events(test_box: &TestBox<'_>, arguments: &[&str]) -> Vec<Value> {
    parse(
        &test_box
            .run("events", &[&["--json"], arguments].concat())
            .ok()
            .stdout,
    )
}

/// Ends the leader of a unit, and waits until its events are in the box's own journal.
#[track_caller]
fn crash(test_box: &TestBox<'_>, unit: &str) {
    let old = test_box.pid(unit);
    test_box.docker_exec(&format!("kill -9 {old}")).ok();
    test_box.wait_unit(unit, "a new process", |unit| {
        unit["state"] == "running" && unit["pid"].as_u64() != Some(old)
    });
}

#[test]
fn create_starts_it_and_answers_are_the_same_with_and_without() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    let pid = relay_with_channels(&project, 1);
    for (verb, arguments) in [
        ("status", &[][..]),
        ("status", &["--json"]),
        ("logs", &[]),
        ("logs", &["worker"]),
        ("logs", &["nope"]),
        ("wait", &["--json"]),
        ("wait", &["--unit", "nope"]),
        ("url", &[]),
        ("run-task", &["build"]),
    ] {
        let (with, without) = with_and_without(&test_box, verb, arguments);
        assert_eq!(with.code, without.code, "{with}{without}");
        // Of a task that runs again, numbers differ.
        assert_eq!(with.stdout, without.stdout, "{with}{without}");
    }
    // All but the age.
    let list = |more: &[&str]| {
        let output = project.run(&[&["list"], more].concat()).ok();
        let words = output.stdout.split_whitespace().map(str::to_owned);
        words.filter(|word| !word.ends_with('s')).collect::<Vec<_>>()
    };
    assert_eq!(list(&[]), list(&["--no-relay"]));
    assert!(list(&[]).contains(&"3/3".to_owned()), "{:?}", list(&[]));
    assert_eq!(list(&["--json"]), list(&["--no-relay", "--json"]));
    // One channel serves them all.
    assert_eq!(test_box.processes_matching("agentbox-ctl connect").len(), 1);
    assert_eq!(relay_with_channels(&project, 1), pid);
    let socket = fs::metadata(project.runtime_directory().join("relay.sock")).expect("a socket");
    assert_eq!(socket.mode() & 0o777, 0o600);
    let directory = fs::metadata(project.runtime_directory()).expect("a directory");
    assert_eq!(directory.mode() & 0o777, 0o700);
    let log = project.run(&["relay", "log", "-n", "50"]).ok().stdout;
    assert!(
        log.contains(&format!("process {pid}")) && log.contains("channel open"),
        "{log}"
    );
    project.run(&["relay", "run"]).expect_code(1).complains(&[
        &format!("error: the relay is running already (process {pid})"),
        "hint: agentbox relay status",
    ]);
    project.run(&["relay", "stop"]).ok();
    project
        .run(&["relay", "status"])
        .expect_code(1)
        .complains(&["error: the relay is not running"]);
    assert!(!project.runtime_directory().join("relay.sock").exists());
    assert_eq!(test_box.status_json()["box"]["state"], "running");
}

#[test]
fn what_the_engine_does_by_itself_is_seen_at_once() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    relay_with_channels(&project, 1);
    let state = || {
        let output = test_box.run("status", &["--json", "-v"]).ok();
        assert!(output.stderr.contains("asked the relay"), "{output}");
        output.json()["box"]["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    };
    let container = test_box.container();
    for (words, expected) in [
        (&["pause"][..], "paused"),
        (&["unpause"], "running"),
        (&["stop", "-t", "5"], "stopped"),
        (&["start"], "running"),
    ] {
        docker(&[words, &[&container]].concat()).ok();
        // Without waiting: what is done is known.
        assert_eq!(state(), expected);
        if expected == "running" {
            relay_with_channels(&project, 1);
        }
    }
    let expected = [
        ("-", "running"),
        ("running", "paused"),
        ("paused", "running"),
        ("running", "stopped"),
        ("stopped", "running"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
        .collect();
    assert_eq!(box_states(&events(&test_box, &[])), expected);
    assert_eq!(box_states(&events(&test_box, &["--no-relay"])), []);
}

#[test]
fn followers_get_every_event_once_whatever_is_killed() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    let first = relay_with_channels(&project, 1);
    let follower = test_box.start("events", &["-f", "--json"]);
    all_once(&follower, &test_box, LIMIT);
    // The relay, while something happens, and another one comes.
    kill(first, Signal::SIGKILL).expect("the relay is there");
    crash(&test_box, "web");
    all_once(&follower, &test_box, LIMIT);
    let _second = project.start(&["relay", "run"]);
    let second = relay_with_channels(&project, 1);
    assert_ne!(first, second);
    crash(&test_box, "web");
    all_once(&follower, &test_box, LIMIT);
    // It is asked again, and tells what the box alone does not.
    test_box.run("pause", &[]).ok();
    wait_for("the pause", LIMIT, || {
        let seen = parse(&follower.stdout());
        match box_states(&seen).last() {
            Some((_, to)) if to == "paused" => Ok(()),
            last => Err(format!("{last:?}")),
        }
    });
    test_box.run("unpause", &[]).ok();
    relay_with_channels(&project, 1);
    // The supervisor.
    let old = test_box.pid("web");
    test_box
        .docker_exec("for d in /proc/[0-9]*; do if tr '\\0' ' ' < $d/cmdline | grep -q \"^agentbox-ctl daemon\"; then kill -9 ${d#/proc/}; fi; done")
        .ok();
    test_box.wait_unit("web", "a new web", |unit| {
        unit["state"] == "running" && unit["pid"].as_u64() != Some(old)
    });
    let seen = all_once(&follower, &test_box, LIMIT);
    let of_web = |event: &&Value| event["unit"] == "web" && event["pid"].is_u64();
    let last = seen.iter().rfind(of_web).expect("an event of the new process");
    assert_eq!(last["pid"], test_box.pid("web"), "{last}");
    // The box.
    relay_with_channels(&project, 1);
    test_box.run("pause", &[]).ok();
    test_box.run("unpause", &[]).ok();
    test_box.run("restart", &["--wait"]).ok();
    relay_with_channels(&project, 1);
    test_box.run("stop", &[]).ok();
    test_box.run("start", &["--wait"]).ok();
    let seen = all_once(&follower, &test_box, LIMIT);
    assert!(box_states(&seen).contains(&("paused".to_owned(), "running".to_owned())));
    // What is stored is the same.
    let stored = events(&test_box, &[]);
    assert_eq!(numbers(&stored), numbers(&seen));
    // A follower that comes late goes on where it left off.
    let after = numbers(&stored)[3].to_string();
    assert_eq!(
        numbers(&events(&test_box, &["--since", &after])),
        numbers(&stored)[4..]
    );
    test_box.run("destroy", &["-f", "--discard"]).ok();
    let output = follower.finish(LIMIT).ok();
    assert!(output.stderr.contains("is gone"), "{output}");
    let last = parse(&output.stdout).pop().expect("events");
    assert_eq!(
        (&last["kind"], &last["to"]),
        (&Value::from("box-state"), &Value::Null)
    );
}

#[test]
fn what_happened_without_a_relay_is_caught_up_with() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    relay_with_channels(&project, 1);
    project.run(&["relay", "stop"]).ok();
    for _ in 0..3 {
        crash(&test_box, "web");
    }
    test_box.run("stop", &["--no-relay"]).ok();
    let own = numbers(&events(&test_box, &["--no-relay"]));
    let _relay = project.start(&["relay", "run"]);
    relay_with_channels(&project, 0);
    assert_eq!(numbers(&events(&test_box, &["-v"])), own);
    test_box.run("start", &["--wait"]).ok();
    let own = numbers(&events(&test_box, &["--no-relay"]));
    assert_eq!(numbers(&events(&test_box, &[])), own);
}

#[test]
fn a_relay_that_hangs_costs_a_moment_and_no_answer() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    let pid = relay_with_channels(&project, 1);
    let follower = test_box.start("events", &["-f", "--json"]);
    all_once(&follower, &test_box, LIMIT);
    let plain = test_box.run("status", &["--no-relay"]).ok();
    kill(pid, Signal::SIGSTOP).expect("the relay is there");
    let hanging = test_box.run("status", &["-v"]).ok();
    assert_eq!(hanging.stdout, plain.stdout);
    assert!(
        hanging.stderr.contains("without the relay: it does not answer"),
        "{hanging}"
    );
    // A quarter of a second is what it waits; ten times as much is a machine with other things to do.
    assert!(
        hanging.elapsed < plain.elapsed + Duration::from_millis(2500),
        "{hanging}{plain}"
    );
    crash(&test_box, "web");
    all_once(&follower, &test_box, LIMIT);
    project.run(&["relay", "status"]).expect_code(1).complains(&[
        &format!("error: the relay (process {pid}) does not answer"),
        "hint: agentbox relay stop",
    ]);
    project.run(&["relay", "stop"]).ok();
    // Nobody may have asked for its exit status yet.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
}

#[test]
fn what_a_killed_one_left_is_replaced_and_so_is_another_release() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    let pid = relay_with_channels(&project, 1);
    kill(pid, Signal::SIGKILL).expect("the relay is there");
    let socket = project.runtime_directory().join("relay.sock");
    assert!(socket.exists());
    assert!(test_box.run("status", &[]).ok().stdout.contains("worker"));
    test_box.run("start", &[]).ok();
    assert_ne!(relay_with_channels(&project, 1), pid);
    project.run(&["relay", "stop"]).ok();
    // One that says it is of another release, and ends when it is told to.
    let lock = fs::File::create(project.runtime_directory().join("relay.lock")).expect("a lock");
    lock.lock().expect("nobody holds it");
    writeln!(&lock, "{}", std::process::id()).expect("it can be written");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let old = std::thread::spawn(move || {
        loop {
            let (stream, _) = listener.accept().expect("a connection");
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).expect("a question");
            let question: Value = serde_json::from_str(&line).expect("JSON");
            (&stream)
                .write_all(b"{\"version\":\"0.0.9\",\"result\":{\"Ok\":\"done\"}}\n")
                .expect("an answer");
            if question["ask"] == "stop" {
                drop(lock);
                return;
            }
        }
    });
    let status = test_box.run("status", &["-v"]).ok();
    assert!(status.stderr.contains("it is of version 0.0.9"), "{status}");
    test_box.run("start", &[]).ok();
    old.join().expect("it was told to end");
    relay_with_channels(&project, 1);
}

#[test]
fn it_ends_by_itself_once_nothing_runs_and_with_its_socket() {
    let project = project(YAML);
    let test_box = project.create(&["--wait"]);
    project
        .run(&["config", "set", "--global", "relay.idle_timeout", "200ms"])
        .ok();
    project.run(&["relay", "stop"]).ok();
    let relay = project.start(&["relay", "run"]);
    relay_with_channels(&project, 1);
    let running = Instant::now();
    // It stays while the box runs, and while it is paused.
    test_box.run("pause", &[]).ok();
    while running.elapsed() < Duration::from_secs(2) {
        health(&project).expect("it serves");
    }
    test_box.run("unpause", &[]).ok();
    test_box.run("stop", &[]).ok();
    let output = relay.finish(LIMIT).ok();
    assert!(
        output.stderr.contains("no box has run for long enough"),
        "{output}"
    );
    project
        .run(&["config", "unset", "--global", "relay.idle_timeout"])
        .ok();
    let relay = project.start(&["relay", "run"]);
    relay_with_channels(&project, 0);
    fs::remove_dir_all(project.runtime_directory()).expect("it can be removed");
    let output = relay.finish(LIMIT).ok();
    assert!(output.stderr.contains("its socket was removed"), "{output}");
    project
        .run(&["config", "set", "--global", "relay.idle_timeout", "soon"])
        .expect_code(2)
        .complains(&["`soon` is no time span"]);
}

#[test]
fn who_waits_gets_an_answer_when_the_relay_hangs_or_is_killed() {
    let yaml = "services:\n  late: {command: 'until test -e go; do sleep 0.05; done; echo here; exec sleep 1000', ready_when: {log_match: here}}\n";
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        let project = project(yaml);
        let test_box = project.create(&[]);
        let pid = relay_with_channels(&project, 1);
        let waiting = test_box.start("wait", &["--unit", "late", "-v"]);
        wait_for("the wait to have begun", LIMIT, || {
            let stderr = waiting.stderr();
            if stderr.contains("late: ") {
                Ok(())
            } else {
                Err(stderr)
            }
        });
        kill(pid, signal).expect("the relay is there");
        test_box.docker_exec("touch /workspace/go").ok();
        let output = waiting.finish(LIMIT).ok();
        assert!(output.stderr.contains("asked the relay"), "{output}");
    }
}
