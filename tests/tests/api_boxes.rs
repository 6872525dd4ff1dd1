//! Boxes by the HTTP API: made without a project, used like others, and never half made.

use std::fs;
use std::process::Command;
use std::time::Duration;

use agentbox_tests::api::Api;
use agentbox_tests::{Project, TestBox, images, process, wait_for, wait_until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_workspace_is_a_box_without_a_project() {
    images::base();
    let project = Project::empty().with_relay();
    let api = Api::enable(&project);
    let name = format!("{}-ws", project.name());
    let spec = json!({"name": "sleeper", "exec_start": "/bin/sleep 1000"});
    let spec = api.expect(201, "POST", "/service-specs", &spec);
    let made = api.expect(
        201,
        "POST",
        "/workspaces",
        &json!({"name": name, "service_spec_ids": ["sleeper"]}),
    );
    assert_eq!(
        (&made["status"], &made["template_id"], &made["project"]),
        (&json!("running"), &json!("tpl_node"), &Value::Null)
    );
    assert_eq!(made["service_spec_ids"], json!([spec["id"]]));
    api.expect(409, "POST", "/workspaces", &json!({"name": name}));
    let path = format!("/workspaces/{name}");
    assert_eq!(api.expect(200, "GET", &path, &Value::Null), made);
    let by_id = format!("/workspaces/{}", made["id"].as_str().expect("text"));
    assert_eq!(api.expect(200, "GET", &by_id, &Value::Null), made);
    let all = api.expect(200, "GET", "/workspaces", &Value::Null);
    assert!(all.as_array().expect("an array").contains(&made));

    // No command falls over it.
    let test_box = TestBox::new(&project, &name);
    assert!(project.run(&["list", "-g"]).ok().stdout.contains(&name));
    assert!(!project.run(&["list"]).ok().stdout.contains(&name));
    assert_eq!(test_box.status_json()["box"]["project"], Value::Null);
    test_box.run("status", &[]).ok();
    assert_eq!(test_box.exec("pwd; ls -A").ok().stdout, "/workspace\n");
    test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["belongs to no project"]);
    test_box.run("diff", &[]).expect_code(1).complains(&["hint: "]);
    test_box.run("logs", &[]).ok();
    test_box
        .run("reload", &["--push"])
        .expect_code(1)
        .complains(&["belongs to no project"]);

    for (verb, status) in [("stop", "stopped"), ("start", "running"), ("restart", "running")] {
        let now = api.expect(200, "POST", &format!("{path}/{verb}"), &Value::Null);
        assert_eq!(now["status"], status, "{verb}");
    }

    let app = api.expect(
        201,
        "POST",
        &format!("{path}/apps"),
        &json!({"name": "web", "port": 3000}),
    );
    api.expect(
        409,
        "POST",
        &format!("{path}/apps"),
        &json!({"name": "web", "port": 3001}),
    );
    api.expect(
        422,
        "POST",
        &format!("{path}/apps"),
        &json!({"name": "-", "port": 0}),
    );
    assert_eq!(
        api.expect(200, "GET", &format!("{path}/apps"), &Value::Null),
        json!([app])
    );
    api.expect(204, "DELETE", &format!("{path}/apps/web"), &Value::Null);
    api.expect(404, "DELETE", &format!("{path}/apps/web"), &Value::Null);

    test_box.exec("echo kept > /workspace/file").ok();
    let snapshot = format!("{}-s", project.name());
    let taken = api.expect(
        201,
        "POST",
        &format!("{path}/snapshots"),
        &json!({"name": snapshot}),
    );
    api.expect(
        409,
        "POST",
        &format!("{path}/snapshots"),
        &json!({"name": snapshot}),
    );
    assert_eq!(
        api.expect(200, "GET", &format!("{path}/snapshots"), &Value::Null),
        json!([taken])
    );
    let copy = format!("{}-copy", project.name());
    let id = taken["id"].as_str().expect("text");
    // The whole of it: a program means what it says.
    api.expect(422, "POST", "/workspaces", &json!({"snapshot_id": id[..12]}));
    let warm = json!({"name": copy, "snapshot_id": taken["id"]});
    api.expect(201, "POST", "/workspaces", &warm);
    assert_eq!(
        TestBox::new(&project, &copy).exec("cat file").ok().stdout,
        "kept\n"
    );
    api.expect(
        409,
        "DELETE",
        &format!("{path}/snapshots/{snapshot}"),
        &Value::Null,
    );
    api.expect(204, "DELETE", &format!("/workspaces/{copy}"), &Value::Null);
    api.expect(
        204,
        "DELETE",
        &format!("{path}/snapshots/{snapshot}"),
        &Value::Null,
    );
    api.expect(
        404,
        "DELETE",
        &format!("{path}/snapshots/{snapshot}"),
        &Value::Null,
    );

    broken_settings_are_no_mistake_of_a_client(&api, &path);

    // Work that is only in the box is saved before it goes.
    api.expect(204, "DELETE", &path, &Value::Null);
    api.expect(404, "GET", &path, &Value::Null);
    let saved = fs::read_dir(project.data_directory().join("agentbox/saved")).expect("it is saved");
    let saved: Vec<_> = saved.map(|entry| entry.expect("a file").file_name()).collect();
    assert!(
        saved.iter().any(|file| file.to_string_lossy().starts_with(&name)),
        "{saved:?}"
    );
    for wrong in [
        json!({"service_spec_ids": ["none"]}),
        json!({"setup_script_ids": ["none"]}),
        json!({"snapshot_id": "none"}),
        json!({"template_id": "tpl_none"}),
        json!({"template_id": "localhost:1/none"}),
        json!({"name": "A B"}),
        json!({"nam": "a"}),
    ] {
        api.expect(422, "POST", "/workspaces", &wrong);
    }
    assert_eq!(project.containers(), [""; 0]);
}

