//! Services with `image`: containers in a box's own engine.

use std::time::Duration;

use agentbox_tests::inner_engine::{create, inspect, project, signal_engine};
use agentbox_tests::{Project, TestBox, images, wait_for, wait_until};

const MINUTE: Duration = Duration::from_secs(60);

const WEB: &str = "  web:
    image: {name: IMAGE, ports: ['5432'], args: [/bin/busybox, sh, -c, 'echo got $SECRET; trap \"exit 0\" TERM; echo hello > /hello; /bin/busybox httpd -f -p 5432 -h / & wait']}
    env: {SECRET: sesame}
    needs: [load]
    ready_when: {port: 5432}
";

#[test]
fn a_service_with_an_image_is_a_service_like_any_other() {
    let project = project(WEB);
    let test_box = create(&project, &["--wait"]);
    let (name, id) = (test_box.name().to_owned(), inspect(&test_box, "web", "{{.Id}}"));
    assert_ne!(id, "");
    let answered = |what: &str| {
        wait_for(what, MINUTE, || {
            let output = test_box.exec("curl -s http://127.0.0.1:5432/hello");
            if output.stdout == "hello\n" {
                Ok(())
            } else {
                Err(output.to_string())
            }
        });
    };
    answered("the container's port");
    wait_until("its output", MINUTE, || {
        test_box.run("logs", &["web"]).ok().stdout.contains("got sesame")
    });
    let shown = test_box.processes_matching("sesame");
    assert!(
        shown.is_empty(),
        "values of variables are in command lines: {shown:?}"
    );

    // Stopped is stopped, and the next start is of the same container.
    test_box.run("stop", &["web"]).ok();
    assert_eq!(
        inspect(&test_box, "web", "{{.State.Running}} {{.State.ExitCode}}"),
        "false 0"
    );
    test_box.run("start", &["web"]).ok();
    answered("the same container");
    assert_eq!(inspect(&test_box, "web", "{{.Id}}"), id);

    // One that is restarted past us takes its service along, although it has ended without failure.
    let pid = test_box.pid("web");
    test_box.exec("docker restart web").ok();
    test_box.wait_unit("web", "a new client", |unit| {
        unit["state"] == "ready" && unit["pid"] != pid
    });
    assert_eq!(test_box.unit("web")["restarts"], 0);

    // Its end is the unit's, with its exit code.
    test_box.exec("docker kill web").ok();
    test_box.wait_unit("web", "a restart", |unit| unit["restarts"] == 1);
    let events = project.run(&["events", &name]).ok().stdout;
    assert!(events.contains("exit code 137"), "{events}");
    answered("the container after its end");

    // A client that is killed leaves nothing behind.
    let pid = test_box.pid("web");
    test_box.docker_exec(&format!("kill -9 {pid}")).ok();
    test_box.wait_unit("web", "another restart", |unit| unit["restarts"] == 2);
    answered("the container after its client's end");
    assert_eq!(test_box.exec("docker ps -q").ok().stdout.lines().count(), 1);

    // A changed definition is a new container, the same one after that.
    test_box
        .exec("sed -i s/sesame/barley/ /workspace/agentbox.yaml")
        .ok();
    test_box.run("reload", &[]).ok();
    test_box.run("wait", &[]).ok();
    answered("the changed container");
    assert_ne!(inspect(&test_box, "web", "{{.Id}}"), id);
    assert_eq!(test_box.exec("docker ps -aq").ok().stdout.lines().count(), 1);
    let log = test_box.run("logs", &["web"]).ok().stdout;
    assert!(log.contains("got barley"), "{log}");
}

#[test]
fn stop_start_and_pause_keep_containers_and_their_data() {
    let project = project(
        "  data:
    image: {name: IMAGE, args: [/bin/busybox, sh, -c, 'echo run >> /runs; trap \"exit 0\" TERM; /bin/busybox sleep 10000 & wait']}
    needs: [load]
",
    );
    let test_box = create(&project, &["--wait"]);
    let runs = || {
        wait_for("the container's file", MINUTE, || {
            let output = test_box.exec("docker exec data /bin/busybox cat /runs");
            if output.code == 0 {
                Ok(output.stdout.lines().count())
            } else {
                Err(output.to_string())
            }
        })
    };
    assert_eq!(runs(), 1);
    test_box.run("pause", &[]).ok();
    test_box.run("unpause", &[]).ok();
    assert_eq!(runs(), 1, "nothing restarts");
    assert_eq!(test_box.unit("data")["restarts"], 0);
    let stopped = test_box.run("stop", &[]).ok();
    assert!(
        stopped.elapsed < Duration::from_secs(9),
        "everything ends when asked: {stopped}"
    );
    test_box.run("start", &["--wait"]).ok();
    wait_until("the second run", MINUTE, || runs() == 2);
    let log = project
        .run(&["logs", test_box.name(), "--daemon", "docker"])
        .ok()
        .stdout;
    assert!(
        log.contains("Daemon shutdown complete"),
        "dockerd was not ended in order: {log}"
    );
}

/// A service that runs until it is stopped.
const IDLE: &str = "  idle:
    image: {name: IMAGE, args: [/bin/busybox, sh, -c, 'trap \"exit 0\" TERM; /bin/busybox sleep 10000 & wait']}
    needs: [load]
