//! The table of box states: what each command does to a running, paused, stopped or vanished box.

use std::time::Duration;

use agentbox_tests::{Project, engine};

const YAML: &str = "tasks: {count: {command: echo x >> /workspace/runs}}\nservices: {web: {command: exec sleep 1000, needs: [count]}}\n";

/// Commands that need a running box, with arguments that would work on one.
const NEED_RUNNING: [(&str, &[&str]); 7] = [
    ("exec", &["--", "true"]),
    ("wait", &["--timeout", "20s"]),
    ("reload", &[]),
    ("run-task", &["count"]),
    ("url", &[]),
    ("start", &["web"]),
    ("restart", &["web"]),
];

#[test]
fn a_running_box() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let pid = test_box.pid("web");
    for (verb, state) in [("start", "running"), ("unpause", "running")] {
        test_box.run(verb, &[]).ok();
        assert_eq!(test_box.status_json()["box"]["state"], state);
        assert_eq!(
            test_box.pid("web"),
            pid,
            "{verb} on a running box has nothing to do"
        );
    }
    test_box.run("stop", &["web"]).ok();
    test_box.run("stop", &["web"]).ok();
    test_box.run("start", &["web"]).ok();
    test_box.run("start", &["web"]).ok();
    // Without a terminal and without -f, destroying is refused.
    test_box.run("destroy", &[]).expect_code(2).complains(&["-f"]);
    let listed = project.run(&["list", "--json"]).ok().json();
    assert_eq!(listed[0]["name"], test_box.name());
    assert_eq!(listed[0]["state"], "running");
    test_box.run("destroy", &["-f"]).ok();
    assert_eq!(
        project.run(&["list", "--json"]).ok().json(),
        serde_json::json!([])
    );
}

#[test]
fn a_paused_box_keeps_every_process_and_says_what_to_do() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let pid = test_box.pid("web");
    test_box.run("pause", &[]).ok();
    test_box.run("pause", &[]).ok();
    let status = test_box.status_json();
    assert_eq!(status["box"]["state"], "paused");
    assert_eq!(
        status["services"][0]["pid"].as_u64(),
        Some(pid),
        "units as last recorded: {status}"
    );
    assert!(
        test_box
            .run("status", &[])
            .ok()
            .stdout
            .lines()
            .next()
            .is_some_and(|line| line.contains("paused"))
    );
    for verb in ["logs", "events", "timeline"] {
        test_box.run(verb, &[]).ok();
    }
    for (verb, arguments) in NEED_RUNNING {
        if verb == "start" || verb == "restart" {
            continue;
        }
        test_box
            .run(verb, arguments)
            .expect_code(1)
            .complains(&["paused", "hint: ", "unpause"]);
    }
    test_box.run("unpause", &[]).ok();
    assert_eq!(test_box.pid("web"), pid);
    test_box.run("pause", &[]).ok();
    let started = test_box.run("start", &[]).ok();
    assert!(
        !started.stderr.is_empty(),
        "start of a paused box says that it thaws"
    );
    assert_eq!(test_box.pid("web"), pid);
    test_box.run("pause", &[]).ok();
    test_box.run("stop", &[]).ok();
    assert_eq!(test_box.status_json()["box"]["state"], "stopped");
}

#[test]
fn a_stopped_box_runs_everything_again_when_started() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    test_box.run("stop", &[]).ok();
    test_box.run("stop", &[]).ok();
    let status = test_box.status_json();
    assert_eq!(status["box"]["state"], "stopped");
    assert_eq!(
        status["services"][0]["name"], "web",
        "units as last recorded: {status}"
    );
    for verb in ["logs", "events", "timeline"] {
        test_box.run(verb, &[]).ok();
    }
    for verb in ["pause", "unpause"] {
        test_box
            .run(verb, &[])
            .expect_code(1)
            .complains(&["hint: ", "start"]);
    }
    for (verb, arguments) in NEED_RUNNING {
        test_box
            .run(verb, arguments)
            .expect_code(1)
            .complains(&["stopped", "hint: ", "start"]);
    }
    let started = test_box.run("start", &["--wait"]).ok();
    assert_eq!(started.code, 0);
    assert_eq!(
        test_box.exec("cat /workspace/runs").ok().stdout,
        "x\nx\n",
        "the task ran again"
    );
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(test_box.exec("cat /workspace/runs").ok().stdout, "x\nx\nx\n");
    test_box.run("stop", &[]).ok();
    test_box.run("rm", &["-f"]).ok();
}

#[test]
fn a_box_that_is_not_there() {
    let project = Project::new(YAML);
    for verb in [
        "status", "logs", "events", "timeline", "start", "stop", "restart", "pause", "unpause", "wait",
        "reload", "url", "destroy",
    ] {
        project
            .run(&[verb, "no-such-box"])
            .expect_code(3)
            .complains(&["error: ", "hint: "]);
    }
    project.run(&["exec", "no-such-box", "true"]).expect_code(3);
    project.run(&["run-task", "no-such-box", "count"]).expect_code(3);
    project.run(&["destroy", "-f", "no-such-box"]).ok();
    // Without a name, and without a box in the project.
    project.run(&["status"]).expect_code(3);
}

#[test]
fn a_box_is_found_by_name_index_and_id_and_two_are_ambiguous() {
    let project = Project::new(YAML);
    let first = project.create(&[]);
    let id = first.status_json()["box"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for word in [first.name(), "1", &id[..4], &id] {
        let status = project.run(&["status", word, "--json"]).ok().json();
        assert_eq!(status["box"]["name"], first.name(), "by {word}");
    }
    project.run(&["status", &id[..3]]).expect_code(3);
    project.run(&["status"]).ok();
    let logs = project.run(&["logs", "web"]).ok();
    assert_eq!(logs.code, 0, "the project's only box is meant");
    let second = project.create(&[]);
    project
        .run(&["status"])
        .expect_code(3)
        .complains(&[first.name(), second.name()]);
    project
        .run(&["create", "-n", first.name()])
        .expect_code(1)
        .complains(&["hint: "]);
}

#[test]
fn a_container_that_vanished_is_no_box() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    engine::remove(&[test_box.container()]);
    test_box.run("status", &[]).expect_code(3);
    assert_eq!(
        project.run(&["list", "--json"]).ok().json(),
        serde_json::json!([])
    );
}

#[test]
fn a_pause_longer_than_a_probes_time_kills_nothing() {
    let project = Project::new(
        "services:\n  slow: {command: exec sleep 1000, ready_when: {port: 9999, timeout_ms: 3000}}\n",
    );
    let test_box = project.create(&[]);
    let pid = test_box.wait_state("slow", "starting")["pid"].clone();
    test_box.run("pause", &[]).ok();
    // The time itself is what is tested: it passes twice over.
    std::thread::sleep(Duration::from_secs(6));
    test_box.run("unpause", &[]).ok();
    let status = test_box.unit("slow");
    assert_eq!(
        (&status["state"], &status["pid"], &status["restarts"]),
        (&"starting".into(), &pid, &0.into())
    );
    test_box.wait_unit("slow", "the probe's own time to count on", |unit| {
        unit["restarts"] == 1
    });
}
