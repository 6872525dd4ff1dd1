//! `forward` and `ports`: what listens in a box, and ports of it that were never published.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use agentbox_tests::process::Running;
use agentbox_tests::{Project, TestBox, wait_for};
use nix::sys::signal::Signal;

const LIMIT: Duration = Duration::from_secs(30);

/// Reads all that comes, and when that has ended sends it back and closes: a client sees both ends of a connection. What
/// begins with a word for it is served otherwise.
const ECHO: &str = r#"
import socket, struct, sys, threading
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
def serve(peer):
    pieces = []
    while piece := peer.recv(65536):
        pieces.append(piece)
        if piece == b"reset":
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return peer.close()
        if piece == b"end first":
            peer.sendall(b"that was it")
            peer.shutdown(socket.SHUT_WR)
            pieces = []
        if piece == b"without end":
            try:
                while True:
                    peer.sendall(bytes(65536))
            except OSError as error:
                with open("/workspace/broke", "w") as file:
                    file.write(str(error))
                return
    if len(pieces) == 0:
        return peer.close()
    if pieces[0] == b"still here":
        with open("/workspace/after", "wb") as file:
            file.write(b"".join(pieces))
        return peer.close()
    for piece in pieces:
        peer.sendall(piece)
    peer.close()
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"#;

/// `six` listens on ::1 alone where the engine gives its containers one; the unit tests of `dial` always do.
const YAML: &str = r#"
services:
  four: {command: exec python3 echo.py 127.0.0.1 3004, ready_when: {port: 3004}}
  six: {command: "exec python3 echo.py $(grep -q 'lo$' /proc/net/if_inet6 && echo ::1 || echo 127.0.0.1) 3006", ready_when: {port: 3006}}
  web: {command: exec sleep 1000, expose: {port: 3900}, ready_when: {log_match: never, timeout_ms: 600000}}
"#;

fn project() -> Project {
    let project = Project::new(YAML);
    project.file("echo.py", ECHO);
    project
}

fn create(project: &Project) -> TestBox<'_> {
    let test_box = project.create(&[]);
    for unit in ["four", "six"] {
        test_box.wait_state(unit, "ready");
    }
    test_box
}

/// Starts forwards of these ports to any free ones, and gives the ports here.
fn forward(test_box: &TestBox<'_>, ports: &[u16]) -> (Running, Vec<u16>) {
    let words: Vec<String> = ports.iter().map(|port| format!("0:{port}")).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    words.push("--json");
    let running = test_box.start("forward", &words);
    let locals = wait_for("the forwards", LIMIT, || {
        let stdout = running.stdout();
        let lines: Vec<&str> = stdout.lines().collect();
        if lines.len() < ports.len() || !stdout.ends_with('\n') {
            return Err(format!("{stdout:?} {:?}", running.stderr()));
        }
        let document = |line: &&str| serde_json::from_str::<serde_json::Value>(line).expect("a line of JSON");
        let locals = lines.iter().map(document).map(|line| line["local"].as_u64());
        Ok(locals
            .map(|local| u16::try_from(local.expect("a port")).expect("a port"))
            .collect())
    });
    (running, locals)
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens here");
    stream.set_read_timeout(Some(LIMIT)).expect("a time-out");
    stream
}

/// Sends everything, ends, and gives what comes back.
fn exchange(port: u16, content: &[u8]) -> Vec<u8> {
    let mut stream = connect(port);
    let mut sending = stream.try_clone().expect("a second handle");
    let mut answer = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            sending.write_all(content).expect("it takes everything");
            sending.shutdown(Shutdown::Write).expect("it can be ended");
        });
        stream.read_to_end(&mut answer).expect("a whole answer");
    });
    answer
}

fn stderr_has(running: &Running, texts: &[&str]) {
    wait_for("the reason", LIMIT, || {
        let stderr = running.stderr();
        if texts.iter().all(|text| stderr.contains(text)) {
            return Ok(());
        }
        Err(stderr)
    });
}

/// A connection that is closed without an answer.
fn fails(port: u16) {
    let mut answer = Vec::new();
    // A reset is as good as an end.
    let _ = connect(port).read_to_end(&mut answer);
    assert_eq!(answer, b"");
}

