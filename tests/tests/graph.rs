//! The graph of services and tasks: order, parallel starts, the status table, failures that travel along needs.

use std::time::Duration;

use agentbox_tests::Project;

/// The graph of the guide, its commands replaced by ones that need no network.
const GUIDE: &str = r#"
tasks:
  install:
    command: sleep 0.3; touch installed
  migrate:
    command: test -e installed && sleep 0.3 && touch migrated
    needs: [install]
services:
  db:
    command: exec python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 5432)); [s.accept()[0].close() for _ in iter(int, 1)]'
    ready_when:
      port: 5432
  web:
    command: test -e migrated && touch health && exec python3 -m http.server 3000 --bind 127.0.0.1
    needs: [migrate, db]
    ready_when:
      http: http://127.0.0.1:3000/health
  worker:
    command: exec sleep 1000
"#;

#[test]
fn the_guides_graph_comes_up_in_order_and_shows_the_contracts_table() {
    let project = Project::new(GUIDE);
    let test_box = project.create(&["--wait"]);
    let status = test_box.status_json();
    let unit = |name: &str| agentbox_tests::test_box::find_unit(&status, name).expect("the unit is there");
    assert_eq!(unit("web")["state"], "ready");
    assert_eq!(unit("db")["state"], "ready");
    assert_eq!(unit("worker")["state"], "running");
    let time = |name: &str, key: &str| unit(name)[key].as_str().unwrap_or_default().to_owned();
    // RFC 3339 with milliseconds, in one zone, sorts as text.
    assert!(
        time("install", "finishedAt") <= time("migrate", "startedAt"),
        "{status}"
    );
    assert!(
        time("migrate", "finishedAt") <= time("web", "startedAt"),
        "{status}"
    );
    assert!(time("db", "readyAt") <= time("web", "startedAt"), "{status}");
    // Independent units start side by side.
    assert!(
        time("db", "startedAt") < time("install", "finishedAt"),
        "{status}"
    );
    assert_eq!(status["box"]["state"], "running");
    assert_eq!(status["box"]["name"], test_box.name());
    assert_eq!(status["errors"], serde_json::json!([]));
    assert_eq!(unit("web")["nextRetryAt"], serde_json::Value::Null);

    let table = test_box.run("status", &[]).ok().stdout;
    let pid = |name: &str| format!("{:<6}", unit(name)["pid"]);
    let width = unit("web")["pid"].to_string().len().max(3);
    let cell = |text: &str| format!("{:<width$}", text.trim());
    let expected = format!(
        "SERVICE  STATE    {}  RESTARTS\ndb       ready    {}  0\nweb      ready    {}  0\nworker   running  {}  0\n\n\
         TASK     STATE\ninstall  done\nmigrate  done\n",
        cell("PID"),
        cell(&pid("db")),
        cell(&pid("web")),
        cell(&pid("worker")),
    );
    assert_eq!(table, expected);
}

#[test]
fn a_blocked_unit_says_what_it_waits_for() {
    let project = Project::new(
        "tasks: {install: {command: 'while ! test -e /tmp/go; do sleep 0.05; done'}}\n\
         services:\n  db: {command: sleep 1000, ready_when: {port: 5432}}\n  web: {command: sleep 1000, needs: [install, db]}\n",
    );
    let test_box = project.create(&[]);
    let web = test_box.wait_state("web", "waiting");
    assert_eq!(web["blockedOn"], serde_json::json!(["install", "db"]));
    let table = test_box.run("status", &[]).ok();
    assert!(table.stdout.contains("waiting (needs install, db)"), "{table}");
    test_box.exec("touch /tmp/go").ok();
    test_box.wait_unit("web", "web to wait for db alone", |unit| {
        unit["blockedOn"] == serde_json::json!(["db"])
    });
}

#[test]
fn a_failed_task_skips_the_tasks_behind_it_and_a_later_success_lets_all_go_on() {
    let project = Project::new(
        "tasks:\n  install: {command: test -e /tmp/good}\n  migrate: {command: 'true', needs: [install]}\n\
         services:\n  web: {command: sleep 1000, needs: [migrate]}\n",
    );
    let test_box = project.create(&[]);
    assert_eq!(test_box.wait_state("install", "failed")["exitCode"], 1);
    test_box.wait_state("migrate", "skipped");
    let web = test_box.wait_state("web", "waiting");
    assert_eq!(web["blockedOn"], serde_json::json!(["migrate"]));

    // What waits for it fails at once and names the unit; nothing sits out its time.
    let waited = test_box.run("wait", &["--timeout", "60s"]).expect_code(1);
    assert!(waited.elapsed < Duration::from_secs(20), "{waited}");
    waited.complains(&["install", "hint: "]);

    test_box.run("run-task", &["install"]).expect_code(1);
    test_box.exec("touch /tmp/good").ok();
    test_box.run("run-task", &["install"]).ok();
    test_box.wait_state("migrate", "done");
    test_box.wait_state("web", "running");
    test_box.run("wait", &[]).ok();
}

#[test]
fn wait_tells_an_unknown_unit_from_a_failure_and_from_a_time_out() {
    let project = Project::new(
        "services:\n  slow: {command: sleep 1000, ready_when: {port: 9999}}\n  \
         flaky: {command: exit 7, backoff: {initial_ms: 20000}}\n  once: {command: exit 9, restart: never}\n  \
         fine: {command: sleep 1000}\n",
    );
    let test_box = project.create(&[]);
    test_box
        .run("wait", &["--unit", "nothere"])
        .expect_code(3)
        .complains(&["nothere"]);
    test_box.run("wait", &["--unit", "fine"]).ok();
    let crashed = test_box
        .run("wait", &["--unit", "once"])
        .expect_code(1)
        .complains(&["once", "9"]);
    assert!(crashed.elapsed < Duration::from_secs(20), "{crashed}");
    test_box
        .run("wait", &["--unit", "slow", "--timeout", "1s"])
        .expect_code(124)
        .complains(&["slow"]);
    test_box
        .run("wait", &["--unit", "flaky", "--timeout", "1s"])
        .expect_code(124)
        .complains(&["flaky", "7"]);
}

#[test]
fn a_service_that_is_not_started_by_itself_is_started_by_who_needs_it() {
    let project = Project::new(
        "services:\n  cache: {command: sleep 1000, autostart: false}\n  other: {command: sleep 1000, autostart: false}\n  \
         web: {command: sleep 1000, needs: [cache]}\n",
    );
    let test_box = project.create(&["--wait"]);
    assert_eq!(test_box.unit("cache")["state"], "running");
    assert_eq!(test_box.unit("other")["state"], "stopped");
    test_box.run("start", &["other"]).ok();
    test_box.wait_state("other", "running");
    test_box.run("stop", &["cache"]).ok();
    assert_eq!(test_box.unit("cache")["state"], "stopped");
    assert_eq!(
        test_box.unit("web")["state"],
        "running",
        "a dependent is left alone"
    );
}
