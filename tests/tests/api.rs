//! The HTTP API: what a program does with it, and what nobody may.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::Duration;

use agentbox_tests::{Project, TestBox, images, process, wait_for, wait_until};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// The API of a project's own relay.
struct Api<'a> {
    project: &'a Project,
    url: String,
    token: String,
}

/// An answer: status and body.
type Answer = (u16, Value);

impl<'a> Api<'a> {
    #[track_caller]
    fn enable(project: &'a Project) -> Self {
        let state = project.run(&["api", "enable", "--json"]).ok().json();
        assert_eq!(state["enabled"], true);
        let text = |field: &str| state[field].as_str().expect("text").to_owned();
        Self {
            project,
            url: text("url"),
            token: text("token"),
        }
    }

    /// Calls curl with these arguments.
    #[track_caller]
    fn curl(&self, method: &str, path: &str, arguments: &[&str]) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "120", "-w", "\n%{http_code}", "-X", method]);
        curl.args(arguments).arg(format!("{}{path}", self.url));
        self.project.hermetic(&mut curl);
        let output = process::run(curl, LIMIT * 3).ok();
        let (body, status) = output.stdout.rsplit_once('\n').expect("a status");
        (
            status.parse().expect("a number"),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        self.curl(method, path, &["-H", &bearer])
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Authorization: Bearer {}", self.token);
        let body = body.to_string();
        let kind = "Content-Type: application/json";
        self.curl(method, path, &["-H", &bearer, "-H", kind, "-d", &body])
    }

    /// Sends it, and wants this status.
    #[track_caller]
    fn expect(&self, status: u16, method: &str, path: &str, body: &Value) -> Value {
        let (got, answer) = if body.is_null() {
            self.ask(method, path)
        } else {
            self.send(method, path, body)
        };
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        answer
    }
}

/// The calls of the guide, in its order. Each is run by a shell; ids of its own stand for those of the guide.
const GUIDE: [(&str, &str, u16); 9] = [
    (
        "svc_abc123",
        r##"curl -X POST https://api.rigbox.dev/api/service-specs \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "api-server",
"exec_start": "node /home/developer/app/server.js",
"env_vars": {
"PORT": "3000",
"NODE_ENV": "production"
},
"restart_policy": "always",
"auto_enable": true
}'"##,
        201,
    ),
    (
        "",
        r##"curl -X POST https://api.rigbox.dev/api/workspaces \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "fullstack-app",
"template_id": "tpl_node",
"service_spec_ids": ["svc_abc123", "svc_def456"]
}'"##,
        201,
    ),
    (
        "",
        r##"curl -s https://api.rigbox.dev/api/service-specs \
-H "Authorization: Bearer $RIGBOX_TOKEN""##,
        200,
    ),
    (
        "",
        r##"curl -X PUT https://api.rigbox.dev/api/service-specs/svc_abc123 \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "api-server",
"exec_start": "node /home/developer/app/server.js",
"env_vars": {
"PORT": "3000",
"NODE_ENV": "production",
"LOG_LEVEL": "debug"
},
"restart_policy": "always",
"auto_enable": true
}'"##,
        200,
    ),
    (
        "",
        r##"curl -X DELETE https://api.rigbox.dev/api/service-specs/svc_abc123 \
-H "Authorization: Bearer $RIGBOX_TOKEN""##,
        204,
    ),
    (
        "ss_install_deps",
        r##"curl -X POST https://api.rigbox.dev/api/setup-scripts \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "install-app-deps",
"content": "#!/bin/bash\nset -e\ncd /home/developer/app\ngit pull origin main\nnpm ci\nnpm run build",
"run_on": "first_boot"
}'"##,
        201,
    ),
    (
        "svc_app_server",
        r##"curl -X POST https://api.rigbox.dev/api/service-specs \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "app-server",
"exec_start": "node /home/developer/app/dist/server.js",
"env_vars": {"PORT": "8080"},
"restart_policy": "always",
"auto_enable": true
}'"##,
        201,
    ),
    (
        "{workspace_id}",
        r##"curl -X POST https://api.rigbox.dev/api/workspaces \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "production-app",
"template_id": "tpl_node",
"setup_script_ids": ["ss_install_deps"],
"service_spec_ids": ["svc_app_server"]
}'"##,
        201,
    ),
    (
        "",
        r##"curl -X POST https://api.rigbox.dev/api/workspaces/{workspace_id}/apps \
-H "Authorization: Bearer $RIGBOX_TOKEN" \
-H "Content-Type: application/json" \
-d '{
"name": "my-web-app",
"port": 3000
}'"##,
        201,
    ),
];