/// Waits until so many connections to the port are established in the box.
fn await_connections(test_box: &TestBox<'_>, port: u16, count: usize) {
    let remote = format!(":{port:04X} 01 ");
    wait_for(&format!("{count} connections"), LIMIT, || {
        let table = test_box
            .docker_exec("cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null; true")
            .ok()
            .stdout;
        // The supervisor's ends: the remote address and the state.
        let found = table.lines().filter(|line| line.contains(&remote)).count();
        if found == count {
            Ok(())
        } else {
            Err(found.to_string())
        }
    });
}

/// The execs over which connections go, by word. Some may be there that are nobody's any more: not every engine tells a
/// command that its client has gone.
fn execs(test_box: &TestBox<'_>) -> (usize, usize) {
    let count = |word: &str| test_box.processes_matching(&format!("agentbox-ctl {word}")).len();
    (count("connect"), count("dial"))
}

#[test]
fn both_address_families_large_content_and_both_ends_pass() {
    let project = project();
    let test_box = create(&project);
    let (channels, _) = execs(&test_box);
    let (running, locals) = forward(&test_box, &[3004, 3006]);
    // Not compressible to a pattern that a lost or doubled piece would leave the same.
    let mut state = 1_u32;
    let large: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(24 << 20)
    .collect();
    for local in &locals {
        assert_eq!(exchange(*local, b"small"), b"small");
        assert_eq!(exchange(*local, b""), b"");
        assert!(exchange(*local, &large) == large, "the content is another one");
    }
    if TcpListener::bind("[::1]:0").is_ok() {
        let mut six = TcpStream::connect(("::1", locals[0])).expect("it listens on ::1 too");
        six.write_all(b"x").expect("it can be written");
        six.shutdown(Shutdown::Write).expect("it can be ended");
        let mut answer = String::new();
        six.read_to_string(&mut answer).expect("an answer");
        assert_eq!(answer, "x");
    }
    std::thread::scope(|scope| {
        for number in 0..12_u8 {
            let local = locals[usize::from(number % 2)];
            scope.spawn(move || assert_eq!(exchange(local, &[number; 1000]), [number; 1000]));
        }
    });
    assert_eq!(execs(&test_box), (channels + 1, 0), "all share one channel");
    // A client that goes leaves nothing in the box.
    drop(connect(locals[0]));
    await_connections(&test_box, 3004, 0);
    // Nor does a forward that is killed in the midst of a connection.
    let mut open = connect(locals[0]);
    open.write_all(b"x").expect("it can be written");
    await_connections(&test_box, 3004, 1);
    running.signal(Signal::SIGKILL);
    await_connections(&test_box, 3004, 0);
    wait_for("the end of the exec", LIMIT, || match execs(&test_box) {
        all if all == (channels, 0) => Ok(()),
        some => Err(format!("{some:?}")),
    });
}

#[test]
fn many_connections_share_a_channel_and_none_holds_up_another() {
    let project = project();
    let test_box = create(&project);
    let (channels, _) = execs(&test_box);
    let (_running, locals) = forward(&test_box, &[3004]);
    let local = locals[0];
    // One whose client does not read: what is under way fills every buffer on its way, and no other's.
    let mut unread = connect(local);
    unread.write_all(b"without end").expect("it can be written");
    let mut first = [1; 1000];
    unread.read_exact(&mut first).expect("it begins");
    assert_eq!(first, [0; 1000]);
    let idle: Vec<TcpStream> = (0..100).map(|_| connect(local)).collect();
    await_connections(&test_box, 3004, 101);
    std::thread::scope(|scope| {
        for number in 0..20_usize {
            let content: Vec<u8> = (0..number * 20_000).map(|byte| (byte % 251) as u8).collect();
            scope.spawn(move || assert!(exchange(local, &content) == content));
        }
    });
    assert_eq!(execs(&test_box), (channels + 1, 0));
    for mut stream in idle {
        stream.write_all(b"now").expect("it still stands");
        stream.shutdown(Shutdown::Write).expect("it can be ended");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        assert_eq!(answer, b"now");
    }
    // The one that was held back goes on where it was; and its client's going reaches the service.
    let mut more = vec![1; 50 << 20];
    unread.read_exact(&mut more).expect("it goes on");
    assert!(more.iter().all(|byte| *byte == 0));
    drop(unread);
    wait_for("the service's word", LIMIT, || {
        let said = test_box.exec("cat broke");
        if said.code == 0 && !said.stdout.is_empty() {
            return Ok(said.stdout);
        }
        Err(said.stderr)
    });
}

