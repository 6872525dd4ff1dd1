//! Boxes with a Docker engine of their own.

use std::time::Duration;

use agentbox_tests::inner_engine::{create, project};
use agentbox_tests::process::Output;
use agentbox_tests::{Project, TestBox, engine, images, wait_for, wait_until};

const MINUTE: Duration = Duration::from_secs(60);

fn capabilities(test_box: &TestBox<'_>) -> u64 {
    let line = test_box.docker_exec("grep CapBnd /proc/1/status").ok().stdout;
    let digits = line.split_whitespace().last().expect("a line of two words");
    u64::from_str_radix(digits, 16).expect("a number")
}

const SYS_ADMIN: u64 = 1 << 21;

#[test]
fn the_engine_is_the_box_s_own_and_up_before_the_first_unit() {
    let project = Project::new("tasks: {look: {command: docker info -f x}}\n");
    let name = format!("{}-own", project.name());
    images::docker();
    // Without an image it takes the variant that has an engine.
    let output = project
        .run(&["create", "-y", "-n", &name, "--docker", "--wait"])
        .ok();
    output.complains(&["a hostile box can probably break out"]);
    let test_box = TestBox::new(&project, &name);
    assert_eq!(test_box.unit("look")["state"], "done");

    let details = test_box.inspect();
    assert_eq!(details["Config"]["Image"], "agentbox/docker:latest");
    assert_eq!(details["HostConfig"]["Privileged"], false);
    assert_eq!(details["HostConfig"]["Binds"], serde_json::Value::Null);
    assert!(!details["Mounts"].to_string().contains("docker.sock"));
    let own = test_box.exec("docker info --format '{{.ID}}'").ok().stdout;
    assert_ne!(own, engine::docker(&["info", "--format", "{{.ID}}"]).ok().stdout);
    assert_eq!(
        test_box.exec("docker ps -aq").ok().stdout,
        "",
        "no container of the host's"
    );
    assert_ne!(capabilities(&test_box) & SYS_ADMIN, 0);

    let log = project
        .run(&["logs", &name, "--daemon", "docker", "-n", "1000"])
        .ok();
    assert!(log.stdout.contains("API listen on"), "{log}");
    let inside = test_box.exec("agentbox-ctl logs --daemon docker -n 1").ok();
    assert_eq!(inside.stdout.lines().count(), 1, "{inside}");
    // It is no unit of the user's.
    let status = test_box.status_json();
    assert_eq!(status["services"], serde_json::json!([]), "{status}");
    test_box.run("restart", &["docker.daemon"]).expect_code(3);
    test_box.exec("agentbox-ctl stop docker.daemon").expect_code(3);
    assert_eq!(test_box.run("logs", &[]).ok().stdout.lines().count(), 1);

    test_box.run("stop", &[]).ok();
    let log = project.run(&["logs", &name, "--daemon", "docker"]).ok();
    assert!(log.stdout.contains("API listen on"), "{log}");
    let volumes = engine::volumes_of(&test_box.container());
    assert!(
        volumes.iter().any(|volume| volume.ends_with("_docker")),
        "{volumes:?}"
    );
    project.run(&["destroy", "-f", "--discard", &name]).ok();
    let left: Vec<_> = engine::volumes()
        .into_iter()
        .filter(|volume| volumes.contains(volume))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_plain_box_has_no_engine_and_none_of_its_rights() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&[]);
    assert_eq!(capabilities(&test_box) & SYS_ADMIN, 0);
    test_box.exec("test -e /var/run/docker.sock").expect_code(1);
    let log = test_box.run("logs", &["--daemon", "docker"]);
    assert_eq!((log.code, log.stdout.as_str()), (0, ""), "{log}");

    project.file("agentbox.yaml", "services: {db: {image: {name: postgres}}}\n");
    let refused = project
        .run(&["create", "-y", "--image", &images::base()])
        .expect_code(2);
    refused.complains(&["service \"db\" is a container", "agentbox create --docker"]);
    let before = project.containers().len();
    let refused = project
        .run(&["create", "-y", "--docker", "--image", &images::base()])
        .expect_code(1);
    refused.complains(&["has no Docker engine", "agentbox/docker:latest"]);
    assert_eq!(project.containers().len(), before);
}

#[test]
fn what_the_repository_asks_for_needs_the_user_s_word() {
    let project = Project::new("defaults: {box: {docker: true}}\n");
    images::docker();
    let refused = project.run(&["create", "-y"]).expect_code(1);
    refused.complains(&["box.docker"]);
    let name = format!("{}-no", project.name());
    project
        .run(&[
            "create",
            "-y",
            "-n",
            &name,
            "--docker=false",
            "--image",
            &images::base(),
        ])
        .ok();
    assert_eq!(capabilities(&TestBox::new(&project, &name)) & SYS_ADMIN, 0);
}

const WEB: &str = "  web:
    image: {name: IMAGE, ports: ['5432'], args: [/bin/busybox, sh, -c, 'echo got $SECRET; trap \"exit 0\" TERM; echo hello > /hello; /bin/busybox httpd -f -p 5432 -h / & wait']}
    env: {SECRET: sesame}
    needs: [load]
    ready_when: {port: 5432}
";

#[test]
fn crashes_of_daemons_leave_one_of_each() {
    let project = project(WEB);
    let test_box = create(&project, &["--wait"]);
    let one_of_each = |what: &str| {
        wait_for(what, MINUTE, || {
            let running = test_box.exec("docker ps --format '{{.Names}}'").stdout;
            let daemons = test_box.docker_exec("pgrep -xc dockerd").stdout;
            let shims = test_box.processes_matching("containerd-shim-runc-v2").len();
            let clients = test_box.processes_matching("start -a ").len();
            let seen = format!("{running:?} {daemons:?} {shims} {clients}");
            if seen == "\"web\\n\" \"1\\n\" 1 1" {
                Ok(())
            } else {
                Err(seen)
            }
        });
        test_box.run("wait", &[]).ok();
    };
    one_of_each("the beginning");
    test_box.docker_exec("pkill -9 -x dockerd").ok();
    wait_until("dockerd to be missed", MINUTE, || {
        project
            .run(&["events", test_box.name()])
            .ok()
            .stdout
            .contains("docker.daemon  ready → ")
    });
    one_of_each("dockerd to come back");
    test_box.docker_exec("pkill -9 -f '^agentbox-ctl daemon'").ok();
    one_of_each("the supervisor to come back");
}

#[test]
fn an_engine_that_does_not_come_up_says_why_and_holds_the_units_back() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = create(&project, &["--wait"]);
    test_box
        .docker_exec(
            "mkdir -p /etc/docker; echo '{\"storage-driver\": \"none-such\"}' > /etc/docker/daemon.json",
        )
        .ok();
    test_box.run("restart", &[]).ok();
    let status = wait_for("the error", MINUTE, || {
        let status = test_box.status_json();
        let errors = status["errors"].to_string();
        if errors.contains("the box's Docker engine is not up") && errors.contains("driver not supported") {
            Ok(status)
        } else {
            Err(status.to_string())
        }
    });
    assert_eq!(status["services"][0]["state"], "waiting", "{status}");
    assert_eq!(status["services"][0]["blockedOn"][0], "docker.daemon");
    let waited: Output = test_box.run("wait", &[]).expect_code(1);
    let hint = format!("agentbox logs {} --daemon docker", test_box.name());
    waited.complains(&["the box's Docker engine", "driver not supported", &hint]);
    test_box.docker_exec("rm /etc/docker/daemon.json").ok();
    // It is tried again by itself.
    test_box.wait_state("web", "running");
}
