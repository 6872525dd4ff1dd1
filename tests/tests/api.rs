//! The HTTP API: what a program does with it, and what nobody may.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use agentbox_tests::api::Api;
use agentbox_tests::{Project, images, process, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

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
    Api::enable(&without);
    assert_eq!(without.run(&["relay", "status"]).code, 0);
    without.run(&["api", "disable"]).ok();
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
    let packed = [
        "-H",
        &bearer,
        "-H",
        kind,
        "-H",
        "Content-Encoding: gzip",
        "-d",
        "{}",
    ];
    assert_eq!(api.curl("POST", "/service-specs", &packed).0, 415);
    slow_bodies_hold_up_nobody(&api);
    let log = fs::read_to_string(project.state_directory().join("relay.log")).expect("a log");
    assert!(!log.contains(&api.token));
}

/// More of them than are worked on at once.
fn slow_bodies_hold_up_nobody(api: &Api<'_>) {
    let host = api.url.trim_start_matches("http://").trim_end_matches("/api");
    let slow: Vec<TcpStream> = (0..12)
        .map(|_| {
            let mut stream = TcpStream::connect(host).expect("it listens");
            let head = format!(
                "POST /api/service-specs HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
                api.token
            );
            stream.write_all(head.as_bytes()).expect("it reads");
            stream
        })
        .collect();
    let begun = Instant::now();
    assert_eq!(api.ask("GET", "/service-specs").0, 200);
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(slow);
}

#[test]
fn a_relay_that_was_killed_is_back_with_the_next_look_at_boxes_or_token() {
    let project = Project::empty().with_relay();
    let mut api = Api::enable(&project);
    for command in [&["list"][..], &["api", "token"]] {
        let health = project.run(&["relay", "status", "--json"]).ok().json();
        let pid = health["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok());
        kill(Pid::from_raw(pid.expect("a process")), Signal::SIGKILL).expect("it runs");
        wait_until("a relay that is gone", LIMIT, || {
            project.run(&["relay", "status"]).code == 1
        });
        let status = project.run(&["api", "status"]).ok().stdout;
        assert!(status.contains("agentbox api enable"), "{status}");
        let output = project.run(command).ok().stdout;
        if command[0] == "api" {
            api.token = output.trim().to_owned();
        }
        // Another's may have taken its port meanwhile.
        api.url = wait_for("the API", LIMIT, || {
            let state = project.run(&["api", "status", "--json"]).ok().json();
            state["url"]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| state.to_string())
        });
        assert_eq!(api.ask("GET", "/service-specs"), (200, json!([])));
    }
}

#[test]
fn without_an_engine_it_says_so() {
    let project = Project::without_engine().with_relay();
    let api = Api::enable(&project);
    assert_eq!(api.ask("GET", "/service-specs"), (200, json!([])));
    let (status, answer) = api.ask("GET", "/workspaces");
    assert_eq!((status, &answer["error"]["code"]), (503, &json!("unavailable")));
    // Meanwhile it tries again and again, and says once that it could not.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        assert_eq!(api.send("POST", "/workspaces", &json!({})).0, 503);
    }
    let log = fs::read_to_string(project.state_directory().join("relay.log")).expect("a log");
    assert_eq!(log.matches("cannot reach").count(), 1, "{log}");
    assert!(!log.contains("answers again"), "{log}");
}
