//! Service specs and setup scripts in a box: what is attached runs as units, in order, and stays private.

use std::time::Duration;

use agentbox_tests::{Project, TestBox, engine, images, wait_for, wait_until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// A service spec as it lies in a box; `fields` are those that are not the default.
fn spec(name: &str, exec_start: &str, fields: Value) -> Value {
    let mut spec = json!({
        "origin": {"host": "a-host", "home": "/home/me"},
        "id": format!("svc_{name}"), "name": name, "exec_start": exec_start, "auto_enable": true,
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
    });
    for (key, value) in fields.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    spec
}

fn script(name: &str, content: &str, run_on: &str) -> Value {
    json!({
        "origin": {"host": "a-host", "home": "/home/me"},
        "id": format!("ss_{name}"), "name": name, "content": content, "run_on": run_on,
        "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
    })
}

/// Writes what is attached to a box.
#[track_caller]
fn attach(project: &Project, test_box: &TestBox<'_>, attached: &Value) {
    project.file("attached.json", attached.to_string());
    let from = project.directory().join("attached.json");
    let to = format!("{}:/var/lib/agentbox/private/attached.json", test_box.container());
    engine::docker(&["cp", &from.to_string_lossy(), &to]).ok();
    std::fs::remove_file(from).expect("it was written just now");
}

/// Starts a box anew with this attached.
#[track_caller]
fn start_with(project: &Project, test_box: &TestBox<'_>, attached: &Value) {
    test_box.run("stop", &[]).ok();
    attach(project, test_box, attached);
    test_box.run("start", &[]).ok();
}

#[test]
fn scripts_run_in_order_and_everything_else_comes_after() {
    let project = Project::new("tasks: {mine: {command: echo mine >> /home/developer/order}}\n");
    let test_box = project.create(&[]);
    test_box.wait_state("mine", "done");
    test_box.exec("rm /home/developer/order").ok();
    // The box's own file: a new box is not made where the spec is not attached.
    test_box
        .exec(
            "cat >> /workspace/agentbox.yaml <<'.'\n\
             services: {web: {command: exec sleep 1000, needs: [rigbox-svc-api]}}\n.",
        )
        .ok();
    let attached = json!({
        "serviceSpecs": [
            spec("api", "bash -c 'echo api $0 $$PWD $$A $$B $$C >> %h/order; exec sleep 1000' %n", json!({
                "env_vars": {"A": "spec", "PORT": "80"}, "environment_file": "/home/developer/env",
            })),
            spec("worker", "/bin/sleep $TIME", json!({"auto_enable": false, "env_vars": {"TIME": "1000"}})),
        ],
        "setupScripts": [
            script("one", "#!/bin/bash -e\r\necho one $0 $PWD $(id -un) >> order\r\nprintf 'A=file\\nB=\"f i\"\\n' > env\r\n", "first_boot"),
            script("two", "echo two ${BASH_VERSION:0:1} >> order\n", "every_start"),
            script("three", "#!/usr/bin/env python3\nopen('order', 'a').write('three\\n')\n", "first_boot"),
        ],
    });
    start_with(&project, &test_box, &attached);
    test_box.run("wait", &["--timeout", "60s"]).ok();
    let order = test_box.exec("cat /home/developer/order").ok().stdout;
    let lines: Vec<&str> = order.lines().collect();
    assert_eq!(
        lines[0],
        "one /dev/shm/agentbox/setup-one /home/developer developer"
    );
    assert_eq!(lines[1..3], ["two 5", "three"]);
    assert!(lines[3..].contains(&"mine"), "{order}");
    assert!(
        lines[3..].contains(&"api rigbox-svc-api.service /home/developer spec f i"),
        "{order}"
    );
    let status = test_box.status_json();
    assert_eq!(test_box.unit("web")["state"], "running", "{status}");
    assert_eq!(test_box.unit("rigbox-svc-worker")["state"], "stopped", "{status}");
    assert_eq!(test_box.docker_exec("ls -A /dev/shm/agentbox").ok().stdout, "");

    test_box.run("start", &["rigbox-svc-worker"]).ok();
    assert_eq!(test_box.processes_matching("/bin/sleep 1000").len(), 1);
    let pid = test_box.pid("rigbox-svc-api");
    test_box.run("reload", &[]).ok();
    assert_eq!(
        test_box.pid("rigbox-svc-api"),
        pid,
        "a reload leaves what is attached alone"
    );

    // The next start passes over what is done, whatever the script says by now.
    let mut edited = attached;
    edited["setupScripts"][0]["content"] = json!("echo edited >> order");
    start_with(&project, &test_box, &edited);
    test_box.run("wait", &["--timeout", "60s"]).ok();
    let order = test_box
        .exec("tail -n +4 /home/developer/order | grep -c 'two\\|one\\|three\\|edited'")
        .ok();
    assert_eq!(order.stdout.trim(), "1", "two alone runs at every start");
    assert_eq!(test_box.unit("setup-one")["reason"], "already done");
    test_box.run("run-task", &["setup-one", "--force"]).ok();
    test_box.exec("grep -q edited /home/developer/order").ok();
    test_box.exec("systemctl start setup-one").ok();
    let runs = test_box.exec("grep -c edited /home/developer/order").ok();
    assert_eq!(runs.stdout.trim(), "2");
}

#[test]
fn a_failed_script_holds_everything_back_until_it_succeeds() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&["--wait"]);
    let attached = json!({
        "serviceSpecs": [spec("api", "sleep 1000", json!({}))],
        "setupScripts": [
            script("one", "test -e go || { echo no go >&2; exit 3; }", "first_boot"),
            script("two", "true", "first_boot"),
        ],
    });
    start_with(&project, &test_box, &attached);
    let failed = test_box.wait_state("setup-one", "failed");
    assert_eq!(failed["exitCode"], 3);
    test_box.wait_state("setup-two", "skipped");
    for service in ["web", "rigbox-svc-api"] {
        let waiting = test_box.wait_state(service, "waiting");
        assert_eq!(waiting["blockedOn"], json!(["setup-two"]));
    }
    test_box
        .run("wait", &["--timeout", "60s"])
        .expect_code(1)
        .complains(&["setup-one"]);
    test_box.exec("touch /home/developer/go").ok();
    test_box.run("run-task", &["setup-one"]).ok();
    test_box.run("wait", &["--timeout", "60s"]).ok();

    // The supervisor comes back from a crash to the same units, and runs no script again.
    test_box.exec("rm /home/developer/go").ok();
    attach(
        &project,
        &test_box,
        &json!({"serviceSpecs": [spec("later", "sleep 1", json!({}))]}),
    );
    let pid = test_box.pid("rigbox-svc-api");
    test_box.docker_exec("pkill -9 -f '^agentbox-ctl daemon'").ok();
    // For a moment nobody answers.
    wait_for("the service is there again", LIMIT, || {
        let status = test_box.run("status", &["--json"]);
        let unit = (status.code == 0)
            .then(|| agentbox_tests::test_box::find_unit(&status.json(), "rigbox-svc-api"))
            .flatten();
        match unit {
            Some(unit) if unit["state"] == "running" && unit["pid"].as_u64() != Some(pid) => Ok(()),
            _ => Err(status.to_string()),
        }
    });
    assert_eq!(test_box.unit("setup-one")["state"], "done");
}

