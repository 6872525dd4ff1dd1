//! `agentbox spec` and `agentbox setup-script`: what is kept on the host, and what boxes get of it. What runs in a box is
//! another test's concern.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use agentbox_tests::{Output, Project, TestBox, wait_until};
use serde_json::{Value, json};

fn spec(project: &Project, arguments: &[&str]) -> Output {
    project.run(&[&["spec"], arguments].concat())
}

fn script(project: &Project, arguments: &[&str]) -> Output {
    project.run(&[&["setup-script"], arguments].concat())
}

fn create(project: &Project, name: &str) -> String {
    let made = spec(project, &["create", name, "--exec-start", "/bin/sleep 1000"]).ok();
    made.stdout.trim().to_owned()
}

fn files(project: &Project, kind: &str) -> Vec<PathBuf> {
    let directory = project.data_directory().join("agentbox").join(kind);
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files
}

/// What a box has for its next start.
fn attached(test_box: &TestBox<'_>) -> Value {
    let copy = tempfile::tempdir().expect("a directory");
    let path = copy.path().join("attached.json");
    let source = format!("{}:/var/lib/agentbox/private/attached.json", test_box.container());
    let copied = std::process::Command::new("docker")
        .args(["--host", agentbox_tests::engine::url(), "cp", "-q", &source])
        .arg(&path)
        .output()
        .expect("docker runs");
    if !copied.status.success() {
        return Value::Null;
    }
    serde_json::from_slice(&fs::read(path).expect("a copy")).expect("JSON")
}

fn names(attached: &Value, kind: &str) -> Vec<String> {
    let copies = attached[kind].as_array().cloned().unwrap_or_default();
    copies
        .iter()
        .map(|copy| copy["name"].as_str().expect("a name").to_owned())
        .collect()
}

#[test]
fn a_spec_s_life_needs_no_engine() {
    let project = Project::without_engine();
    spec(&project, &["list"])
        .ok()
        .complains(&["there are no service specs"]);
    assert_eq!(spec(&project, &["list", "--json"]).ok().json(), json!([]));
    let id = spec(
        &project,
        &[
            "create",
            "api",
            "--exec-start",
            "-/usr/bin/node 'a b'",
            "--env",
            "PORT=3000",
            "--env",
            "V=1.10",
            "--restart",
            "always",
            "--auto-enable",
            "--environment-file",
            "-/etc/api",
        ],
    )
    .ok()
    .stdout;
    let shown = spec(&project, &["show", "api", "--json"]).ok().json();
    assert_eq!(shown["id"], id.trim());
    assert_eq!(shown["env_vars"], json!({"PORT": "3000", "V": "1.10"}));
    assert_eq!(shown["restart_policy"], "always");
    assert_eq!(shown["auto_enable"], true);
    assert_eq!(shown["environment_file"], "-/etc/api");
    spec(&project, &["create", "api", "--exec-start", "/x"])
        .expect_code(1)
        .complains(&["already", id.trim()]);
    // What was printed can be given back.
    let file = project.directory().join("api.json");
    fs::write(&file, shown.to_string()).expect("written");
    let file = file.to_str().expect("a path");
    let again = spec(&project, &["update", "api", "-f", file, "--json"])
        .ok()
        .json();
    assert_eq!(again["id"], shown["id"]);
    assert_eq!(again["env_vars"], shown["env_vars"]);
    let changed = spec(
        &project,
        &[
            "update",
            id.trim(),
            "--name",
            "server",
            "--unset-env",
            "V",
            "--env",
            "PORT=1",
            "--auto-enable=false",
            "--environment-file",
            "",
            "--json",
        ],
    )
    .ok()
    .json();
    assert_eq!(changed["name"], "server");
    assert_eq!(changed["env_vars"], json!({"PORT": "1"}));
    assert_eq!(changed["auto_enable"], false);
    assert_eq!(changed.get("environment_file"), None);
    assert_eq!(changed["exec_start"], shown["exec_start"]);
    let unit = spec(&project, &["show", "server", "--unit"]).ok().stdout;
    assert!(
        unit.contains("[Service]\n") && unit.contains("ExecStart="),
        "{unit}"
    );
    spec(&project, &["update", "server"]).expect_code(2);
    spec(&project, &["update", "server", "--unset-env", "V"]).expect_code(1);
    spec(&project, &["show", "servr"])
        .expect_code(3)
        .complains(&["did you mean server?"]);
    create(&project, "other");
    spec(&project, &["update", "other", "--name", "server"]).expect_code(1);
    // All or none.
    spec(&project, &["rm", "server", "nope"]).expect_code(3);
    assert_eq!(files(&project, "service-specs").len(), 2);
    spec(&project, &["rm", "server", "other", "server"]).ok();
    assert!(files(&project, "service-specs").is_empty());
}