#[test]
fn ends_and_resets_pass_as_what_they_are() {
    let project = project();
    let test_box = create(&project);
    let (_running, locals) = forward(&test_box, &[3004]);
    // The service ends first: what the client still sends arrives.
    let mut stream = connect(locals[0]);
    stream.write_all(b"end first").expect("it can be written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end");
    assert_eq!(answer, "that was it");
    await_connections(&test_box, 3004, 0);
    stream.write_all(b"still here").expect("this direction stands");
    stream.shutdown(Shutdown::Write).expect("it can be ended");
    wait_for("what came after the end", LIMIT, || {
        let said = test_box.exec("cat after");
        if said.stdout == "still here" {
            Ok(())
        } else {
            Err(said.stdout)
        }
    });

    // A reset is no end.
    let mut stream = connect(locals[0]);
    stream.write_all(b"reset").expect("it can be written");
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);

    // Nor is the end of the supervisor, and the forward goes on with the next that comes up.
    let mut stream = connect(locals[0]);
    stream.write_all(b"open").expect("it can be written");
    await_connections(&test_box, 3004, 1);
    test_box
        .docker_exec("kill -9 $(pgrep -f '^[^ ]*agentbox-ctl daemon')")
        .ok();
    let error = stream.read(&mut [0]).expect_err("a reset");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    wait_for("the forward to go on", LIMIT, || {
        let mut stream = connect(locals[0]);
        let mut answer = Vec::new();
        stream.write_all(b"anew").map_err(|error| error.to_string())?;
        stream
            .shutdown(Shutdown::Write)
            .map_err(|error| error.to_string())?;
        stream
            .read_to_end(&mut answer)
            .map_err(|error| error.to_string())?;
        if answer == b"anew" {
            Ok(())
        } else {
            Err(format!("{answer:?}"))
        }
    });
}

/// Asks the supervisor for a connection, and prints its answer.
const DIAL: &str = r#"
import json, socket, struct
peer = socket.socket(socket.AF_UNIX)
peer.connect("/run/agentbox/ctl.sock")
payload = json.dumps({"method": "dial", "port": 3004}).encode()
peer.sendall(struct.pack(">IBQ", len(payload) + 9, 1, 7) + payload)
length, kind, id = struct.unpack(">IBQ", peer.recv(13, socket.MSG_WAITALL))
print(peer.recv(length - 9, socket.MSG_WAITALL).decode())
"#;

