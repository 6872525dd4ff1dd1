//! Checkpoints and boxes that start from them, against what the `docker` client does with the same content.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use agentbox_tests::repository::{commit_all, git};
use agentbox_tests::{Project, TestBox, engine};

use crate::measure::{Row, alternate, milliseconds, timed};
use crate::supervisor::idle_services;

/// Mebibytes of the large box, half of them in small files.
const LARGE: usize = 1024;
/// How often a large box is read by each side: even, so that each goes first equally often. The same call of the engine
/// takes a quarter longer now and then, for a few times in a row, whoever makes it.
const ROUNDS: usize = 6;
/// Files of the large project.
const FILES: usize = 20_000;
/// How many of them change after the checkpoint was taken.
const CHANGED: usize = 10;

/// Taking a checkpoint of a large box, as it is and with its layers flattened.
pub(crate) fn taking() -> Vec<Row> {
    let project = Project::new("services: {}\n");
    let large = project.create(&[]);
    fill(&large);
    let container = large.container();
    let name = |kind: &str, number: usize| format!("{kind}{number}");
    let (mut ours, mut theirs) = (0, 0);
    let (create, commit) = alternate(
        ROUNDS,
        || {
            ours += 1;
            let name = name("warm", ours);
            nix::unistd::sync();
            let elapsed = timed(project.command(&["checkpoint", "create", large.name(), "--name", &name]));
            project.run(&["checkpoint", "rm", &name]).ok();
            elapsed
        },
        || {
            theirs += 1;
            let tag = format!("agentbox-tests/bench-{}:{theirs}", project.name());
            nix::unistd::sync();
            let elapsed = timed(engine::command(&["commit", &container, &tag]));
            engine::docker(&["rmi", &tag]).ok();
            elapsed
        },
    );
    let mut rows = vec![Row::against(
        "checkpoint create, 1 GB, against docker commit",
        create,
        commit,
        1.15,
    )];
    // Stopped, so that both sides have the same work: a box that runs is committed first.
    large.run("stop", &[]).ok();
    let (flatten, import) = alternate(
        ROUNDS,
        || {
            ours += 1;
            let name = name("flat", ours);
            nix::unistd::sync();
            let elapsed =
                timed(project.command(&["checkpoint", "create", large.name(), "--name", &name, "--merged"]));
            project.run(&["checkpoint", "rm", &name]).ok();
            elapsed
        },
        || {
            theirs += 1;
            let tag = format!("agentbox-tests/bench-{}:{theirs}", project.name());
            nix::unistd::sync();
            let elapsed = export_import(&container, &tag);
            engine::docker(&["rmi", &tag]).ok();
            elapsed
        },
    );
    rows.push(Row::against(
        "checkpoint create --merged, 1 GB, against export | import",
        flatten,
        import,
        1.1,
    ));
    rows
}

/// Boxes from checkpoints, until their supervisors answer, against bare containers of the same images.
pub(crate) fn starting() -> Vec<Row> {
    let small = Project::new(&idle_services(2));
    small.file("README.md", "a small project\n");
    repository(&small);
    checkpoint(&small, "small");
    let large = Project::new(&idle_services(2));
    for number in 0..FILES {
        let path = format!("d{}/e{}/file{number}.txt", number % 100, number / 100 % 20);
        large.file(&path, format!("{number}\n").repeat(100));
    }
    repository(&large);
    checkpoint(&large, "large");
    for number in 0..CHANGED {
        let path = format!("d{number}/e0/file{number}.txt");
        large.file(&path, "changed since\n");
    }
    let image = image_of(&small);
    let mut number = 0;
    let mut next = move || {
        number += 1;
        number
    };
    let mut from_small = Vec::new();
    let mut from_large = Vec::new();
    let mut bare = Vec::new();
    for round in 0..8 {
        let times = (
            start(&small, next(), "small"),
            run(&small, next(), &image),
            start(&large, next(), "large"),
        );
        // The first fills caches.
        if round > 0 {
            from_small.push(times.0);
            bare.push(times.1);
            from_large.push(times.2);
        }
    }
    let middle = crate::measure::median;
    let (from_small, from_large, bare) = (middle(from_small), middle(from_large), middle(bare));
    vec![
        Row::beyond(
            "create --from, small project, beyond docker run -d",
            from_small,
            bare,
            150.0,
        ),
        Row::beyond(
            "create --from, 20,000 files, 10 changed, beyond the small",
            from_large,
            from_small,
            500.0,
        ),
    ]
}