#[test]
fn mistakes_are_all_told_with_their_places() {
    let project = Project::without_engine();
    project.file(
        "bad.yaml",
        "name: a b\nexec_start: /x\nauto_enable: yes\nenv: {A: 1}\n",
    );
    spec(&project, &["create", "-f", "bad.yaml"])
        .expect_code(2)
        .complains(&[
            "error: bad.yaml:1:7: name:",
            "error: bad.yaml:3:14: auto_enable:",
            "hint: write true",
            "error: bad.yaml:4:1: env: there is no such field",
        ]);
    spec(&project, &["create", "a b", "--exec-start", "", "--env", "1=2"])
        .expect_code(2)
        .complains(&["error: name:", "error: exec_start:", "error: env_vars.1:"]);
    spec(&project, &["create", "-f", "gone.yaml"])
        .expect_code(2)
        .complains(&["gone.yaml"]);
    spec(&project, &["create", "a"])
        .expect_code(2)
        .complains(&["--exec-start"]);
    assert!(files(&project, "service-specs").is_empty());
}

#[test]
fn a_script_is_kept_as_it_is() {
    let project = Project::without_engine();
    let content = "#!/bin/bash\nset -e\nprintf 'ä\\t'\n\n";
    project.file("install.sh", content);
    script(&project, &["create", "deps", "-f", "install.sh"]).ok();
    let shown = script(&project, &["show", "deps", "--json"]).ok().json();
    assert_eq!(
        (&shown["content"], &shown["run_on"]),
        (&json!(content), &json!("first_boot"))
    );
    assert_eq!(
        script(&project, &["show", "deps", "--content"]).ok().stdout,
        content
    );
    script(
        &project,
        &["update", "deps", "--run-on", "every_start", "--name", "install"],
    )
    .ok();
    let shown = script(&project, &["show", "install", "--json"]).ok().json();
    assert_eq!(
        (&shown["content"], &shown["run_on"]),
        (&json!(content), &json!("every_start"))
    );
    project.file("binary", b"\xff\xfe");
    script(&project, &["create", "x", "-f", "binary"]).expect_code(2);
    script(&project, &["create", "x", "-f", "/dev/null"])
        .expect_code(2)
        .complains(&["content: it is empty"]);
    script(&project, &["create", "x", "-f", "install.sh", "--run-on", "boot"]).expect_code(2);
    script(&project, &["rm", "install"]).ok();
    assert_eq!(script(&project, &["list", "--json"]).ok().json(), json!([]));
}

#[test]
fn of_two_that_create_the_same_name_one_wins() {
    let project = Project::without_engine();
    for round in 0..10 {
        let name = format!("api-{round}");
        let command = ["spec", "create", &name, "--exec-start", "/bin/true"];
        let racers: Vec<_> = (0..4).map(|_| project.start(&command)).collect();
        let mut codes: Vec<_> = racers
            .into_iter()
            .map(|racer| racer.finish(Duration::from_secs(20)).code)
            .collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 1, 1]);
    }
    assert_eq!(files(&project, "service-specs").len(), 10);
}

