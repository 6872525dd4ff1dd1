//! What is in a checkpoint and what is not: what `show` tells, what looks like a secret, what never gets in.

use agentbox_tests::process::{PATIENCE, run};
use agentbox_tests::{Project, TestBox, engine, images, repository};
use serde_json::{Value, json};

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";

/// Takes a checkpoint of a box, under a name.
#[track_caller]
fn take(project: &Project, test_box: &TestBox<'_>, name: &str, arguments: &[&str]) {
    let mut all = vec!["checkpoint", "create", test_box.name(), "--name", name];
    all.extend(arguments);
    project.run(&all).ok();
}

/// What looks like a secret in a checkpoint, as `PATH:LINE KIND`.
#[track_caller]
fn secrets(project: &Project, checkpoint: &str) -> Vec<String> {
    let shown = project
        .run(&["checkpoint", "show", checkpoint, "--json"])
        .ok()
        .json();
    let tell = |found: &Value| {
        let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
        format!("{}:{} {}", text("path"), found["line"], text("kind"))
    };
    let found = shown["inside"]["secrets"].as_array().cloned().unwrap_or_default();
    found.iter().map(tell).collect()
}

#[test]
fn a_plain_box_has_nothing_that_looks_like_a_secret() {
    for image in [images::base(), images::docker(), images::busybox()] {
        let project = Project::new(YAML);
        let test_box = project.create_from(&image, &["--wait"]);
        take(&project, &test_box, "plain", &[]);
        let shown = project.run(&["checkpoint", "show", "plain", "--strict"]).ok();
        assert!(
            shown.stdout.contains("nothing that looks like one"),
            "{image}: {shown}"
        );
    }
}

#[test]
fn secrets_are_found_wherever_they_lie() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    // Put together there, so that nothing that looks like one lies in this file.
    test_box
        .docker_exec(
            "set -e
             key=AKIA$(echo IOSFODNN7EXAMPLE)
             for place in app data mnt tmp run usr/share/mine usr/src/app usr/local/bin var/cache/mine; do
                 mkdir -p /$place; echo key=$key > /$place/config
             done
             for place in usr/lib/mine usr/share/doc/mine workspace/node_modules/x; do
                 mkdir -p /$place; echo key=$key > /$place/config
             done
             ln /usr/lib/mine/config /workspace/linked; ln /workspace/node_modules/x/config /workspace/second
             echo \"key=$key\" | python3 -c 'import sys; open(\"/opt/wide\", \"w\", encoding=\"utf-16\").write(sys.stdin.read())'
             echo $key >> /etc/bash.bashrc
             begin='-----BEGIN PGP PRIVATE KEY'; mkdir /srv/pgp
             printf '%s BLOCK-----\\n\\nlQOYBGVx0xkBCADHb2Nqcm9zZQ\\n' \"$begin\" > /srv/pgp/plain
             printf '%s BLOCK-----\\nVersion: GnuPG v1\\n\\nlQOYBGVx0xkBCADHb2Nqcm9zZQ\\n' \"$begin\" > /srv/pgp/headers
             printf 'it begins with %s BLOCK-----\\nand ends with END\\n' \"$begin\" > /srv/pgp/prose",
        )
        .ok();
    take(&project, &test_box, "full", &[]);
    let lines = test_box.exec("wc -l < /etc/bash.bashrc").ok().stdout;
    let key = |place: &str| format!("{place} AWS access key");
    assert_eq!(
        secrets(&project, "full"),
        [
            key("/app/config:1"),
            key("/data/config:1"),
            key(&format!("/etc/bash.bashrc:{}", lines.trim())),
            key("/mnt/config:1"),
            key("/opt/wide:1"),
            key("/run/config:1"),
            "/srv/pgp/headers:1 private key".to_owned(),
            "/srv/pgp/plain:1 private key".to_owned(),
            key("/tmp/config:1"),
            key("/usr/local/bin/config:1"),
            key("/usr/share/mine/config:1"),
            key("/usr/src/app/config:1"),
            key("/var/cache/mine/config:1"),
            key("/workspace/linked:1"),
            key("/workspace/second:1"),
        ]
    );
}

