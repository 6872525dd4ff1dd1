//! What is left of a checkpoint when something dies on the way: nothing, or all of it; and the box as it was.

use std::time::{Duration, Instant};

use agentbox_tests::checkpoints::list;
use agentbox_tests::own_engine::OwnEngine;
use agentbox_tests::{Project, TestBox, engine, images, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";
/// How long the engine may take to end what nobody waits for any more.
const LIMIT: Duration = Duration::from_secs(120);

/// Fills a file of a box with what no file system stores for nothing.
#[track_caller]
fn fill(test_box: &TestBox<'_>, mebibytes: u32) {
    test_box
        .exec(&format!(
            "busybox dd if=/dev/urandom of=/workspace/big bs=1M count={mebibytes} 2>/dev/null &&
             busybox sha256sum /workspace/big > /workspace/sum"
        ))
        .ok();
}

#[test]
fn a_killed_checkpoint_is_none_or_whole() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    let pid = test_box.pid("web");
    fill(&test_box, 100);
    for (kind, arguments) in [("commit", &[][..]), ("flatten", &["--merged"][..])] {
        let begin = Instant::now();
        let whole = |name: &str| {
            let all = [
                &["checkpoint", "create", test_box.name(), "--name", name][..],
                arguments,
            ]
            .concat();
            all.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        project.run(&whole(&format!("{kind}-whole"))).ok();
        let duration = begin.elapsed();
        for round in 0..6_u32 {
            let name = format!("{kind}-{round}");
            let mut taking = project.start(&whole(&name));
            let (moment, start) = (duration * round / 5, Instant::now());
            wait_until("the moment of the kill", LIMIT, || {
                start.elapsed() >= moment || taking.exited()
            });
            taking.signal(Signal::SIGKILL);
            taking.finish(LIMIT);
            // The engine goes on with what it has begun, and thaws the box by itself.
            wait_until("the engine to thaw the box", LIMIT, || {
                test_box.inspect()["State"]["Paused"] == json!(false)
            });
            assert_eq!(test_box.pid("web"), pid, "{name}");
            for row in list(&project) {
                let tag = row["tag"].as_str().unwrap_or_default();
                let check = [
                    "run",
                    "--rm",
                    "--entrypoint",
                    "busybox",
                    tag,
                    "sha256sum",
                    "-c",
                    "/workspace/sum",
                ];
                engine::docker(&check).ok();
            }
        }
    }
    // What came out without a name, or in between, goes when nobody makes it any more. The engine may still be at it.
    let named = list(&project).len();
    wait_until("everything else to be gone", LIMIT, || {
        project.run(&["prune", "-f"]).ok();
        project.images().len() == named && project.containers().len() == 1
    });
    test_box.exec("busybox sha256sum -c /workspace/sum").ok();
}

#[test]
fn an_interrupted_checkpoint_is_none() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    fill(&test_box, 100);
    for arguments in [&[][..], &["--merged"][..]] {
        let all = [
            &["checkpoint", "create", test_box.name(), "--name", "x"][..],
            arguments,
        ]
        .concat();
        let mut taking = project.start(&all);
        wait_until("the engine to freeze the box", LIMIT, || {
            taking.exited() || test_box.inspect()["State"]["Paused"] == json!(true)
        });
        taking.signal(Signal::SIGINT);
        let output = taking.finish(LIMIT);
        assert!(output.code == 130 || output.code == 0, "{output}");
        assert_eq!(list(&project).len(), usize::from(output.code == 0), "{output}");
        if output.code == 0 {
            project.run(&["checkpoint", "rm", "x"]).ok();
        }
        assert_eq!(test_box.inspect()["State"]["Paused"], json!(false));
        assert!(
            project.images().is_empty() && project.containers().len() == 1,
            "{output}"
        );
    }
}

#[test]
fn what_comes_while_a_box_is_frozen_waits_until_it_is_saved() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    fill(&test_box, 100);
    for (verb, arguments, state) in [
        ("exec", &["--", "busybox", "true"][..], "running"),
        ("unpause", &[], "running"),
        ("start", &[], "running"),
        ("pause", &[], "paused"),
        ("stop", &[], "exited"),
        ("destroy", &["-f"], ""),
    ] {
        if verb == "destroy" {
            test_box.run("start", &[]).ok();
        }
        let mut taking = project.start(&["checkpoint", "create", test_box.name(), "--name", verb]);
        wait_until("the engine to freeze the box", LIMIT, || {
            taking.exited() || test_box.inspect()["State"]["Paused"] == json!(true)
        });
        let said = test_box.run(verb, arguments).ok();
        // It was neither thawed for that nor taken for one that its user has paused.
        assert!(
            !said.stderr.contains("thawed") && !said.stderr.contains("paused already"),
            "{said}"
        );
        let taken = taking.finish(LIMIT).ok();
        assert!(taken.stderr.contains("was paused for"), "{taken}");
        let now = engine::inspect(&test_box.container()).unwrap_or_default();
        assert_eq!(
            now["State"]["Status"].as_str().unwrap_or_default(),
            state,
            "{verb}"
        );
        if state == "paused" {
            test_box.run("unpause", &[]).ok();
        }
    }
}