/// Freezing and thawing.
pub(crate) fn freezing() -> Vec<Row> {
    let project = Project::new(&idle_services(2));
    let test_box = project.create(&["--wait"]);
    let (name, container) = (test_box.name(), test_box.container());
    let (mut pause, mut docker_pause) = (Vec::new(), Vec::new());
    let (mut unpause, mut docker_unpause) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        pause.push(timed(project.command(&["pause", name])));
        unpause.push(timed(project.command(&["unpause", name])));
        docker_pause.push(timed(engine::command(&["pause", &container])));
        docker_unpause.push(timed(engine::command(&["unpause", &container])));
    }
    let middle = crate::measure::median;
    vec![
        Row::against(
            "agentbox pause, against docker pause",
            middle(pause),
            middle(docker_pause),
            1.1,
        ),
        Row::against(
            "agentbox unpause, against docker unpause",
            middle(unpause),
            middle(docker_unpause),
            1.1,
        ),
    ]
}

/// Large and small files that no compression could shrink.
fn fill(test_box: &TestBox<'_>) {
    let half = LARGE / 2;
    test_box
        .docker_exec(&format!(
            "mkdir -p /workspace/many && cd /workspace/many && \
             dd if=/dev/urandom of=../one bs=1M count={half} 2>/dev/null && \
             split -b 64k -a 5 ../one part && chown -R developer ."
        ))
        .ok();
}

/// `docker export CONTAINER | docker import - TAG`, in milliseconds.
fn export_import(container: &str, tag: &str) -> f64 {
    let begun = Instant::now();
    let mut export = engine::command(&["export", container])
        .stdout(Stdio::piped())
        .spawn()
        .expect("docker can be started");
    let mut import: Command = engine::command(&["import", "-", tag]);
    import
        .stdin(export.stdout.take().expect("a pipe"))
        .stdout(Stdio::null());
    let status = import.status().expect("docker can be started");
    let elapsed = milliseconds(begun.elapsed());
    assert!(status.success() && export.wait().is_ok_and(|status| status.success()));
    elapsed
}

fn repository(project: &Project) {
    git(project, &["init", "--quiet", "."]);
    git(project, &["config", "gc.auto", "0"]);
    commit_all(project);
}

/// Takes a checkpoint of a fresh box and removes that.
fn checkpoint(project: &Project, name: &str) {
    let test_box = project.create(&["--wait"]);
    project
        .run(&["checkpoint", "create", test_box.name(), "--name", name])
        .ok();
    test_box.run("destroy", &["-f", "--discard"]).ok();
}

/// Id of the one checkpoint of a project.
fn image_of(project: &Project) -> String {
    let directory = fs::canonicalize(project.directory()).expect("the project is there");
    let own = format!("label=dev.agentbox.project={}", directory.display());
    let filter = [
        "images",
        "-q",
        "--no-trunc",
        "--filter",
        "label=dev.agentbox.checkpoint",
        "--filter",
        &own,
    ];
    let listed = engine::docker(&filter).ok().stdout;
    listed.lines().next().expect("a checkpoint").to_owned()
}

/// `create --from`, in milliseconds.
fn start(project: &Project, number: usize, checkpoint: &str) -> f64 {
    let name = format!("{}-from{number}", project.name());
    nix::unistd::sync();
    let elapsed = timed(project.command(&["create", "-y", "-n", &name, "--from", checkpoint]));
    project.run(&["destroy", "-f", "--discard", &name]).ok();
    elapsed
}

/// `docker run -d`, in milliseconds.
fn run(project: &Project, number: usize, image: &str) -> f64 {
    let name = format!("{}-run{number}", project.name());
    let label = format!("dev.agentbox.project={}", project.directory().display());
    nix::unistd::sync();
    let elapsed = timed(engine::command(&[
        "run", "-d", "--name", &name, "--label", &label, image, "sleep", "1000",
    ]));
    engine::remove(&[name]);
    elapsed
}