#[test]
fn what_is_inside_and_what_is_not() {
    let project = Project::new(
        "carry: [{src: ./open, dest: /etc/open}, {src: ./hidden, dest: ~/hidden, secret: true}]
tasks:
  install: {command: 'mkdir -p node_modules/x && echo AKIA$(echo IOSFODNN7EXAMPLE) > node_modules/x/y', run_once: true}
services: {db: {command: 'exec sleep 1000', env: {DATA: /data/x}}, web: {command: exec sleep 1000, needs: [install]}}
",
    );
    project.file("open", "readable\n");
    project.file("hidden", "unseen\n");
    project.file(".gitignore", "open\nhidden\n");
    project.file("config/.env", "A=b\n");
    let test_box = project.create(&["--carry-yes", "--volume", "data:/data", "--wait"]);
    test_box
        .exec("printf 'a\\nb\\ntoken: ghp_0123456789abcdefghijklmnopqrstuvwxyz\\n' > /workspace/\"$(printf 'odd\\033[31mname')\"")
        .ok();
    take(&project, &test_box, "warm", &[]);
    let inspected = test_box.run("status", &["--inspect", "--json"]).ok().json();
    let mounts = inspected["inspect"]["mounts"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let data = mounts.iter().find(|mount| mount["target"] == "/data");
    assert!(data.is_some_and(|data| data["bytes"].is_u64()), "{inspected}");
    let shown = project.run(&["checkpoint", "show", "warm", "--json"]).ok().json();
    assert_eq!(shown["carried"], json!(["/etc/open"]));
    assert_eq!(
        shown["notInside"]["volumes"],
        json!([{"name": "data", "path": "/data", "units": ["db"]}])
    );
    assert_eq!(shown["inside"]["doneTasks"], json!(["install"]));
    // Not what packages bring.
    let found = secrets(&project, "warm");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("/workspace/config/.env:null"), "{found:?}");
    assert!(found[1].contains("odd") && found[1].contains(":3 "), "{found:?}");
    let text = project
        .run(&["checkpoint", "show", "warm", "--strict"])
        .expect_code(1);
    for part in [
        "volume data at /data, used by db",
        "/etc/open",
        "GitHub token",
        "install",
        "node_modules",
    ] {
        assert!(text.stdout.contains(part), "{part}: {text}");
    }
    assert!(
        !text.stdout.contains("ghp_0123") && !text.stdout.contains('\u{1b}'),
        "{text}"
    );
    // A checkpoint of a box from it still says what was carried.
    let name = format!("{}-second", project.name());
    project
        .run(&["create", "-y", "-n", &name, "--from", "warm", "--carry", "skip"])
        .ok();
    let second = TestBox::new(&project, &name);
    second.exec("rm -f /workspace/odd* /workspace/config/.env").ok();
    take(&project, &second, "again", &[]);
    let again = project
        .run(&["checkpoint", "show", "again", "--json", "--strict"])
        .ok()
        .json();
    assert_eq!(again["carried"], json!(["/etc/open"]));
    assert_eq!(again["notInside"]["volumes"], json!([]));
    assert_eq!(again["parents"][0]["name"], "warm");
}

#[test]
fn a_carried_secret_that_became_a_file_is_told() {
    let project = Project::new(
        "carry: [{src: ./one, dest: ~/one, secret: true}, {src: ./two, dest: /etc/two, secret: true}]\n",
    );
    project.file("one", "word\n");
    project.file("two", "word\n");
    project.file(".gitignore", "one\ntwo\n");
    let test_box = project.create(&["--carry-yes"]);
    take(&project, &test_box, "links", &[]);
    assert!(secrets(&project, "links").is_empty());
    // As a program does that writes a new file and renames it.
    test_box
        .exec("sed -i s/word/another/ ~/one && test ! -L ~/one")
        .ok();
    let said = project
        .run(&["checkpoint", "create", test_box.name(), "--name", "exposed"])
        .ok();
    assert!(
        said.stderr
            .contains("warning: /home/developer/one was carried in as a secret"),
        "{said}"
    );
    let one = "/home/developer/one:null carried in as a secret, and a file of the box since";
    assert_eq!(secrets(&project, "exposed"), [one]);
    project
        .run(&["checkpoint", "show", "exposed", "--strict"])
        .expect_code(1)
        .complains(&["1 place"]);
    // Hidden by a layer above, and gone where there is only one.
    let name = format!("{}-second", project.name());
    project
        .run(&[
            "create", "-y", "-n", &name, "--from", "exposed", "--carry", "skip",
        ])
        .ok();
    let second = TestBox::new(&project, &name);
    take(&project, &second, "still", &["--merged"]);
    assert_eq!(secrets(&project, "still"), [one]);
    second.exec("rm ~/one").ok();
    take(&project, &second, "hidden", &[]);
    assert_eq!(secrets(&project, "hidden"), [one]);
    take(&project, &second, "gone", &["--merged"]);
    assert!(secrets(&project, "gone").is_empty());
}