#[test]
fn a_full_disk_leaves_no_image_and_the_box_running() {
    let image = images::busybox();
    let own = OwnEngine::start(200);
    own.load(&image);
    let project = Project::on(&own, YAML);
    let test_box = project.create_from(&image, &["--wait"]);
    fill(&test_box, 60);
    let pid = test_box.pid("web");
    project.run(&["checkpoint", "create", "--name", "fits"]).ok();
    let images = own.docker(&["images", "-aq"]).ok().stdout;
    fill(&test_box, 90);
    for arguments in [&[][..], &["--merged"][..], &["--replace", "--name", "fits"][..]] {
        let all = [&["checkpoint", "create"][..], arguments].concat();
        project.run(&all).expect_code(1).complains(&[
            "cannot take a checkpoint",
            "no space left",
            "agentbox df",
        ]);
        assert_eq!(own.docker(&["images", "-aq"]).ok().stdout, images);
        assert_eq!(list(&project).len(), 1);
        assert_eq!(own.docker(&["ps", "-aq"]).ok().stdout.lines().count(), 1);
        assert_eq!(test_box.pid("web"), pid);
    }
    test_box.exec("busybox sha256sum -c /workspace/sum").ok();
}

#[test]
fn an_engine_that_goes_away_leaves_no_half_image() {
    let image = images::busybox();
    let mut own = OwnEngine::start(1500);
    own.load(&image);
    let project = Project::on(&own, YAML);
    let test_box = project.create_from(&image, &["--wait"]);
    fill(&test_box, 200);
    for (round, signal) in [Signal::SIGTERM, Signal::SIGKILL].into_iter().enumerate() {
        for (kind, arguments) in [("commit", &[][..]), ("flatten", &["--merged"][..])] {
            let name = format!("{kind}-{round}");
            let all = [
                &["checkpoint", "create", test_box.name(), "--name", &name][..],
                arguments,
            ]
            .concat();
            let mut taking = project.start(&all);
            let is_paused = || {
                let state = own.docker(&["inspect", "-f", "{{.State.Paused}}", &test_box.container()]);
                state.stdout.trim() == "true"
            };
            wait_until("the engine to freeze the box", LIMIT, || {
                taking.exited() || is_paused()
            });
            own.end(signal);
            let output = taking.finish(LIMIT);
            own.restart();
            // Whether its processes were ended with the engine or not: it is a box, and runs when it is told to.
            project.run(&["start", test_box.name()]).ok();
            test_box.exec("busybox sha256sum -c /workspace/sum").ok();
            let rows = list(&project);
            let is_there = rows.iter().any(|row| row["name"] == name.as_str());
            assert!(output.code != 0 || is_there, "{signal} in {name}: {output}");
            for row in rows {
                let tag = row["tag"].as_str().unwrap_or_default();
                let check = [
                    "run",
                    "--rm",
                    "--entrypoint",
                    "busybox",
                    tag,
                    "sha256sum",
                    "-c",
                    "/workspace/sum",
                ];
                own.docker(&check).ok();
            }
            project.run(&["prune", "-f"]).ok();
            let left = own.docker(&["ps", "-aq"]).ok().stdout;
            assert_eq!(left.lines().count(), 1, "{signal} in {name}: {output}");
        }
    }
    project
        .run(&["checkpoint", "create", test_box.name(), "--name", "at-last"])
        .ok();
}

#[test]
fn a_box_that_writes_is_saved_as_by_a_loss_of_power() {
    let project = Project::new(
        "services:
  database: {command: [python3, /workspace/write.py]}
  history: {command: 'cd /workspace/history && while :; do date +%N >> f; git add f; git commit -qm x; done'}
",
    );
    project.file(
        "write.py",
        "import sqlite3, os
db = sqlite3.connect('/workspace/data.db', isolation_level=None)
db.execute('create table if not exists t (a integer primary key, b text)')
while True:
    db.execute('begin')
    for _ in range(50):
        db.execute('insert into t (b) values (?)', (os.urandom(500).hex(),))
    db.execute('delete from t where a % 7 = 0')
    db.execute('commit')
",
    );
    project.file("history/.keep", "");
    project.file(
        "prepare.sh",
        "cd /workspace/history && git init -q . && git config user.email a@b && git config user.name a",
    );
    let test_box = project.create(&[]);
    test_box.exec("sh /workspace/prepare.sh").ok();
    test_box.run("restart", &["history"]).ok();
    test_box.wait_state("database", "running");
    wait_until("both to have written", LIMIT, || {
        test_box
            .exec("test -s /workspace/data.db && git -C /workspace/history rev-parse HEAD~3")
            .code
            == 0
    });
    for (name, arguments) in [
        ("layered", &[][..]),
        ("layered-2", &[][..]),
        ("flat", &["--merged"][..]),
    ] {
        let all = [
            &["checkpoint", "create", test_box.name(), "--name", name][..],
            arguments,
        ]
        .concat();
        project.run(&all).ok();
    }
    for row in list(&project) {
        let tag = row["tag"].as_str().unwrap_or_default();
        let script = "cd /workspace/history && git fsck --full --strict 2>&1 && git rev-parse HEAD~3 &&
            python3 -c \"import sqlite3; db = sqlite3.connect('/workspace/data.db'); \
print(db.execute('pragma integrity_check').fetchone()[0], db.execute('select count(*) > 0 from t').fetchone()[0])\"";
        let checked = engine::docker(&["run", "--rm", "--entrypoint", "sh", tag, "-c", script]).ok();
        assert_eq!(checked.stdout.lines().last(), Some("ok 1"), "{tag}: {checked}");
        assert!(
            !checked.stdout.contains("error") && !checked.stdout.contains("missing"),
            "{checked}"
        );
    }
    assert_eq!(test_box.unit("database")["restarts"], 0);
}
