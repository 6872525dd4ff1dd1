//! `timeline`: how a box came up, as text, JSON, picture and trace.

use agentbox_tests::{Project, TestBox};
use serde_json::Value;

/// A chain of three, of which the service beside it is no part. Each link takes its time.
const CHAIN: &str = r#"
tasks:
  a: {command: sleep 0.5}
  b: {command: sleep 0.7, needs: [a]}
services:
  c:
    command: sleep 0.3; echo up; exec sleep 1000
    needs: [b, beside]
    ready_when: {log_match: up}
  beside: {command: exec sleep 1000}
"#;

fn json(test_box: &TestBox<'_>) -> Value {
    test_box.run("timeline", &["--json"]).ok().json()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn unit<'a>(timeline: &'a Value, name: &str) -> &'a Value {
    let mut units = timeline["units"].as_array().expect("units").iter();
    let found = units.find(|unit| unit["name"] == name);
    found.unwrap_or_else(|| panic!("no unit {name} in {timeline}"))
}

/// Names of the units on the critical path, whose steps must follow on each other.
fn path(timeline: &Value) -> Vec<&str> {
    let steps = timeline["criticalPath"].as_array().expect("a critical path");
    for pair in steps.windows(2) {
        assert_eq!(pair[0]["endMs"], pair[1]["startMs"], "{timeline}");
    }
    steps.iter().filter_map(|step| step["unit"].as_str()).collect()
}

