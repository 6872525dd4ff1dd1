//! Checkpoints: taken in every state, kept whole, listed, named, flattened, removed.

use agentbox_tests::checkpoints::{list, take, warm};
use agentbox_tests::{Project, engine, images};
use serde_json::{Value, json};

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";

#[test]
fn a_box_is_saved_in_every_state_and_stays_in_it() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    test_box.exec("echo one > /workspace/made").ok();
    let pid = test_box.pid("web");
    let running = take(&project, &test_box, &["--name", "running"]);
    assert_eq!(
        (&running["state"], &running["depth"]),
        (&json!("running"), &json!(1))
    );
    assert!(running["pausedMs"].is_u64(), "{running}");
    assert_eq!(test_box.status_json()["box"]["state"], "running");
    assert_eq!(test_box.pid("web"), pid, "nothing restarts");
    test_box.run("pause", &[]).ok();
    let paused = take(&project, &test_box, &["--name", "paused"]);
    let flat = take(&project, &test_box, &["--name", "paused-flat", "--merged"]);
    assert_eq!(
        (&paused["state"], &paused["pausedMs"]),
        (&json!("paused"), &Value::Null)
    );
    assert_eq!(flat["depth"], 0);
    assert_eq!(test_box.status_json()["box"]["state"], "paused");
    test_box.run("unpause", &[]).ok();
    assert_eq!(test_box.pid("web"), pid, "nothing restarts");
    let said = project
        .run(&[
            "checkpoint",
            "create",
            test_box.name(),
            "--name",
            "flat",
            "--merged",
        ])
        .ok();
    assert!(said.stderr.contains("was paused for"), "{said}");
    assert_eq!(test_box.pid("web"), pid, "nothing restarts");
    let said = project
        .run(&[
            "snapshot",
            "create",
            test_box.name(),
            "--name",
            "stopped",
            "--stop",
        ])
        .ok();
    assert!(said.stderr.contains("is stopped"), "{said}");
    assert_eq!(said.stdout, "stopped\n");
    assert_eq!(test_box.status_json()["box"]["state"], "stopped");
    for checkpoint in ["running", "paused", "paused-flat", "flat", "stopped"] {
        let copy = warm(&project, checkpoint, checkpoint, &["--no-resync", "--wait"]);
        assert_eq!(
            copy.exec("cat /workspace/made").ok().stdout,
            "one\n",
            "{checkpoint}"
        );
        assert_eq!(copy.unit("web")["state"], "running");
        let image = copy.status_json()["box"]["image"].clone();
        assert!(
            image
                .as_str()
                .is_some_and(|image| image.ends_with(&format!(":{checkpoint}"))),
            "{image}"
        );
        copy.run("destroy", &["-f", "--discard"]).ok();
    }
    // Nothing but the five is left of it all.
    assert_eq!(project.images().len(), 5);
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn the_image_runs_as_the_one_that_the_box_was_made_from() {
    let project = Project::new(YAML);
    let image = images::configured();
    let test_box = project.create_from(&image, &[]);
    take(&project, &test_box, &["--name", "one"]);
    let second = warm(&project, "one", "second", &[]);
    take(&project, &second, &["--name", "two"]);
    take(&project, &second, &["--name", "flat", "--merged"]);
    let original = engine::inspect(&image).expect("the image is there")["Config"].clone();
    for row in list(&project) {
        let tag = row["tag"].as_str().expect("a checkpoint has a tag");
        let config = engine::inspect(tag).expect("its image is there")["Config"].clone();
        for key in [
            "User",
            "Env",
            "Cmd",
            "Entrypoint",
            "WorkingDir",
            "Volumes",
            "Healthcheck",
            "OnBuild",
        ] {
            assert_eq!(config[key], original[key], "{key} of {tag}");
        }
        // Those of the original, and the one that every box publishes.
        let ports: Vec<&String> = config["ExposedPorts"]
            .as_object()
            .expect("it has ports")
            .keys()
            .collect();
        assert!(
            ports
                .iter()
                .all(|port| ["5432/tcp", "53/udp", "80/tcp"].contains(&port.as_str()))
        );
        assert!(ports.len() >= 2, "{ports:?}");
        let labels = &config["Labels"];
        for key in ["org.example.text", "org.example.json"] {
            assert_eq!(labels[key], original["Labels"][key], "{tag}");
        }
        // A container that somebody runs from it is no box.
        assert_eq!(labels["dev.agentbox.id"], "");
        assert_eq!(labels["dev.agentbox.checkpoint"], row["name"]);
        assert_eq!(labels["dev.agentbox.checkpoint.owner"], "1234:1234");
        assert_eq!(row["image"], json!(image));
    }
    let stranger = format!("stranger-{}", project.name());
    let tag = list(&project)[0]["tag"].as_str().unwrap_or_default().to_owned();
    engine::docker(&["create", "--name", &stranger, &tag]).ok();
    let boxes = project.run(&["list", "--json"]).ok().json();
    let refused = project.run(&["checkpoint", "rm", &tag]);
    engine::docker(&["rm", "-v", &stranger]).ok();
    assert_eq!(boxes.as_array().map(Vec::len), Some(2), "{boxes}");
    refused.expect_code(1).complains(&["in use"]);
}