#[test]
fn endings_of_services_follow_their_policy_and_a_dash_forgives() {
    let project = Project::new("services: {}\n");
    let test_box = project.create(&[]);
    let attached = json!({"serviceSpecs": [
        spec("fails", "sh -c 'exit 4'", json!({"restart_policy": "no"})),
        spec("forgiven", "-sh -c 'exit 4'", json!({})),
        spec("again", "sh -c 'exit 4'", json!({})),
        spec("missing", "/no/such/program", json!({"restart_policy": "no"})),
        spec("optional", "sleep 1000", json!({"environment_file": "-/no/file"})),
        spec("unreadable", "sleep 1000", json!({"environment_file": "-/etc"})),
        spec("required", "sleep 1000", json!({"environment_file": "/no/file", "restart_policy": "no"})),
    ]});
    start_with(&project, &test_box, &attached);
    test_box
        .exec(
            "echo 'services: {web: {command: exec sleep 1000, needs: [rigbox-svc-none]}}' > /workspace/agentbox.yaml",
        )
        .ok();
    test_box.run("reload", &[]).ok();
    assert_eq!(test_box.wait_state("rigbox-svc-fails", "crashed")["exitCode"], 4);
    assert_eq!(
        test_box.wait_state("rigbox-svc-forgiven", "stopped")["exitCode"],
        4
    );
    test_box.wait_unit("rigbox-svc-again", "is started again", |unit| {
        unit["restarts"].as_u64() > Some(0)
    });
    let missing = test_box.wait_state("rigbox-svc-missing", "crashed");
    assert!(
        missing["reason"].to_string().contains("/no/such/program"),
        "{missing}"
    );
    test_box.wait_state("rigbox-svc-optional", "running");
    test_box.wait_state("rigbox-svc-unreadable", "running");
    let required = test_box.wait_state("rigbox-svc-required", "crashed");
    assert!(
        required["reason"].to_string().contains("/no/file does not exist"),
        "{required}"
    );
    // What is needed and not attached is told, and not waited for.
    assert_eq!(
        test_box.wait_state("web", "waiting")["blockedOn"],
        json!(["rigbox-svc-none"])
    );
    test_box
        .run("status", &[])
        .ok()
        .stdout
        .contains("rigbox-svc-none, which is not attached")
        .then_some(())
        .expect("status says why it waits");
    test_box
        .run("wait", &["--unit", "web", "--timeout", "60s"])
        .expect_code(1)
        .complains(&["rigbox-svc-none", "agentbox spec attach"]);
}