#[test]
fn secrets_carry_nowhere_into_an_image() {
    let canary = |what: &str| format!("CANARY-{what}-{}", std::process::id());
    let project = Project::new(
        "carry: [{src: ./plain, dest: ~/plain}, {src: ./hidden, dest: ~/hidden, secret: true}]\nservices: {web: {command: exec sleep 1000}}\n",
    );
    project.file("plain", canary("plain"));
    project.file("hidden", canary("secret"));
    project.file(".gitignore", "plain\nhidden\n");
    repository::commit_all(&project);
    repository::git(
        &project,
        &[
            "config",
            "http.extraHeader",
            &format!("Authorization: {}", canary("gitconfig")),
        ],
    );
    repository::git(
        &project,
        &[
            "config",
            "remote.origin.url",
            &format!("https://me:{}@example.org/x", canary("remote")),
        ],
    );
    let name = format!("{}-box", project.name());
    let given = format!("TOKEN={}", canary("env"));
    let mut command = project.command(&[
        "create",
        "-y",
        "-n",
        &name,
        "--carry-yes",
        "--wait",
        "--from",
        "none",
        "--env",
        &given,
        "--env",
        "PASSED",
    ]);
    command
        .env("HOST_SECRET", canary("host"))
        .env("PASSED", canary("passed"));
    run(command, PATIENCE).ok();
    let test_box = TestBox::new(&project, &name);
    // It is there to be used.
    let seen = test_box
        .exec("echo $TOKEN $PASSED; cat ~/hidden ~/plain")
        .ok()
        .stdout;
    for what in ["env", "passed", "secret", "plain"] {
        assert!(seen.contains(&canary(what)), "{what}: {seen}");
    }
    take(&project, &test_box, "layered", &[]);
    take(&project, &test_box, "flat", &["--merged"]);
    let listed = project.run(&["checkpoint", "list", "--json"]).ok().json();
    for row in listed.as_array().cloned().unwrap_or_default() {
        let tag = row["tag"].as_str().unwrap_or_default();
        // Layers, configuration and history, all of it as the engine would hand it to anybody.
        let found = canaries_in(tag, &format!("-{}", std::process::id()));
        assert_eq!(found, [canary("plain")], "{tag}");
    }
    let shown = project.run(&["checkpoint", "show", "flat"]).ok();
    assert!(
        shown.stdout.contains("/home/developer/plain: carried in"),
        "{shown}"
    );
}

/// Every `CANARY-…` with this end in a saved image, each layer unpacked.
#[track_caller]
fn canaries_in(tag: &str, end: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let archive = directory.path().join("image.tar");
    engine::docker(&["save", "-o", &archive.display().to_string(), tag]).ok();
    let script = "set -e; cd \"$1\"; tar -xf image.tar; rm image.tar
        find . -type f | while read -r file; do
            cat \"$file\"; if tar -tf \"$file\" >/dev/null 2>&1; then tar -xOf \"$file\"; fi
            # What git keeps is compressed.
            if tar -tf \"$file\" >/dev/null 2>&1; then
                mkdir -p \"$file.d\"; tar -xf \"$file\" -C \"$file.d\" --wildcards 'workspace/.git/*' 2>/dev/null || true
                [ -d \"$file.d/workspace/.git\" ] && git -C \"$file.d/workspace\" -c safe.directory='*' cat-file --batch --batch-all-objects || true
            fi
        done | grep -aoE 'CANARY-[a-z]+-[0-9]+' | sort -u || true";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh"]).arg(directory.path());
    let output = run(command, PATIENCE).ok();
    output
        .stdout
        .lines()
        .filter(|line| line.ends_with(end))
        .map(str::to_owned)
        .collect()
}