#[test]
fn the_box_user_has_no_use_for_the_supervisors_connections() {
    let project = project();
    project.file("dial.py", DIAL);
    let test_box = create(&project);
    let refused = test_box.exec("python3 dial.py").ok().stdout;
    assert!(refused.contains("only the host"), "{refused}");
    let opened = test_box.docker_exec("python3 /workspace/dial.py").ok().stdout;
    assert_eq!(opened.trim(), r#"{"item":"opened"}"#);
}

/// A supervisor of the former release, as far as it is of interest here: it knows `hello`.
const OLD: &str = r#"
import json, struct, sys
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
while head := stdin.read(13):
    length, kind, id = struct.unpack(">IBQ", head)
    payload = stdin.read(length - 9)
    if kind != 1:
        continue
    if json.loads(payload)["method"] == "hello":
        answer = {"Ok": {"hello": {"protocol": 1, "version": "0.0.9", "started_at": "2026-01-01T00:00:00.000Z"}}}
    else:
        answer = {"Err": {"kind": "failed", "message": "cannot understand the request", "causes": ["unknown variant"]}}
    reply = json.dumps({"done": answer}, separators=(",", ":")).encode()
    stdout.write(struct.pack(">IBQ", len(reply) + 9, 2, id) + reply)
    stdout.flush()
"#;

#[test]
fn a_supervisor_of_the_former_release_is_reached_by_an_exec_each() {
    let project = project();
    project.file("old.py", OLD);
    let test_box = create(&project);
    test_box
        .docker_exec(
            r#"cd /usr/local/bin && mv agentbox-ctl agentbox-ctl.new && printf '%s\n' '#!/bin/sh' \
            'if [ "$1" = connect ]; then exec python3 /workspace/old.py; fi' \
            'exec agentbox-ctl.new "$@"' > agentbox-ctl && chmod 755 agentbox-ctl"#,
        )
        .ok();
    let (running, locals) = forward(&test_box, &[3004, 3999]);
    assert_eq!(exchange(locals[0], b"as before"), b"as before");
    let _open = connect(locals[0]);
    await_connections(&test_box, 3004, 1);
    assert_eq!(test_box.processes_matching("agentbox-ctl.new dial").len(), 1);
    fails(locals[1]);
    stderr_has(&running, &["port 3999", "refused"]);
}

#[test]
fn what_cannot_be_reached_is_said_and_the_end_of_the_box_is_the_end() {
    let project = project();
    let test_box = create(&project);
    let (running, locals) = forward(&test_box, &[3900, 3004]);
    fails(locals[0]);
    stderr_has(&running, &["port 3900", "refused", "`web`", "starting"]);
    let said = running.stderr();
    fails(locals[0]);
    assert_eq!(exchange(locals[1], b"on"), b"on", "it goes on");
    assert_eq!(running.stderr(), said, "once is enough");

    test_box.run("pause", &[]).ok();
    fails(locals[1]);
    stderr_has(&running, &["port 3004", "paused"]);
    test_box.run("unpause", &[]).ok();
    assert_eq!(exchange(locals[1], b"again"), b"again");
    test_box.run("stop", &[]).ok();
    fails(locals[1]);
    stderr_has(&running, &["not running"]);
    test_box.run("start", &[]).ok();
    test_box.wait_state("four", "ready");
    assert_eq!(exchange(locals[1], b"anew"), b"anew");

    test_box.run("destroy", &["-f", "--discard"]).ok();
    running
        .finish(LIMIT)
        .expect_code(3)
        .complains(&["is gone", test_box.name()]);
}

#[test]
fn a_taken_port_is_an_error_and_a_signal_the_end() {
    let project = project();
    let test_box = create(&project);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = (taken.local_addr().expect("its number").port(), taken);
    let refused = test_box
        .run("forward", &["0:3004", &format!("{}:3004", taken.0)])
        .expect_code(1)
        .complains(&[&taken.0.to_string(), "taken", "hint: ", "LOCAL:3004"]);
    assert_eq!(refused.stdout, "", "all or nothing");
    test_box.run("forward", &[]).expect_code(2);
    test_box.run("forward", &["0"]).expect_code(2);
    project.run(&["forward", "no-such-box", "3004"]).expect_code(3);

    // The project's only box, and the line for people.
    let running = project.start(&["forward", "0:3004"]);
    running.expect_stdout(&format!(" -> {}:3004\n", test_box.name()), LIMIT);
    running.signal(Signal::SIGTERM);
    running.finish(LIMIT).expect_code(130);
}

#[test]
fn ports_tell_addresses_and_owners() {
    let project = project();
    let test_box = create(&project);
    // Neither of a unit nor of the box user.
    test_box
        .docker_exec("setsid python3 /workspace/echo.py 0.0.0.0 3999 >/dev/null 2>&1 &")
        .ok();
    let row = |port: u16| {
        wait_for("the port", LIMIT, || {
            let ports = test_box.run("ports", &["--json"]).ok().json();
            let rows = ports.as_array().expect("rows");
            let found = rows.iter().find(|row| row["port"] == port).cloned();
            found.ok_or_else(|| ports.to_string())
        })
    };
    let has_six = test_box.exec("grep -q 'lo$' /proc/net/if_inet6").code == 0;
    let six = if has_six { "::1" } else { "127.0.0.1" };
    for (unit, port, address) in [("four", 3004, "127.0.0.1"), ("six", 3006, six)] {
        let row = row(port);
        assert_eq!(row["unit"], unit, "{row}");
        assert_eq!(row["pid"], test_box.pid(unit), "{row}");
        assert_eq!(row["addresses"], serde_json::json!([address]), "{row}");
        assert!(
            row["process"]
                .as_str()
                .is_some_and(|name| name.contains("python3")),
            "{row}"
        );
    }
    let other = row(3999);
    assert_eq!(other["unit"], serde_json::Value::Null, "{other}");
    assert!(other["pid"].is_u64(), "{other}");

    let table = test_box.run("ports", &[]).ok().stdout;
    let line = |port: &str| {
        let line = table.lines().find(|line| line.starts_with(port));
        line.unwrap_or_else(|| panic!("no {port} in {table}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("3004")[1..3], ["127.0.0.1", "four"]);
    assert_eq!(line("3999")[1..3], ["0.0.0.0", "-"]);

    test_box.run("stop", &[]).ok();
    test_box
        .run("ports", &[])
        .expect_code(1)
        .complains(&["hint: agentbox start"]);
    project.run(&["ports", "no-such-box"]).expect_code(3);
}