#[test]
fn a_kill_leaves_the_old_file_or_the_new_one() {
    let project = Project::without_engine();
    create(&project, "api");
    let mut killed = 0;
    for round in 0..60_u64 {
        let value = "x".repeat(40_000);
        let command = ["spec", "update", "api", "--env", &format!("V={round}{value}")];
        let mut child = project
            .command(&command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("agentbox starts");
        // Up to what one takes, in steps of half a millisecond.
        let moment = Instant::now() + Duration::from_micros(round * 500 % 15_000);
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().expect("killed");
        killed += usize::from(!child.wait().expect("ended").success());
        let all = files(&project, "service-specs");
        assert_eq!(all.len(), 1, "{all:?}");
        let kept: Value = serde_json::from_slice(&fs::read(&all[0]).expect("a file")).expect("whole JSON");
        if let Some(text) = kept["env_vars"]["V"].as_str() {
            assert!(text.len() > 40_000, "{}", text.len());
        }
    }
    assert!(killed > 20, "only {killed} were killed in time");
    // Nobody is kept from writing by those who died.
    spec(&project, &["update", "api", "--unset-env", "V", "--env", "W=1"]);
    spec(&project, &["update", "api", "--env", "W=2"]).ok();
    // What they had begun to write may hold secrets, and does not stay.
    let directory = project.data_directory().join("agentbox/service-specs");
    let mut left: Vec<_> = fs::read_dir(directory)
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    left.retain(|name| !name.to_string_lossy().ends_with(".json"));
    assert_eq!(left, ["lock"]);
}

#[test]
fn create_attaches_in_order_and_knows_what_is_missing_before_docker() {
    let project = Project::without_engine();
    create(&project, "api");
    project
        .run(&["create", "--service-spec", "apl"])
        .expect_code(3)
        .complains(&["there is no service spec `apl`", "did you mean api?"]);
    project.run(&["config", "set", "box.setup_scripts", "gone"]).ok();
    project.run(&["create"]).expect_code(3).complains(&[
        "there is no setup script `gone`",
        "box.setup_scripts names it, in ",
    ]);
    project.run(&["config", "unset", "box.setup_scripts"]).ok();
    project.file(
        "agentbox.yaml",
        "services:\n  web:\n    command: sleep 1000\n    needs: [rigbox-svc-api]\n",
    );
    project.run(&["validate"]).ok();
    project.run(&["create"]).expect_code(2).complains(&[
        "error: agentbox.yaml:4:13: service \"web\" needs service spec \"api\", which is not attached to the box",
        "agentbox create --service-spec api",
    ]);
    project.run(&["create", "--service-spec", "api"]).expect_code(4);
}

#[test]
fn a_box_gets_copies_and_attach_and_detach_change_them() {
    let project = Project::new("services:\n  web: {command: sleep 1000}\n");
    project.file("install.sh", "true\n");
    for name in ["first", "second", "third"] {
        script(&project, &["create", name, "-f", "install.sh"]).ok();
    }
    for name in ["api", "worker", "queue"] {
        create(&project, name);
    }
    project
        .run(&["config", "set", "--global", "box.setup_scripts", "second"])
        .ok();
    let test_box = project.create(&[
        "--service-spec",
        "worker,api",
        "--setup-script",
        "third",
        "--setup-script",
        "first",
    ]);
    let at_first = attached(&test_box);
    assert_eq!(names(&at_first, "serviceSpecs"), ["worker", "api"]);
    assert_eq!(names(&at_first, "setupScripts"), ["second", "third", "first"]);

    // The project's only box needs no name, and each word counts once.
    spec(&project, &["attach", "queue"]).ok().complains(&[
        "service spec `queue` is attached",
        "at the next start",
        "agentbox restart",
    ]);
    let again = spec(&project, &["attach", test_box.name(), "queue", "api", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&again[0]["changed"], &again[1]["changed"]),
        (&json!(false), &json!(false))
    );
    spec(&project, &["detach", test_box.name(), "worker", "nope"])
        .expect_code(3)
        .complains(&["no service spec `nope` is attached"]);
    spec(&project, &["attach", "nope"]).expect_code(3);
    project.run(&["pause"]).ok();
    spec(&project, &["detach", "worker"]).ok();
    script(&project, &["detach", test_box.name(), "second", "third"]).ok();
    project.run(&["unpause"]).ok();
    let now = attached(&test_box);
    assert_eq!(names(&now, "serviceSpecs"), ["api", "queue"]);
    assert_eq!(names(&now, "setupScripts"), ["first"]);

    // Two at once: none is lost.
    project.run(&["stop"]).ok();
    let racers: Vec<_> = [
        ["spec", "attach", "worker"],
        ["setup-script", "attach", "second"],
        ["spec", "detach", "api"],
    ]
    .iter()
    .map(|command| project.start(command))
    .collect();
    for racer in racers {
        racer.finish(Duration::from_secs(60)).ok();
    }
    let now = attached(&test_box);
    assert_eq!(names(&now, "serviceSpecs"), ["queue", "worker"]);
    assert_eq!(names(&now, "setupScripts"), ["first", "second"]);
}

#[test]
fn a_start_brings_copies_up_to_date() {
    let project = Project::new("services:\n  web:\n    command: sleep 1000\n");
    for name in ["same", "changed", "old", "gone"] {
        create(&project, name);
    }
    let test_box = project.create(&["--service-spec", "same,changed,old,gone"]);
    spec(
        &project,
        &["update", "changed", "--exec-start", "/bin/sleep 2000"],
    )
    .ok();
    spec(&project, &["update", "old", "--name", "new"]).ok();
    spec(&project, &["rm", "gone"]).ok();
    test_box.run("stop", &[]).ok();
    test_box.run("start", &[]).ok().complains(&[
        "service spec `changed` has changed",
        "service spec `old` is called `new` now",
        "service spec `gone` was deleted, and is no longer attached",
    ]);
    let now = attached(&test_box);
    assert_eq!(names(&now, "serviceSpecs"), ["same", "changed", "new"]);
    assert_eq!(now["serviceSpecs"][1]["exec_start"], "/bin/sleep 2000");
    // The file needs what the box no longer has: it goes on, and does not start again.
    let needs = "services:\n  web:\n    command: sleep 1000\n    needs: [rigbox-svc-same]\n";
    project.file("agentbox.yaml", needs);
    test_box.run("reload", &["--push"]).ok();
    spec(&project, &["rm", "same"]).ok();
    test_box
        .run("restart", &[])
        .expect_code(2)
        .complains(&["needs service spec \"same\", which is not attached"]);
    assert_eq!(test_box.status_json()["box"]["state"], "running");
    project.file("agentbox.yaml", needs.replace("same", "other"));
    test_box
        .run("reload", &["--push"])
        .expect_code(2)
        .complains(&["needs service spec \"other\""]);
}

/// What `status` says is to come.
fn pending(test_box: &TestBox<'_>) -> Value {
    test_box
        .status_json()
        .get("pending")
        .cloned()
        .unwrap_or(Value::Null)
}

#[test]
fn status_says_what_the_next_start_will_change() {
    let project = Project::new("services:\n  web: {command: sleep 1000}\n");
    for name in ["api", "worker", "queue"] {
        create(&project, name);
    }
    let test_box = project.create(&["--service-spec", "api,worker"]);
    assert_eq!(pending(&test_box), Value::Null);
    let id = spec(&project, &["update", "api", "--env", "A=1", "--json"])
        .ok()
        .json()["id"]
        .clone();
    assert_eq!(
        pending(&test_box),
        json!([{"kind": "service-spec", "name": "api", "id": id, "change": "changed"}])
    );
    spec(&project, &["detach", "worker"]).ok();
    spec(&project, &["attach", "queue"]).ok();
    wait_until("the line", Duration::from_secs(10), || {
        test_box.run("status", &[]).ok().stdout.contains(
            "\npending at the next start: service spec api (changed), service spec queue (attached), \
             service spec worker (detached)\n",
        )
    });
    test_box.run("restart", &[]).ok();
    assert_eq!(pending(&test_box), Value::Null);
    assert!(!test_box.run("status", &[]).ok().stdout.contains("pending at"));
    // In any state of the box.
    for (verb, back, attached) in [("pause", "unpause", "attach"), ("stop", "start", "detach")] {
        test_box.run(verb, &[]).ok();
        spec(&project, &[attached, "worker"]).ok();
        let expected = format!("\npending at the next start: service spec worker ({attached}ed)\n");
        let status = test_box.run("status", &[]).ok().stdout;
        assert!(status.contains(&expected), "{verb}: {status}");
        test_box.run(back, &[]).ok();
        test_box.run("restart", &[]).ok();
    }
    assert_eq!(pending(&test_box), Value::Null);
}

#[test]
fn a_repository_s_wish_for_a_spec_needs_a_word() {
    let project = Project::without_engine();
    project.file(
        "agentbox.yaml",
        "defaults:\n  box: {service_specs: [api], setup_scripts: [deps]}\n",
    );
    project.file("install.sh", "one\ntwo\n");
    project
        .run(&["create"])
        .expect_code(3)
        .complains(&["there is no service spec `api`", "agentbox.yaml:2"]);
    spec(
        &project,
        &[
            "create",
            "api",
            "--exec-start",
            "/bin/api --serve",
            "--env",
            "TOKEN=hush",
        ],
    )
    .ok();
    script(&project, &["create", "deps", "-f", "install.sh"]).ok();
    let asked = project.run(&["create"]).expect_code(1).complains(&[
        "box.service_specs: api (runs /bin/api --serve, with TOKEN)",
        "box.setup_scripts: deps (your script, 2 lines)",
        "--defaults",
    ]);
    assert!(!asked.stderr.contains("hush"), "{}", asked.stderr);
    project.run(&["create", "--defaults", "yes"]).expect_code(4);
    // Remembered, for these two.
    project.run(&["create"]).expect_code(4);
    spec(&project, &["rm", "api"]).ok();
    create(&project, "api");
    project.run(&["create"]).expect_code(1).complains(&["--defaults"]);
    project.run(&["create", "--defaults", "skip"]).expect_code(4);
}
