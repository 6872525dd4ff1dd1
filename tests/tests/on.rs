//! `on` and the filters of `events`: commands of the host at what happens in a box.

use std::fs;
use std::time::Duration;

use agentbox_tests::{Project, Running, TestBox, wait_for};
use nix::sys::signal::Signal;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);

const YAML: &str = "tasks: {build: {command: 'true'}}\nservices:\n  \
    web: {command: exec sleep 1000, needs: [build], backoff: {initial_ms: 100, max_ms: 100}}\n  \
    worker: {command: exec sleep 1000, restart: never}\n";

/// A command that writes what it is told on one line of `seen`.
const RECORD: [&str; 3] = [
    "sh",
    "-c",
    "read -r line; echo \"$AGENTBOX_EVENT_SEQ $AGENTBOX_EVENT_UNIT $AGENTBOX_EVENT_FROM $AGENTBOX_EVENT_TO \
     $AGENTBOX_EVENT_KIND $AGENTBOX_EVENT_BOX $AGENTBOX_EVENT_TIME ${AGENTBOX_EVENT_EXIT_CODE-none} $line\" >> seen",
];

/// `on` with this command, once it follows.
fn follow(test_box: &TestBox<'_>, events: &[&str], command: &[&str]) -> Running {
    let running = test_box.start("on", &[events, &["--"], command].concat());
    await_stderr(&running, "following box");
    running
}

fn await_stderr(running: &Running, text: &str) {
    wait_for(text, LIMIT, || {
        let stderr = running.stderr();
        if stderr.contains(text) {
            Ok(())
        } else {
            Err(stderr)
        }
    });
}

/// The lines of a file of the project, once there are so many.
fn lines(project: &Project, file: &str, count: usize) -> Vec<String> {
    wait_for(&format!("{count} lines in {file}"), LIMIT, || {
        let text = fs::read_to_string(project.directory().join(file)).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count {
            Ok(lines)
        } else {
            Err(format!("{lines:?}"))
        }
    })
}

/// The box's events, as `events --json` with further arguments prints them.
fn events(test_box: &TestBox<'_>, arguments: &[&str]) -> Vec<Value> {
    let output = test_box.run("events", &[&["--json"], arguments].concat()).ok();
    let lines = output.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).expect("an event is JSON"))
        .collect()
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().filter_map(|event| event["seq"].as_u64()).collect()
}

fn kill(test_box: &TestBox<'_>, unit: &str) {
    test_box
        .docker_exec(&format!("kill -9 {}", test_box.pid(unit)))
        .ok();
}

#[test]
fn a_crash_runs_the_command_with_the_event_and_so_does_the_next() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let on = follow(&test_box, &["web:crashed", "worker:crashed"], &RECORD);
    kill(&test_box, "web");
    let first = lines(&project, "seen", 1).remove(0);
    let (words, json) = first.split_once(" {").expect("words and JSON");
    let event: Value = serde_json::from_str(&format!("{{{json}")).expect("stdin has one line of JSON");
    assert_eq!(event["unit"], "web");
    assert_eq!(event["from"], "running");
    assert_eq!(event["to"], "backoff");
    let text = |key: &str| event[key].as_str().expect("text").to_owned();
    let expected = format!(
        "{} web running backoff service-state {} {} none",
        event["seq"],
        test_box.name(),
        text("time")
    );
    assert_eq!(words, expected);
    assert_eq!(event["box"], test_box.name());
    assert!(numbers(&events(&test_box, &[])).contains(&event["seq"].as_u64().expect("a number")));
    kill(&test_box, "worker");
    let second = lines(&project, "seen", 2).remove(1);
    assert!(second.contains(" worker running crashed "), "{second}");
    on.signal(Signal::SIGINT);
    on.finish(LIMIT).expect_code(130);
    assert_eq!(lines(&project, "seen", 2).len(), 2);
}

#[test]
fn nothing_is_lost_or_run_twice_when_the_box_stops_pauses_and_loses_its_supervisor() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let last = *numbers(&events(&test_box, &[])).last().expect("events");
    let all = [
        "*:waiting",
        "*:running",
        "*:stopping",
        "*:stopped",
        "*:done",
        "*:crashed",
    ];
    let on = follow(&test_box, &all, &RECORD);
    test_box.run("stop", &[]).ok();
    await_stderr(&on, "is stopped: waiting for it");
    test_box.run("start", &["--wait"]).ok();
    // An engine that freezes a container while a process is being started in it may not be able to thaw it.
    await_stderr(&on, "is running");
    test_box.run("pause", &[]).ok();
    test_box.run("unpause", &[]).ok();
    let old = test_box.pid("web");
    test_box
        .docker_exec("for d in /proc/[0-9]*; do if tr '\\0' ' ' < $d/cmdline | grep -q \"^agentbox-ctl daemon\"; then kill -9 ${d#/proc/}; fi; done")
        .ok();
    test_box.wait_unit("web", "a new web", |unit| {
        unit["state"] == "running" && unit["pid"].as_u64() != Some(old)
    });
    test_box.run("restart", &["worker"]).ok();
    test_box.wait_state("worker", "running");
    let states = [
        "waiting", "running", "stopping", "stopped", "done", "crashed", "backoff",
    ];
    let mut expected = events(&test_box, &["--since", &last.to_string()]);
    expected.retain(|event| states.iter().any(|state| event["to"] == *state));
    let expected = numbers(&expected);
    assert!(expected.len() > 8, "{expected:?}");
    let seen = lines(&project, "seen", expected.len());
    let seen: Vec<u64> = seen
        .iter()
        .map(|line| line.split(' ').next().expect("a word").parse().expect("a number"))
        .collect();
    assert_eq!(seen, expected);
    test_box.run("destroy", &["-f", "--discard"]).ok();
    let ended = on.finish(LIMIT).expect_code(3);
    ended.complains(&["is gone", "hint: "]);
}