/// What needs none works, and says so.
fn broken_settings_are_no_mistake_of_a_client(api: &Api<'_>, path: &str) {
    let settings = api
        .project
        .state_directory()
        .join("../../../.config/agentbox/config.yaml");
    fs::create_dir_all(settings.parent().expect("a directory")).expect("it can be made");
    let before = fs::read(&settings).ok();
    fs::write(&settings, "api:\n  templates: [1,\n").expect("it can be written");
    assert!(api.expect(200, "GET", "/workspaces", &Value::Null)[0]["image"].is_string());
    for verb in ["stop", "start"] {
        api.expect(200, "POST", &format!("{path}/{verb}"), &Value::Null);
    }
    let failed = api.expect(500, "POST", "/workspaces", &json!({}));
    let message = failed["error"]["message"].as_str().expect("text");
    assert!(message.contains("config.yaml:3"), "{message}");
    match before {
        Some(before) => fs::write(&settings, before).expect("it can be written"),
        None => fs::remove_file(&settings).expect("it can be removed"),
    }
}

#[test]
fn only_a_box_with_an_exposed_service_has_a_url() {
    let project =
        Project::new("services:\n  web: {command: sleep 1000, expose: {port: 3000}}\n").with_relay();
    let api = Api::enable(&project);
    let url = |name: &str| {
        let path = format!("/workspaces/{name}");
        api.expect(200, "GET", &path, &Value::Null)["url"].clone()
    };
    let test_box = project.create(&[]);
    let exposed = url(test_box.name());
    let expected = format!("http://{}.localhost:", test_box.name());
    assert!(
        exposed.as_str().is_some_and(|url| url.starts_with(&expected)),
        "{exposed}"
    );
    test_box.run("stop", &[]).ok();
    assert_eq!(url(test_box.name()), Value::Null);
    let name = format!("{}-plain", project.name());
    api.expect(201, "POST", "/workspaces", &json!({"name": name}));
    assert_eq!(url(&name), Value::Null);
}

#[test]
fn the_command_line_makes_such_boxes_too() {
    let project = Project::new("services: {web: {command: sleep 1000}}\n");
    let name = format!("{}-np", project.name());
    project
        .run(&[
            "create",
            "--no-project",
            "-n",
            &name,
            "--image",
            &images::base(),
            "--wait",
        ])
        .ok();
    let test_box = TestBox::new(&project, &name);
    assert_eq!(test_box.exec("ls -A").ok().stdout, "");
    assert_eq!(test_box.status_json()["services"], json!([]));
    test_box.run("destroy", &["-f"]).ok();
    project
        .run(&["create", "--no-project", "--from-branch", "main"])
        .expect_code(2);
}

#[test]
fn nothing_half_made_stays_when_nobody_waits() {
    images::base();
    let project = Project::empty().with_relay();
    let api = Api::enable(&project);
    let bearer = format!("Authorization: Bearer {}", api.token);
    for round in 0..4_u32 {
        let mut curl = Command::new("curl");
        let patience = format!("0.{}", 15 + 15 * round);
        let body = json!({"name": format!("{}-h{round}", project.name())}).to_string();
        curl.args(["-s", "--max-time", &patience, "-X", "POST", "-H", &bearer]);
        curl.args(["-H", "Content-Type: application/json", "-d", &body]);
        curl.arg(format!("{}/workspaces", api.url));
        let _ = process::run(curl, LIMIT);
    }
    // Whole, or nothing.
    wait_for("no box that is half made", LIMIT, || {
        let containers = project.containers();
        let whole = api.expect(200, "GET", "/workspaces", &Value::Null);
        let whole = whole.as_array().expect("an array");
        let ours = whole.iter().filter(|one| {
            let name = one["name"].as_str().unwrap_or_default();
            name.starts_with(&format!("{}-h", project.name()))
        });
        let ours = ours.count();
        if containers.len() == ours {
            Ok(())
        } else {
            Err(format!("{containers:?}, {ours}"))
        }
    });
    // A relay that ends takes what it makes with it.
    let mut curl = Command::new("curl");
    let body = json!({"name": format!("{}-r", project.name())}).to_string();
    curl.args([
        "-s",
        "-X",
        "POST",
        "-H",
        &bearer,
        "-H",
        "Content-Type: application/json",
        "-d",
        &body,
    ]);
    curl.arg(format!("{}/workspaces", api.url));
    let before = project.containers().len();
    let calling = process::Running::spawn(curl);
    wait_until("a box that is being made", LIMIT, || {
        project.containers().len() > before
    });
    project.run(&["relay", "stop"]).ok();
    let _ = calling.finish(LIMIT);
    let name = format!("{}-r", project.name());
    wait_until("nothing, or a whole box", LIMIT, || {
        let is_whole = project.run(&["list", "-g"]).ok().stdout.contains(&name);
        project.containers().len() == before + usize::from(is_whole)
    });
}