#[test]
fn a_chain_is_the_critical_path_in_every_form() {
    let project = Project::new(CHAIN);
    let test_box = project.create(&["--wait"]);

    let timeline = json(&test_box);
    assert_eq!(timeline["box"]["name"], test_box.name());
    assert_eq!(timeline["settled"], true, "{timeline}");
    assert_eq!(timeline["beginningMissing"], false, "{timeline}");
    assert_eq!(path(&timeline), ["a", "b", "c"], "{timeline}");
    assert_eq!(unit(&timeline, "beside")["critical"], false);
    let c = unit(&timeline, "c");
    assert_eq!(
        c["readyMs"], timeline["untilMs"],
        "the last unit ends the boot: {timeline}"
    );
    assert_eq!(c["spans"][0]["state"], "waiting");
    assert!(
        number(&c["beganMs"]) >= number(&unit(&timeline, "b")["readyMs"]),
        "{timeline}"
    );
    let took = number(&c["readyMs"]) - number(&timeline["unitsFromMs"]);
    assert!(
        (1_500..20_000).contains(&took),
        "0.5, 0.7 and 0.3 s and not much more: {timeline}"
    );

    let text = test_box.run("timeline", &[]).ok().stdout;
    assert!(
        text.contains("\ncritical path: a ") && text.contains(" → b ") && text.contains(" → c "),
        "{text}"
    );
    assert!(text.contains("all ready after "), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour without a terminal: {text:?}");

    let drawn = test_box
        .run("timeline", &["--svg", "boot.svg", "--chrome-trace", "boot.json"])
        .ok();
    assert_eq!(drawn.stdout, "");
    let file = |name: &str| std::fs::read_to_string(project.directory().join(name)).expect("it was written");
    let picture = file("boot.svg");
    let picture = roxmltree::Document::parse(&picture).expect("an SVG is XML");
    let words: Vec<&str> = picture.descendants().filter_map(|node| node.text()).collect();
    assert!(
        ["a", "b", "c", "beside"].iter().all(|unit| words.contains(unit)),
        "{words:?}"
    );
    let trace: Value = serde_json::from_str(&file("boot.json")).expect("a trace is JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let slices = events
        .iter()
        .filter(|event| event["ph"] == "X" && event["tid"] == 0);
    let slices: Vec<&str> = slices.filter_map(|event| event["name"].as_str()).collect();
    assert_eq!(slices, ["a", "b", "c"], "the first thread is the critical path");

    let stdout = test_box.run("timeline", &["--svg", "-"]).ok().stdout;
    assert!(roxmltree::Document::parse(&stdout).is_ok(), "{stdout}");
    test_box
        .run("timeline", &["--svg", "-", "--json"])
        .expect_code(2)
        .complains(&["stdout"]);
    test_box
        .run("timeline", &["--svg", "/nowhere/boot.svg"])
        .expect_code(1)
        .complains(&["/nowhere/boot.svg"]);

    // Without a readable configuration nobody knows who needs whom.
    test_box.exec("echo 'services: [' > agentbox.yaml").ok();
    let blind = test_box
        .run("timeline", &["--json"])
        .ok()
        .complains(&["agentbox.yaml"]);
    assert_eq!(blind.json()["criticalPath"], Value::Null);
    assert_eq!(unit(&blind.json(), "c")["spans"], c["spans"]);
    test_box.exec("echo 'services: {}' > agentbox.yaml").ok();
    assert_eq!(
        json(&test_box)["criticalPath"],
        Value::Null,
        "nobody needs anybody now"
    );
}

#[test]
fn every_state_of_a_box_has_one_and_a_new_start_a_new_one() {
    let project = Project::new(CHAIN);
    let test_box = project.create(&["--wait"]);
    let first = json(&test_box);

    test_box.run("pause", &[]).ok();
    assert_eq!(
        json(&test_box)["units"],
        first["units"],
        "a pause changes nothing"
    );
    test_box.run("unpause", &[]).ok();

    test_box.run("restart", &["c"]).ok();
    test_box.wait_state("c", "ready");
    let later = json(&test_box);
    assert_eq!(
        later["criticalPath"], first["criticalPath"],
        "what comes later is none of the boot"
    );
    assert!(number(&later["laterChanges"]) >= 3, "{later}");

    test_box.run("stop", &[]).ok();
    let stopped = json(&test_box);
    assert_eq!(stopped["criticalPath"], first["criticalPath"]);
    assert_eq!(stopped["box"]["state"], "stopped");

    test_box.run("start", &["--wait"]).ok();
    let second = json(&test_box);
    assert!(
        second["startedAt"].as_str() > first["startedAt"].as_str(),
        "{second}"
    );
    assert_eq!(path(&second), ["a", "b", "c"], "{second}");
    assert_eq!(second["laterChanges"], 0, "{second}");
    project.run(&["timeline", "no-such-box"]).expect_code(3);
}

#[test]
fn failures_restarts_and_what_waits_for_them_read_right() {
    let project = Project::new(
        "tasks:\n  install: {command: exit 4}\n  migrate: {command: 'true', needs: [install]}\n\
         services:\n  web: {command: sleep 1000, needs: [migrate]}\n  \
         flaky: {command: 'test -e /tmp/again && exec sleep 1000; touch /tmp/again; exit 3', backoff: {initial_ms: 100}, ready_when: {log_match: never, timeout_ms: 600000}}\n",
    );
    let test_box = project.create(&[]);
    test_box.wait_state("migrate", "skipped");
    test_box.wait_unit("flaky", "flaky to come again", |unit| {
        unit["restarts"] == 1 && unit["state"] == "starting"
    });
    let timeline = json(&test_box);
    assert_eq!(
        timeline["settled"], false,
        "flaky is still on its way: {timeline}"
    );
    assert_eq!(unit(&timeline, "install")["state"], "failed");
    assert_eq!(unit(&timeline, "install")["reason"], "exited with code 4");
    assert_eq!(unit(&timeline, "migrate")["state"], "skipped");
    assert_eq!(
        unit(&timeline, "web")["blockedOn"],
        serde_json::json!(["migrate"])
    );
    let flaky = unit(&timeline, "flaky");
    assert_eq!(
        (&flaky["restarts"], &flaky["readyMs"]),
        (&Value::from(1), &Value::Null)
    );
    let states: Vec<&Value> = flaky["spans"]
        .as_array()
        .expect("spans")
        .iter()
        .map(|span| &span["state"])
        .collect();
    assert_eq!(states, ["starting", "backoff", "starting"]);
    assert_eq!(flaky["spans"][1]["exitCode"], 3);
    assert_eq!(
        timeline["criticalPath"],
        Value::Null,
        "nothing is ready: {timeline}"
    );
    let text = test_box.run("timeline", &[]).ok().stdout;
    for expected in [
        "not settled after ",
        "install: exited with code 4",
        "web: waits for migrate",
        "flaky: 1 restart",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}

#[test]
fn a_journal_without_its_beginning_and_with_lies_in_it_forges_nothing() {
    let project = Project::new(CHAIN);
    let test_box = project.create(&["--wait"]);
    // Root in the box may write what it likes into the journal, and a frozen supervisor does not repair it.
    let name = r"<x>\n\u001b[2J&c  ready";
    let time = json(&test_box)["startedAt"].to_string();
    let lie = format!(
        r#"{{"seq":99,"time":{time},"box":"x","kind":"service-state","unit":"{name}","from":"pending","to":"ready"}}"#
    );
    let journal = "/var/lib/agentbox/private/events.jsonl";
    test_box
        .docker_exec(&format!(
            "sed -i 1,4d {journal}; printf '%s\\n' '{lie}' '{{' >> {journal}"
        ))
        .ok();
    test_box.run("pause", &[]).ok();
    let timeline = json(&test_box);
    assert_eq!(timeline["beginningMissing"], true, "{timeline}");
    assert_eq!(timeline["criticalPath"], Value::Null, "{timeline}");
    assert!(number(&timeline["fromMs"]) > 0, "{timeline}");
    assert_eq!(unit(&timeline, "<x>\n\u{1b}[2J&c  ready")["state"], "ready");
    let text = test_box.run("timeline", &[]).ok().stdout;
    assert!(
        text.contains("the beginning is missing: events before "),
        "{text}"
    );
    assert!(!text.contains('\u{1b}') && !text.contains("\n&c"), "{text:?}");
    let picture = test_box.run("timeline", &["--svg", "-"]).ok().stdout;
    assert!(roxmltree::Document::parse(&picture).is_ok(), "{picture}");
}