#[test]
fn the_calls_of_the_guide_work_as_they_are() {
    images::base();
    let project = Project::empty().with_relay();
    let api = Api::enable(&project);
    // The guide does not show how this one is made.
    let worker = json!({"name": "worker", "exec_start": "python /home/developer/app/worker.py", "env_vars": {"QUEUE": "default"}});
    let worker = api.expect(201, "POST", "/service-specs", &worker)["id"].clone();
    let mut ids = vec![("svc_def456", worker.as_str().expect("text").to_owned())];
    let mut answers = Vec::new();
    for (word, call, status) in GUIDE {
        let mut call = call.replace("https://api.rigbox.dev/api", &api.url);
        for (word, id) in &ids {
            call = call.replace(word, id);
        }
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{call} -s -w '\\n%{{http_code}}'")]);
        project.hermetic(&mut shell);
        shell.env("RIGBOX_TOKEN", &api.token);
        let output = process::run(shell, LIMIT * 2).ok();
        let (body, got) = output.stdout.rsplit_once('\n').expect("a status");
        assert_eq!(got, status.to_string(), "{call}\n{body}");
        let answer: Value = serde_json::from_str(body).unwrap_or(Value::Null);
        if !word.is_empty() {
            ids.push((word, answer["id"].as_str().expect("an id").to_owned()));
        }
        answers.push(answer);
    }
    let names: Vec<_> = answers[2]
        .as_array()
        .expect("a bare array")
        .iter()
        .map(|spec| spec["name"].as_str().expect("text"))
        .collect();
    assert_eq!(names, ["api-server", "worker"]);
    assert_eq!(answers[3]["env_vars"]["LOG_LEVEL"], "debug");
    assert_eq!(answers[1]["service_spec_ids"].as_array().expect("ids").len(), 2);
    assert_eq!(answers[7]["setup_script_ids"], json!([ids[2].1]));
    let url = answers[8]["url"].as_str().expect("text");
    assert!(
        url.starts_with("http://my-web-app.production-app.localhost:"),
        "{url}"
    );
    for name in ["fullstack-app", "production-app"] {
        api.expect(204, "DELETE", &format!("/workspaces/{name}"), &Value::Null);
    }
    assert_eq!(project.containers(), [""; 0]);
}

#[test]
fn it_is_off_until_it_is_enabled_and_a_token_counts_as_long_as_it_is_the_one() {
    let project = Project::empty().with_relay();
    project
        .run(&["config", "set", "--global", "relay.idle_timeout", "1s"])
        .ok();
    let output = project.run(&["api", "token"]).expect_code(1);
    output.complains(&["hint: agentbox api enable"]);
    assert_eq!(project.run(&["api", "status"]).ok().stdout, "off\n");
    let mut api = Api::enable(&project);
    assert_eq!(project.run(&["api", "enable"]).ok().stdout.trim(), api.token);
    let file = project.state_directory().join("api-token.json");
    assert_eq!(fs::metadata(&file).expect("it is there").mode() & 0o777, 0o600);
    assert_eq!(api.ask("GET", "/service-specs"), (200, json!([])));
    let old = api.token.clone();
    api.token = project.run(&["api", "token"]).ok().stdout.trim().to_owned();
    assert_eq!(api.ask("GET", "/service-specs").0, 200);
    let former = Api { token: old, ..api };
    assert_eq!(former.ask("GET", "/service-specs").0, 401);
    assert_eq!(former.ask("GET", "/nothing").0, 401);
    assert_eq!(former.curl("GET", "/openapi.json", &[]).1["openapi"], "3.1.0");
    // No box runs, and a relay that is as patient but serves no API comes and goes meanwhile.
    let without = Project::empty().with_relay();
    without
        .run(&["config", "set", "--global", "relay.idle_timeout", "1s"])
        .ok();
    without.run(&["list"]).ok();
    wait_until("a relay without an API", LIMIT, || {
        without.state_directory().join("relay.log").exists()
    });
    wait_until("a relay without an API that ends by itself", LIMIT, || {
        without.run(&["relay", "status"]).code == 1
    });
    assert_eq!(former.curl("GET", "/openapi.json", &[]).0, 200);
    project.run(&["api", "disable"]).ok();
    // The relay is about to end by itself; until then there is nothing.
    wait_until("a relay that ends by itself", LIMIT, || {
        project.run(&["relay", "status"]).code == 1
    });
    assert_eq!(
        project.run(&["api", "status", "--json"]).ok().json()["enabled"],
        false
    );
}

