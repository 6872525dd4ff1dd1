//! What befalls the relay itself: boxes that mean harm, clients that do not read, a disk that is full, files that are gone.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use agentbox_tests::events::{all_once, box_states, broken_chain, numbered, numbers, of};
use agentbox_tests::{Project, Running, TestBox, binaries, engine, images, wait_for, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

const YAML: &str = "services:\n  web: {command: exec sleep 1000, backoff: {initial_ms: 50, max_ms: 50}}\n";

/// Most memory that the relay may ever have had, in KiB.
const MOST_MEMORY: u64 = 200 * 1024;

/// In the place of `agentbox-ctl`: tells events as fast as they are taken, most of them such as no supervisor tells.
const FAKE: &str = r#"#!/usr/bin/python3
import json, os, struct, sys, threading
out, lock, acked = sys.stdout.buffer, threading.Lock(), threading.Semaphore(64)
def send(id, reply):
    payload = json.dumps(reply, separators=(",", ":")).encode()
    with lock:
        out.write(struct.pack(">IBQ", len(payload) + 9, 2, id) + payload)
        out.flush()
def event(seq, kind="service-state", unit="web", **more):
    return {"item": {"event": {"seq": seq, "time": "2026-01-31T12:00:00.000Z", "box": "another", "kind": kind,
        "unit": unit, "from": "running", "to": "backoff", "pid": None, "exitCode": None, **more}}}
def flood(id, after):
    seq = after
    while True:
        seq += 1
        acked.acquire()
        if seq % 500 == 1:
            send(id, event(seq, unit="x" * 1000000))
        elif seq % 500 == 2:
            send(id, event(None, kind="box-state", unit=None, to="dead"))
        elif seq % 500 == 3:
            send(id, event(None))
        elif seq % 500 == 4:
            send(id, event(1))
        elif seq % 500 == 5:
            send(id, event(2**64 - 1))
        else:
            send(id, event(seq))
def main():
    read = sys.stdin.buffer
    while head := read.read(13):
        length, kind, id = struct.unpack(">IBQ", head)
        payload = read.read(length - 9)
        if kind == 4:
            for _ in range(struct.unpack(">I", payload)[0]):
                acked.release()
        if kind != 1:
            continue
        request = json.loads(payload)
        method = request["method"]
        if method == "hello":
            send(id, {"done": {"Ok": {"hello": {"protocol": 1, "version": "0", "started_at": "2026-01-31T12:00:00.000Z"}}}})
        elif method == "status":
            send(id, {"done": {"Ok": {"status": {"services": [], "tasks": [], "errors": ["x" * 100000]}}}})
        elif method == "events" and request["follow"]:
            threading.Thread(target=flood, args=(id, request["after"]), daemon=True).start()
        else:
            send(id, {"done": {"Ok": "nothing"}})
if sys.argv[1:] == ["connect"]:
    main()
os.execv("/usr/local/bin/agentbox-ctl.real", sys.argv)
"#;

fn health(project: &Project) -> Result<Value, String> {
    let output = project.run(&["relay", "status", "--json"]);
    if output.code == 0 {
        Ok(output.json())
    } else {
        Err(output.to_string())
    }
}

/// Waits for a relay with so many channels; its process.
#[track_caller]
fn relay(project: &Project, channels: u64) -> u64 {
    wait_for(&format!("a relay with {channels} channels"), LIMIT, || {
        let health = health(project)?;
        if health["engines"][0]["channels"] == channels {
            Ok(health["pid"].as_u64().expect("a number"))
        } else {
            Err(health.to_string())
        }
    })
}

/// Starts a relay by a shell script, in which `"$@"` is the relay and `$STATE` its state directory.
fn relay_by(project: &Project, script: &str) -> Running {
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(binaries::agentbox());
    command.args(["relay", "run"]);
    project.hermetic(&mut command);
    command
        .env("DOCKER_HOST", engine::url())
        .env("STATE", project.state_directory());
    Running::spawn(command)
}

#[track_caller]
fn crash(test_box: &TestBox<'_>) {
    let old = test_box.pid("web");
    test_box.docker_exec(&format!("kill -9 {old}")).ok();
    test_box.wait_unit("web", "a new process", |unit| {
        unit["state"] == "running" && unit["pid"].as_u64() != Some(old)
    });
}

/// What the relay has of a box, once that is what the box has.
#[track_caller]
fn stored(test_box: &TestBox<'_>) -> Vec<Value> {
    let own = wait_for("the box's events", LIMIT, || of(test_box, &["--no-relay"]));
    let stored = wait_for("stored events", LIMIT, || of(test_box, &[]));
    assert_eq!(numbered(&stored), own);
    assert_eq!(broken_chain(&stored), None);
    stored
}

#[track_caller]
fn asked_the_relay(test_box: &TestBox<'_>) {
    wait_for("an answer of the relay", LIMIT, || {
        let output = test_box.run("status", &["-v"]);
        if output.code == 0 && output.stderr.contains("asked the relay") {
            Ok(())
        } else {
            Err(output.to_string())
        }
    });
}

#[test]
fn a_box_that_floods_and_lies_costs_no_other_anything() {
    let project = Project::new(YAML).with_relay();
    let hostile = project.create(&["--wait"]);
    let honest = project.create(&["--wait"]);
    relay(&project, 2);
    project.run(&["relay", "stop"]).ok();
    project.file("fake", FAKE);
    let path = project.directory().join("fake");
    let path = path.to_str().expect("a temporary directory's name is text");
    project
        .run(&["cp", path, &format!("{}:/tmp/fake", hostile.name())])
        .ok();
    let replace = "mv agentbox-ctl agentbox-ctl.real && cp /tmp/fake agentbox-ctl && chmod 755 agentbox-ctl";
    hostile
        .docker_exec(&format!("cd /usr/local/bin && {replace}"))
        .ok();
    let _relay = project.start(&["relay", "run"]);
    let pid = relay(&project, 2);
    let follower = honest.start("events", &["-f", "--json"]);
    all_once(&follower, &honest, LIMIT);
    // They have the relay send them everything, and take nothing.
    let idle: Vec<Running> = (0..30)
        .map(|_| {
            let command = project.command(&["events", hostile.name(), "-f", "--json"]);
            let follower = Running::spawn(command);
            follower.expect_stdout("backoff", LIMIT);
            follower.signal(Signal::SIGSTOP);
            follower
        })
        .collect();
    wait_for("a flood", LIMIT, || match health(&project)?["events"].as_u64() {
        Some(9_500..) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    for _ in 0..3 {
        crash(&honest);
        all_once(&follower, &honest, LIMIT);
        stored(&honest);
        asked_the_relay(&honest);
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the relay is there");
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let most = most.and_then(|words| words.split_whitespace().next()?.parse::<u64>().ok());
    println!("the relay had {most:?} KiB");
    assert!(most.is_some_and(|most| most < MOST_MEMORY), "{status}");
    drop(idle);
    // What it says of itself is not what its host says of it.
    let output = hostile.run("events", &["--json"]);
    let seen = agentbox_tests::events::parse(&output.stdout);
    assert_eq!(broken_chain(&seen), None);
    assert!(
        box_states(&seen).iter().all(|(_, to)| to == "running"),
        "{:?}",
        box_states(&seen)
    );
    assert_eq!(relay(&project, 2), pid);
}

#[test]
fn a_relay_without_descriptors_serves_again_when_it_has_some() {
    let project = Project::new(YAML).with_relay();
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    project.run(&["relay", "stop"]).ok();
    let _relay = relay_by(&project, "ulimit -n 64; exec \"$@\"");
    let pid = relay(&project, 1);
    let socket = project.runtime_directory().join("relay.sock");
    let idle: Vec<UnixStream> = (0..100)
        .map(|_| UnixStream::connect(&socket).expect("a place in the queue"))
        .collect();
    let used = || fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    wait_until("all descriptors to be used", LIMIT, || used() >= 63);
    let with = test_box.run("status", &[]);
    let without = test_box.run("status", &["--no-relay"]).ok();
    assert_eq!((with.code, &with.stdout), (0, &without.stdout), "{with}");
    crash(&test_box);
    drop(idle);
    asked_the_relay(&test_box);
    crash(&test_box);
    stored(&test_box);
    assert_eq!(relay(&project, 1), pid);
}

#[test]
fn a_full_disk_costs_what_is_stored_until_there_is_room() {
    let project = Project::new(YAML).with_relay();
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    project.run(&["relay", "stop"]).ok();
    let relay_process = relay_by(
        &project,
        "mount -t tmpfs -o size=512k tmpfs \"$STATE\"; exec \"$@\"",
    );
    let pid = relay(&project, 1);
    let follower = test_box.start("events", &["-f", "--json"]);
    all_once(&follower, &test_box, LIMIT);
    // The file system that the relay alone sees.
    let state = PathBuf::from(format!("/proc/{pid}/root{}", project.state_directory().display()));
    let mut fill = fs::File::create(state.join("fill")).expect("there is room for a name");
    while fill.write(&[1; 1024]).is_ok_and(|length| length > 0) {}
    // What there is room for in the files as they are is used up, too.
    wait_for("a store without room", LIMIT, || {
        crash(&test_box);
        let said = relay_process.stderr();
        if said.contains("is full") {
            Ok(())
        } else {
            Err(said)
        }
    });
    crash(&test_box);
    asked_the_relay(&test_box);
    assert_eq!(relay(&project, 1), pid);
    let own = wait_for("the box's events", LIMIT, || of(&test_box, &["--no-relay"]));
    let told = test_box.run("events", &["--json"]).ok();
    let told = agentbox_tests::events::parse(&told.stdout);
    assert_eq!(
        numbers(&told),
        numbers(&own),
        "what cannot be stored is read from the box"
    );
    fs::remove_file(state.join("fill")).expect("it is there");
    drop(fill);
    all_once(&follower, &test_box, LIMIT);
    stored(&test_box);
    assert_eq!(relay(&project, 1), pid);
}

#[test]
fn files_that_are_removed_or_broken_are_made_anew() {
    let project = Project::new(YAML).with_relay();
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    let pid = relay(&project, 1);
    let follower = test_box.start("events", &["-f", "--json"]);
    let events = project.state_directory().join("events.db");
    for _ in 0..2 {
        for _ in 0..2 {
            crash(&test_box);
        }
        all_once_or_anew(&follower, &test_box);
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(format!("{}{suffix}", events.display()));
        }
        crash(&test_box);
        all_once_or_anew(&follower, &test_box);
        stored(&test_box);
    }
    // Overwritten, log and all.
    for suffix in ["", "-wal"] {
        let path = format!("{}{suffix}", events.display());
        let length = fs::metadata(&path).map_or(0, |found| found.len());
        if let Ok(mut file) = fs::OpenOptions::new().write(true).open(&path) {
            file.write_all(&vec![0xa5; usize::try_from(length).expect("small")])
                .expect("it can be overwritten");
        }
    }
    crash(&test_box);
    all_once_or_anew(&follower, &test_box);
    stored(&test_box);
    assert_eq!(relay(&project, 1), pid);
    // With everything around it, and while there is no relay.
    project.run(&["relay", "stop"]).ok();
    fs::remove_dir_all(project.state_directory()).expect("it can be removed");
    crash(&test_box);
    let _relay = project.start(&["relay", "run"]);
    relay(&project, 1);
    crash(&test_box);
    all_once_or_anew(&follower, &test_box);
    stored(&test_box);
}

/// That a follower has every number once. What was lost of the box's own states is told anew.
#[track_caller]
fn all_once_or_anew(follower: &Running, test_box: &TestBox<'_>) {
    let own = numbers(&wait_for("the box's events", LIMIT, || {
        of(test_box, &["--no-relay"])
    }));
    wait_for("all events", LIMIT, || {
        let seen = numbers(&agentbox_tests::events::parse(&follower.stdout()));
        if seen.last() >= own.last() {
            let expected: Vec<u64> = (1..=seen.len() as u64).collect();
            assert_eq!(seen, expected, "{}", follower.stderr());
            Ok(())
        } else {
            Err(format!("{seen:?} of {own:?}; {}", follower.stderr()))
        }
    });
}