#[test]
fn a_command_that_fails_or_is_missing_is_told_and_once_passes_its_code_on() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let missing = follow(&test_box, &["web:crashed"], &["no-such-command"]);
    let failing = follow(
        &test_box,
        &["web:crashed"],
        &["sh", "-c", "echo x >> runs; exit 5"],
    );
    let once = follow(&test_box, &["--once", "web:crashed"], &["sh", "-c", "exit 7"]);
    kill(&test_box, "web");
    once.finish(LIMIT).expect_code(7);
    await_stderr(&missing, "error: cannot run `no-such-command` at web:backoff");
    await_stderr(&failing, "warning: `sh` at web:backoff: exit status: 5");
    let old = lines(&project, "runs", 1);
    assert_eq!(old.len(), 1);
    test_box.wait_state("web", "running");
    kill(&test_box, "web");
    await_stderr(&missing, "warning: cannot run `no-such-command`");
    lines(&project, "runs", 2);
    for running in [missing, failing] {
        running.signal(Signal::SIGTERM);
        running.finish(LIMIT).expect_code(130);
    }
}

#[test]
fn a_stopped_box_is_followed_from_its_next_start() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    test_box.run("stop", &[]).ok();
    let last = *numbers(&events(&test_box, &[])).last().expect("events");
    let on = follow(&test_box, &["--once", "build:done"], &RECORD);
    await_stderr(&on, "is stopped: waiting for it");
    test_box.run("start", &["--wait"]).ok();
    on.finish(LIMIT).ok().complains(&["is running"]);
    let seen = lines(&project, "seen", 1);
    let number: u64 = seen[0]
        .split(' ')
        .next()
        .expect("a word")
        .parse()
        .expect("a number");
    assert!(number > last && seen.len() == 1, "{seen:?} after {last}");
}

#[test]
fn a_signal_ends_the_command_too() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let script = "trap 'echo told >> told; exit' TERM; echo $$ >> pid; sleep 1000 & wait";
    let on = follow(&test_box, &["web:crashed"], &["sh", "-c", script]);
    kill(&test_box, "web");
    lines(&project, "pid", 1);
    on.signal(Signal::SIGTERM);
    on.finish(LIMIT).expect_code(130);
    assert_eq!(lines(&project, "told", 1), ["told"]);
}

#[test]
fn what_is_no_event_no_unit_or_no_command_is_refused() {
    let project = Project::new(YAML);
    for (words, texts) in [
        (
            &["on", "web:dead", "--", "true"][..],
            &["no state `dead`", "crashed", "skipped"][..],
        ),
        (&["on", "web", "--", "true"], &["no event to wait for"]),
        (&["on", "web:ready", "x", "--", "true"], &["UNIT:STATE"]),
        (&["on", "web:ready"], &["COMMAND"]),
        (
            &["events", "--kind", "unit"],
            &["service-state", "task-state", "box-state", "gap"],
        ),
        (&["events", "--since", "soon"], &["sequence number"]),
    ] {
        project.run(words).expect_code(2).complains(texts);
    }
    project
        .run(&["on", "no-such-box", "web:ready", "--", "true"])
        .expect_code(3)
        .complains(&["error: ", "hint: "]);
    let test_box = project.create(&["--wait"]);
    test_box
        .run("on", &["wbe:ready", "--", "true"])
        .expect_code(3)
        .complains(&["no unit `wbe`", "web"]);
    for _ in ["running", "stopped"] {
        test_box
            .run("events", &["--unit", "wbe"])
            .expect_code(3)
            .complains(&["no unit `wbe`", "web"]);
        test_box.run("stop", &[]).ok();
    }
}

#[test]
fn events_are_filtered_by_number_unit_and_kind_whether_or_not_the_box_runs() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    for running in [true, false] {
        let all = events(&test_box, &[]);
        let middle = numbers(&all)[all.len() / 2];
        let expect = |arguments: &[&str], wanted: &dyn Fn(&Value) -> bool| {
            let expected: Vec<Value> = all.iter().filter(|event| wanted(event)).cloned().collect();
            assert!(
                !expected.is_empty() && expected.len() < all.len(),
                "{arguments:?}"
            );
            assert_eq!(
                events(&test_box, arguments),
                expected,
                "{arguments:?}, running: {running}"
            );
        };
        let since = middle.to_string();
        let later = |event: &Value| event["seq"].as_u64() > Some(middle);
        expect(&["--since", &since], &later);
        expect(&["--unit", "web"], &|event| event["unit"] == "web");
        expect(&["--unit", "web", "--unit", "build"], &|event| {
            event["unit"] != "worker"
        });
        expect(&["--kind", "task-state"], &|event| event["kind"] == "task-state");
        expect(
            &["--since", &since, "--unit", "web", "--kind", "service-state"],
            &|event| later(event) && event["unit"] == "web",
        );
        let last = numbers(&all).last().expect("events").to_string();
        assert_eq!(events(&test_box, &["--since", &last]), Vec::<Value>::new());
        test_box.run("stop", &[]).ok();
    }
}