#[test]
fn specs_and_scripts_are_those_of_the_commands() {
    let project = Project::empty().with_relay();
    let api = Api::enable(&project);
    let spec = json!({"name": "web", "exec_start": "/bin/sleep 1000"});
    let made = api.expect(201, "POST", "/service-specs", &spec);
    let id = made["id"].as_str().expect("text");
    assert_eq!(
        api.expect(409, "POST", "/service-specs", &spec)["error"]["code"],
        "conflict"
    );
    for word in [id, "web"] {
        assert_eq!(
            api.expect(200, "GET", &format!("/service-specs/{word}"), &Value::Null),
            made
        );
    }
    let other = json!({"name": "web-2", "exec_start": "/bin/true", "auto_enable": true});
    let replaced = api.expect(200, "PUT", "/service-specs/web", &other);
    assert_eq!(
        (&replaced["id"], &replaced["name"]),
        (&made["id"], &json!("web-2"))
    );
    // A PUT replaces the whole.
    let bare = api.expect(200, "PUT", &format!("/service-specs/{id}"), &spec);
    assert_eq!(bare["auto_enable"], false);
    let wrong = json!({"name": "a b", "restart_policy": "sometimes", "extra": 1});
    let error = api.expect(422, "POST", "/service-specs", &wrong);
    assert!(
        error["error"]["details"].as_array().expect("details").len() >= 3,
        "{error}"
    );
    api.expect(404, "PUT", "/service-specs/none", &spec);
    api.expect(404, "GET", "/service-specs/..%2F..%2Fapi-token", &Value::Null);
    api.expect(422, "POST", "/service-specs", &json!([]));
    let bearer = format!("Authorization: Bearer {}", api.token);
    let kind = "Content-Type: application/json";
    let malformed = api.curl("POST", "/service-specs", &["-H", &bearer, "-H", kind, "-d", "{"]);
    assert_eq!(
        (malformed.0, &malformed.1["error"]["code"]),
        (400, &json!("malformed"))
    );
    api.expect(204, "DELETE", "/service-specs/web", &Value::Null);
    api.expect(404, "DELETE", &format!("/service-specs/{id}"), &Value::Null);
    let script = json!({"name": "install", "content": "#!/bin/sh\ntrue\n"});
    let made = api.expect(201, "POST", "/setup-scripts", &script);
    assert_eq!(made["run_on"], "first_boot");
    assert_eq!(
        api.expect(200, "GET", "/setup-scripts", &Value::Null),
        json!([made])
    );
    // Two clients at once: one wins.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let send = || {
            api.send(
                "POST",
                "/service-specs",
                &json!({"name": "race", "exec_start": "/bin/true"}),
            )
            .0
        };
        let all: Vec<_> = (0..6).map(|_| scope.spawn(send)).collect();
        all.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    let won = statuses.iter().filter(|status| **status == 201).count();
    let lost = statuses.iter().filter(|status| **status == 409).count();
    assert_eq!((won, lost), (1, 5), "{statuses:?}");
}

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

#[test]
fn pages_and_strangers_get_nothing() {
    let project = Project::empty().with_relay();
    let api = Api::enable(&project);
    let bearer = format!("Authorization: Bearer {}", api.token);
    let port = api
        .url
        .trim_start_matches("http://localhost:")
        .trim_end_matches("/api");
    let app = format!("Origin: http://app.web.localhost:{port}");
    let other_port = "Origin: http://localhost:1".to_owned();
    let own = format!("Origin: http://localhost:{port}");
    for (header, status) in [
        (own.as_str(), 200),
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: none", 200),
        (app.as_str(), 403),
        (other_port.as_str(), 403),
        ("Origin: null", 403),
        ("Origin: https://example.com", 403),
        ("Referer: http://example.com/", 403),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Host: example.com", 403),
        ("Host: rebound.example.com:7080", 403),
        (bearer.as_str(), 401),
    ] {
        let (got, answer) = api.curl("GET", "/service-specs", &["-H", &bearer, "-H", header]);
        assert_eq!(got, status, "{header}: {answer}");
        assert!(
            status == 200 || answer["error"]["code"].is_string(),
            "{header}: {answer}"
        );
    }
    // A link that somebody follows leads nowhere, either.
    let visit = [
        "-H",
        "Sec-Fetch-Site: cross-site",
        "-H",
        "Sec-Fetch-Mode: navigate",
        "-H",
        "Sec-Fetch-Dest: document",
    ];
    assert_eq!(api.curl("GET", "/openapi.json", &visit).0, 403);
    let with_http2 = api.curl(
        "GET",
        "/service-specs",
        &["-H", &bearer, "--http2-prior-knowledge"],
    );
    assert_eq!(with_http2.0, 200);
    let query = format!("/service-specs?token={}", api.token);
    assert_eq!(api.curl("GET", &query, &[]).0, 401);
    assert_eq!(api.curl("OPTIONS", "/service-specs", &["-H", &bearer]).0, 405);
    assert_eq!(
        api.curl("GET", "//service-specs", &["-H", &bearer, "--path-as-is"])
            .0,
        404
    );
    let large = "x".repeat(3 << 20);
    project.file("large", large);
    let kind = "Content-Type: application/json";
    let large = api.curl(
        "POST",
        "/service-specs",
        &["-H", &bearer, "-H", kind, "--data-binary", "@large"],
    );
    assert_eq!(large.0, 413);
    let log = fs::read_to_string(project.state_directory().join("relay.log")).expect("a log");
    assert!(!log.contains(&api.token));
}

#[test]
fn without_an_engine_it_says_so() {
    let project = Project::without_engine().with_relay();
    let api = Api::enable(&project);
    assert_eq!(api.ask("GET", "/service-specs"), (200, json!([])));
    let (status, answer) = api.ask("GET", "/workspaces");
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")));
    assert_eq!(api.send("POST", "/workspaces", &json!({})).0, 503);
}
