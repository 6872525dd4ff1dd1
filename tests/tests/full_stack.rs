//! The example of the service specs guide, whole: a setup script that installs and builds, a backend and a frontend spec,
//! two apps with URLs that answer.

use std::process::Command;
use std::time::Duration;

use agentbox_tests::{Project, images, process, wait_for};
use serde_json::Value;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/full-stack");

fn example(file: &str) -> String {
    format!("{EXAMPLE}/{file}")
}

/// What a URL below `localhost` answers, or why it does not.
fn get(url: &str) -> Result<String, String> {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-i", "--max-time", "20", url]);
    let output = process::run(curl, Duration::from_secs(30)).ok().stdout;
    if output.starts_with("HTTP/1.1 200 ") {
        Ok(output)
    } else {
        Err(output)
    }
}

fn answered(url: &str) -> String {
    wait_for(url, Duration::from_secs(60), || get(url))
}

#[test]
fn a_full_stack_comes_up_from_a_setup_script_two_specs_and_two_apps() {
    let image = images::full_stack();
    let project = Project::empty().with_relay();
    let bundle = project.directory().join("fullstack-app.bundle");
    let mut pack = Command::new(example("pack"));
    pack.arg(&bundle);
    process::run(pack, Duration::from_secs(60)).ok();

    for spec in ["backend.json", "frontend.json"] {
        project.run(&["spec", "create", "-f", &example(spec)]).ok();
    }
    let script = example("setup.sh");
    project
        .run(&["setup-script", "create", "install-everything", "-f", &script])
        .ok();
    let test_box = project.create_from(
        &image,
        &[
            "--service-spec",
            "backend,frontend",
            "--setup-script",
            "install-everything",
            "--env",
            "GIT_CONFIG_COUNT=1",
            "--env",
            "GIT_CONFIG_KEY_0=url./workspace/fullstack-app.bundle.insteadOf",
            "--env",
            "GIT_CONFIG_VALUE_0=https://github.com/acme/fullstack-app.git",
            "--wait",
        ],
    );
    assert_eq!(test_box.unit("setup-install-everything")["state"], "done");
    for service in ["rigbox-svc-backend", "rigbox-svc-frontend"] {
        assert_eq!(test_box.unit(service)["state"], "running");
    }
    // As the guide looks at them from inside.
    let status = test_box
        .exec("systemctl --user status rigbox-svc-backend")
        .ok()
        .stdout;
    assert!(status.contains("Active: active (running)"), "{status}");
    wait_for("the backend's first line", Duration::from_secs(30), || {
        let journal = test_box.exec("journalctl --user -u rigbox-svc-backend -n 5");
        let journal = journal.ok().stdout;
        if journal.contains("backend on port 4000") {
            Ok(())
        } else {
            Err(journal)
        }
    });

    let mut urls = Vec::new();
    for (name, port) in [("backend", "4000"), ("frontend", "3000")] {
        let arguments = [
            "app",
            "create",
            test_box.name(),
            "--name",
            name,
            "--port",
            port,
            "--json",
        ];
        let app: Value = project.run(&arguments).ok().json();
        urls.push(app["url"].as_str().expect("a URL").to_owned());
    }
    let [backend, frontend] = urls.as_slice() else {
        panic!("two apps: {urls:?}");
    };
    assert!(answered(backend).contains("\"service\":\"backend\""));
    assert!(answered(frontend).contains("<h1>Full stack</h1>"));

    // A restart runs no `first_boot` script again: it would fail to clone into what is there.
    test_box.run("restart", &["--wait"]).ok();
    let task = test_box.unit("setup-install-everything");
    assert_eq!(task["reason"], "already done", "{task}");
    assert!(answered(backend).contains("\"visits\":"));
    assert!(answered(frontend).contains("<h1>Full stack</h1>"));
}