";

#[test]
fn a_container_has_its_variables_as_they_are_written() {
    // Names that no shell knows or that scripts like to use, variables that the docker client heeds, and a PATH without
    // anything of the box's.
    let project = project(
        "  app:
    image: {name: IMAGE, args: [/bin/busybox, sleep, '10000']}
    needs: [load]
    env:
      discovery.type: single-node
      image: mine
      name: mine
      now: mine
      PATH: /app/bin
      HOME: /nowhere
      DOCKER_HOST: tcp://192.0.2.1:1
      DOCKER_TLS_VERIFY: '1'
      DOCKER_API_VERSION: '1.2'
      EMPTY: ''
      KEY: \"-----BEGIN\\nEND-----\\n\"
",
    );
    let test_box = create(&project, &["--wait"]);
    let shown = inspect(&test_box, "app", "{{json .Config.Env}}");
    let mut variables: Vec<String> = serde_json::from_str(&shown).expect("a list");
    variables.sort();
    assert_eq!(
        variables,
        [
            "DOCKER_API_VERSION=1.2",
            "DOCKER_HOST=tcp://192.0.2.1:1",
            "DOCKER_TLS_VERIFY=1",
            "EMPTY=",
            "HOME=/nowhere",
            "KEY=-----BEGIN\nEND-----\n",
            "PATH=/app/bin",
            "discovery.type=single-node",
            "image=mine",
            "name=mine",
            "now=mine",
        ]
    );
}

#[test]
fn a_service_whose_image_is_missing_never_runs_and_says_so() {
    let project = Project::new(
        "services:
  db: {image: {name: 'nowhere.invalid/db:1'}, restart: never}
  web: {command: exec sleep 10000, needs: [db]}
",
    );
    let name = format!("{}-missing", project.name());
    let created = project
        .run(&[
            "create",
            "-y",
            "-n",
            &name,
            "--image",
            &images::docker(),
            "--docker",
            "--wait",
        ])
        .expect_code(1);
    created.complains(&[
        "service \"db\" crashed",
        "nowhere.invalid/db:1",
        "load or build it",
    ]);
    let test_box = TestBox::new(&project, &name);
    assert_eq!(test_box.unit("db")["exitCode"], 125);
    assert_eq!(test_box.unit("web")["blockedOn"][0], "db");
    let events = project.run(&["events", &name]).ok().stdout;
    assert!(events.contains("db  waiting → starting"), "{events}");
    assert!(!events.contains("→ running"), "no container ran: {events}");
    assert_eq!(test_box.unit("web")["pid"], serde_json::Value::Null);
    let log = test_box.run("logs", &["db"]).ok().stdout;
    assert!(
        log.contains("nowhere.invalid/db:1 is not in the box: pulling it"),
        "{log}"
    );
}

#[test]
fn what_a_runtime_left_behind_keeps_no_container_from_starting() {
    let project = project(IDLE);
    let test_box = create(&project, &["--wait"]);
    let id = inspect(&test_box, "idle", "{{.Id}}");
    test_box.run("stop", &["idle"]).ok();
    // As after a runtime that was killed in the middle.
    test_box
        .docker_exec(&format!("mkdir /run/docker/runtime-runc/moby/{id}"))
        .ok();
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(
        inspect(&test_box, "idle", "{{.Id}} {{.State.Running}}"),
        format!("{id} true")
    );
    // Nothing of what runs is in the box's file system, which a checkpoint copies.
    test_box.docker_exec("mountpoint -q /run/docker").ok();
}

#[test]
fn a_container_is_ended_whatever_it_is_called_and_whether_or_not_its_engine_answers() {
    let project = project(
        "  deaf:
    image: {name: IMAGE, args: [/bin/busybox, sh, -c, 'trap \"echo asked\" TERM; echo up; while :; do /bin/busybox sleep 0.1; done']}
    needs: [load]
    stop_timeout_ms: 900
",
    );
    let test_box = create(&project, &["--wait"]);
    let runs = |container: &str| inspect(&test_box, container, "{{.State.Running}}");
    let log = || test_box.run("logs", &["deaf"]).ok().stdout;
    wait_until("its first words", MINUTE, || log().contains("up"));
    test_box.exec("docker rename deaf other").ok();
    test_box
        .exec(&format!(
            "docker run -d --name deaf {} /bin/busybox sleep 10000",
            images::busybox()
        ))
        .ok();
    test_box.run("stop", &["deaf"]).ok();
    assert_eq!(
        (runs("other"), runs("deaf")),
        ("false".to_owned(), "true".to_owned())
    );
    assert!(
        log().contains("asked"),
        "its time begins with its stop signal: {}",
        log()
    );

    test_box.exec("docker rm -f deaf other").ok();
    test_box.run("start", &["deaf"]).ok();
    wait_for("the new container", MINUTE, || match runs("deaf").as_str() {
        "true" => Ok(()),
        other => Err(other.to_owned()),
    });
    signal_engine(&test_box, "STOP");
    let stopped = test_box.run("stop", &["deaf"]).ok();
    assert!(stopped.elapsed < Duration::from_secs(20), "{stopped}");
    let left = test_box.processes_matching("echo asked");
    assert!(left.is_empty(), "it is stopped and runs: {left:?}");
    signal_engine(&test_box, "CONT");
}