#[test]
fn a_frozen_box_has_the_checkpoint_s_own_configuration() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &[]);
    test_box
        .exec("echo 'services: {other: {command: exec sleep 1000}}' > /workspace/agentbox.yaml")
        .ok();
    take(&project, &test_box, &["--name", "good"]);
    test_box
        .exec("echo 'services: {other: {comand: x}}' > /workspace/agentbox.yaml")
        .ok();
    take(&project, &test_box, &["--name", "bad"]);
    let copy = warm(&project, "good", "frozen", &["--no-resync", "--wait"]);
    assert_eq!(copy.unit("other")["state"], "running");
    let before = project.containers().len();
    project
        .run(&[
            "create",
            "-y",
            "-n",
            &format!("{}-bad", project.name()),
            "--from",
            "bad",
            "--no-resync",
        ])
        .expect_code(2)
        .complains(&["bad:agentbox.yaml:1", "comand"]);
    assert_eq!(project.containers().len(), before);
    // The project's own is what counts otherwise.
    let synced = warm(&project, "bad", "synced", &["--wait"]);
    assert_eq!(synced.unit("web")["state"], "running");
}

#[test]
fn thirty_in_a_row_stay_flat_enough_and_each_restores() {
    let project = Project::new("");
    let mut test_box = project.create_from(&images::busybox(), &[]);
    let mut depths = Vec::new();
    for round in 1..=30 {
        test_box
            .exec(&format!(
                "echo {round} > /workspace/made-{round}; echo {round} >> /workspace/all"
            ))
            .ok();
        let name = format!("c{round}");
        let taken = take(&project, &test_box, &["--name", &name]);
        depths.push(taken["depth"].as_u64().unwrap_or(99));
        let layers = engine::inspect(taken["tag"].as_str().unwrap_or_default())
            .and_then(|image| image["RootFS"]["Layers"].as_array().map(Vec::len));
        assert!(
            layers.is_some_and(|layers| layers <= 5),
            "{layers:?} in round {round}"
        );
        let next = warm(&project, &name, &format!("r{round}"), &["--no-resync"]);
        let lines = next
            .exec("cat /workspace/all; ls /workspace | grep -c made-")
            .ok()
            .stdout;
        assert_eq!(lines.lines().count(), round + 1, "{lines}");
        assert_eq!(lines.lines().last(), Some(&*round.to_string()));
        test_box.run("destroy", &["-f", "--discard"]).ok();
        test_box = next;
    }
    assert_eq!(depths[..9], [1, 2, 3, 0, 1, 2, 3, 0, 1]);
    let rows = list(&project);
    assert_eq!(rows.len(), 30);
    let parents = rows[29]["parents"].as_array().cloned().unwrap_or_default();
    assert_eq!((parents.len(), &parents[0]["name"]), (29, &json!("c29")));
}

#[test]
fn flattening_keeps_everything_but_what_nobody_wants() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--cap-add", "MKNOD"]);
    let long = "l".repeat(200);
    test_box
        .docker_exec(&format!(
            "set -e
             cp /bin/cat /opt/capable; setcap cap_net_bind_service+ep /opt/capable
             echo x > /opt/a; ln /opt/a /opt/b; ln -s /opt/a /opt/soft
             mknod /opt/null c 1 3; mkfifo /opt/pipe
             mkdir -p /opt/{long}/{long}; echo deep > /opt/{long}/{long}/{long}
             touch /opt/$(printf '\\377\\376'); chown 7:8 /opt/a; chmod 4711 /opt/a
             touch -d @1000000000.5 /opt/old
             echo t > /tmp/linked; ln /tmp/linked /usr/from-tmp; echo gone > /tmp/gone
             echo secret > /root/.bash_history; echo l > /var/log/agentbox/web.log
             mkdir -p /root/.local/share/fish; echo secret > /root/.local/share/fish/fish_history
             mkdir -p /var/lib/apt/lists; echo l > /var/lib/apt/lists/x"
        ))
        .ok();
    take(&project, &test_box, &["--name", "flat", "--merged"]);
    let tag = list(&project)[0]["tag"].as_str().unwrap_or_default().to_owned();
    let look = format!(
        "getcap /opt/capable; stat -c '%a %u %g %h' /opt/a; readlink /opt/soft; stat -c %F /opt/null /opt/pipe
         stat -c '%i' /opt/a /opt/b | sort -u | wc -l; cat /opt/{long}/{long}/{long} /usr/from-tmp
         stat -c %Y /opt/old; ls /opt | wc -l; ls -A /tmp /var/log/agentbox /var/lib/apt/lists; ls -AR /root"
    );
    let said = engine::docker(&["run", "--rm", "-u", "0", "--entrypoint", "sh", &tag, "-c", &look]).ok();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(
        lines[..9],
        [
            "/opt/capable cap_net_bind_service=ep",
            "4711 7 8 2",
            "/opt/a",
            "character special file",
            "fifo",
            "1",
            "deep",
            "t",
            "1000000000",
        ],
        "{said}"
    );
    assert_eq!(lines[9], "9");
    assert!(
        !said.stdout.contains("gone") && !said.stdout.contains("_history"),
        "{said}"
    );
    // Another name of a file that is kept is kept.
    assert!(lines.contains(&"linked"), "{said}");
    assert!(!lines.contains(&"web.log") && !lines.contains(&"x"), "{said}");
    // And the box has all of it still.
    test_box.docker_exec("cat /tmp/gone /root/.bash_history").ok();
}