#[test]
fn without_a_home_they_run_at_the_root() {
    let project = Project::new("services: {}\n");
    let test_box = project.create_from(&images::busybox(), &[]);
    let attached = json!({
        "serviceSpecs": [spec("api", "/bin/sh -c 'exec busybox sleep 1000'", json!({}))],
        "setupScripts": [script("where", "busybox pwd\n", "first_boot")],
    });
    start_with(&project, &test_box, &attached);
    test_box.run("wait", &["--timeout", "60s"]).ok();
    assert_eq!(test_box.run("logs", &["setup-where"]).ok().stdout, "/\n");
    assert_eq!(test_box.unit("rigbox-svc-api")["state"], "running");
}

#[test]
fn damage_leaves_the_units_of_the_project_alone() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&[]);
    start_with(&project, &test_box, &json!("no attachments"));
    test_box.wait_state("web", "running");
    let shown = test_box.run("status", &[]).ok();
    assert!(shown.stdout.contains("attached.json"), "{shown}");
}

#[test]
fn what_is_attached_is_in_no_checkpoint_and_no_configuration() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&[]);
    // Put together there, so that only what is attached has them as a whole.
    let attached = json!({
        "serviceSpecs": [spec("api", "sleep 1000", json!({"env_vars": {"TOKEN": "CANARY-spec"}}))],
        "setupScripts": [
            script("done", "#!/bin/sh\n# CANARY-script\necho ran >> ran\n", "first_boot"),
            script("runs", "# CANARY-running\ntouch running; while test ! -e go; do sleep 0.1; done\n", "every_start"),
        ],
    });
    start_with(&project, &test_box, &attached);
    wait_until("the second script runs", LIMIT, || {
        test_box.exec("test -e /home/developer/running").code == 0
    });
    let modes = test_box
        .docker_exec("stat -c '%a %U' /dev/shm/agentbox/setup-runs")
        .ok()
        .stdout;
    assert_eq!(modes.trim(), "400 developer");
    project
        .run(&["checkpoint", "create", test_box.name(), "--name", "canary"])
        .ok();
    let images = project.images();
    let [image] = images.as_slice() else {
        panic!("one image: {images:?}")
    };
    for told in [
        engine::docker(&["inspect", &test_box.container()]),
        engine::docker(&["inspect", image]),
    ] {
        assert!(!told.ok().stdout.contains("CANARY-"));
    }
    let look = "grep -rlE 'CANARY-(spec|script|running)' / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev || true; \
                ls /var/lib/agentbox/run-once /dev/shm";
    let found = engine::docker(&[
        "run",
        "--rm",
        "--user",
        "0",
        "--entrypoint",
        "sh",
        image,
        "-c",
        look,
    ])
    .ok();
    assert_eq!(
        found.stdout, "/dev/shm:\n\n/var/lib/agentbox/run-once:\nsetup-ss_done\n",
        "{found}"
    );

    // A box that starts from it has the first script behind it, unless it is told otherwise.
    for (name, rerun, runs) in [("second", false, "1"), ("third", true, "2")] {
        let name = format!("{}-{name}", project.name());
        project
            .run(&["create", "-y", "-n", &name, "--from", "canary"])
            .ok();
        let other = TestBox::new(&project, &name);
        let mut attached = attached.clone();
        attached["rerunSetup"] = json!(rerun);
        attached["setupScripts"]
            .as_array_mut()
            .expect("a list")
            .truncate(1);
        start_with(&project, &other, &attached);
        other.run("wait", &["--timeout", "60s"]).ok();
        other.run("stop", &[]).ok();
        other.run("start", &[]).ok();
        other.run("wait", &["--timeout", "60s"]).ok();
        assert_eq!(
            other.exec("wc -l < /home/developer/ran").ok().stdout.trim(),
            runs,
            "{name}"
        );
    }
}
