//! Creation: atomic, interruptible at any point, side by side.

use std::time::Duration;

use agentbox_tests::gate::Gate;
use agentbox_tests::process::{PATIENCE, Running};
use agentbox_tests::{Project, TestBox, engine, images, wait_until};
use nix::sys::signal::Signal;

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";

#[test]
fn an_interrupted_create_leaves_nothing_behind() {
    let project = Project::new(YAML);
    let image = images::base();
    let whole = whole_duration(&project, &image);
    for (round, signal) in (0..8).flat_map(|round| [(round, Signal::SIGINT), (round, Signal::SIGTERM)]) {
        let name = format!("{}-i{round}", project.name());
        let mut create = project.start(&["create", "-n", &name, "--image", &image]);
        let moment = whole * round / 7;
        let start = std::time::Instant::now();
        // The moment of the signal is what is tested.
        wait_until("the moment of the signal", Duration::from_secs(60), || {
            start.elapsed() >= moment || create.exited()
        });
        create.signal(signal);
        let output = create.finish(Duration::from_secs(60));
        if output.code == 0 {
            project.run(&["destroy", "-f", &name]).ok();
        } else {
            let listed = project.run(&["list", "--json"]).ok().json();
            assert_eq!(
                listed,
                serde_json::json!([]),
                "after {signal} in round {round}: {output}"
            );
        }
        let left = project.containers();
        assert!(
            left.is_empty(),
            "{signal} in round {round} left {left:?}: {output}"
        );
    }
}

#[test]
fn a_killed_create_is_invisible_and_prune_removes_it() {
    let project = Project::new(YAML);
    let image = images::base();
    let whole = whole_duration(&project, &image);
    let mut half_made = 0;
    for round in 0..10 {
        let name = format!("{}-k{round}", project.name());
        let mut create = project.start(&["create", "-n", &name, "--image", &image]);
        let moment = whole * round / 9;
        let start = std::time::Instant::now();
        wait_until("the moment of the kill", Duration::from_secs(60), || {
            start.elapsed() >= moment || create.exited()
        });
        create.signal(Signal::SIGKILL);
        create.finish(Duration::from_secs(60));
        let listed = project.run(&["list", "--json"]).ok().json();
        let containers = project.containers();
        let volumes: Vec<String> = containers.iter().flat_map(|id| engine::volumes_of(id)).collect();
        if listed == serde_json::json!([]) {
            half_made += containers.len();
            for verb in ["status", "exec", "stop"] {
                project
                    .run(&[verb, &name, "true"][..if verb == "exec" { 3 } else { 2 }])
                    .expect_code(3);
            }
        } else {
            // It was complete: a box like any other, whose maker's end changes nothing.
            assert_eq!(listed[0]["name"], *name);
            project.run(&["destroy", "-f", &name]).ok();
        }
        project.run(&["prune", "-f"]).ok();
        let left = project.containers();
        assert!(left.is_empty(), "prune missed {left:?} in round {round}");
        let left: Vec<String> = engine::volumes()
            .into_iter()
            .filter(|volume| volumes.contains(volume))
            .collect();
        assert!(
            left.is_empty(),
            "prune missed the volumes {left:?} in round {round}"
        );
    }
    assert!(
        half_made > 0,
        "no kill hit a create half-way; the moments of this test are wrong"
    );
}

/// How long a whole create takes here.
fn whole_duration(project: &Project, image: &str) -> Duration {
    let name = format!("{}-whole", project.name());
    let output = project.run(&["create", "-n", &name, "--image", image]).ok();
    project.run(&["destroy", "-f", &name]).ok();
    output.elapsed
}

#[test]
fn prune_leaves_a_box_alone_that_is_being_made() {
    let project = Project::new(YAML);
    let name = format!("{}-slow", project.name());
    let create = project.start(&["create", "-n", &name, "--image", &images::base()]);
    let mut create = create;
    while !create.exited() {
        project.run(&["prune", "-f"]).ok();
    }
    create.finish(Duration::from_secs(60)).ok();
    project.run(&["status", &name]).ok();
}

#[test]
fn a_box_that_gets_whole_while_prune_looks_around_is_left_alone() {
    let project = Project::new("services: {}\n");
    let (image, name) = (images::base(), format!("{}-whole", project.name()));
    let before_the_name = Gate::before("/rename?");
    let mut create = project.command(&["create", "-n", &name, "--image", &image]);
    create.env("DOCKER_HOST", before_the_name.url());
    let create = Running::spawn(create);
    before_the_name.reached();
    // Prune has seen a half-made box, and goes on when the process that made it is gone.
    let after_the_look = Gate::before("/images/json?");
    let mut prune = project.command(&["prune", "-f"]);
    prune.env("DOCKER_HOST", after_the_look.url());
    let prune = Running::spawn(prune);
    after_the_look.reached();
    before_the_name.open();
    create.finish(PATIENCE).ok();
    after_the_look.open();
    prune.finish(PATIENCE).ok();
    TestBox::new(&project, &name).exec("true").ok();
}

#[test]
fn three_boxes_of_one_project_have_a_port_3000_and_data_of_their_own() {
    let project = Project::new(
        "services:\n  web: {command: 'cat id > page; exec python3 -m http.server 3000 --bind 127.0.0.1', expose: {port: 3000}, needs: [mark]}\n\
         tasks: {mark: {command: echo $AGENTBOX_BOX_NAME > id}}\n",
    );
    let boxes: Vec<_> = (0..3).map(|_| project.create(&["--wait"])).collect();
    let mut urls = std::collections::BTreeSet::new();
    for test_box in &boxes {
        let url = test_box.run("url", &[]).ok().stdout.trim().to_owned();
        let mut curl = std::process::Command::new("curl");
        curl.args([
            "-fsS",
            "--max-time",
            "10",
            &format!("{}/page", url.trim_end_matches('/')),
        ]);
        let page = agentbox_tests::process::run(curl, Duration::from_secs(20))
            .ok()
            .stdout;
        assert_eq!(page.trim(), test_box.name());
        urls.insert(url);
    }
    assert_eq!(urls.len(), 3, "{urls:?}");
    assert_eq!(
        project
            .run(&["list", "--json"])
            .ok()
            .json()
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    assert_eq!(
        Project::new("").run(&["list", "--json"]).ok().json(),
        serde_json::json!([]),
        "of another project"
    );
}

#[test]
fn names_come_from_the_directory_and_count_up_even_side_by_side() {
    let project = Project::new(YAML);
    let image = images::base();
    let creates: Vec<_> = (0..3)
        .map(|_| project.start(&["create", "--image", &image]))
        .collect();
    for create in creates {
        create.finish(Duration::from_secs(120)).ok();
    }
    let listed = project.run(&["list", "--json"]).ok().json();
    let mut names: Vec<&str> = listed
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    names.sort_unstable();
    let base = project.name();
    assert_eq!(names, [base.to_owned(), format!("{base}-2"), format!("{base}-3")]);
}

#[test]
fn the_workspace_is_the_project_without_what_git_ignores() {
    let project = Project::new(YAML);
    project.file(".gitignore", "ignored\n*.tmp\nagentbox.yaml\n");
    project.file("src/main.txt", "source\n");
    project.file("ignored/secret", "secret\n");
    project.file("a.tmp", "temporary\n");
    project.file(".hidden", "hidden\n");
    project.executable("run.sh", "#!/bin/sh\necho ran\n");
    std::os::unix::fs::symlink("src/main.txt", project.directory().join("link")).expect("a link can be made");
    let mut git = std::process::Command::new("git");
    git.args(["init", "-q"]);
    project.hermetic(&mut git);
    agentbox_tests::process::run(git, Duration::from_secs(20)).ok();
    let test_box = project.create(&["--wait"]);
    assert_eq!(
        test_box
            .exec("cat src/main.txt link .hidden; ./run.sh")
            .ok()
            .stdout,
        "source\nsource\nhidden\nran\n"
    );
    test_box.exec("test ! -e ignored && test ! -e a.tmp").ok();
    // The configuration is there, ignored or not, and the box user owns the tree.
    test_box
        .exec("test -s agentbox.yaml && touch src/new && rm src/main.txt")
        .ok();
    assert!(
        project.directory().join("src/main.txt").exists(),
        "the host's copy is untouched"
    );
}

#[test]
fn a_create_that_fails_late_leaves_nothing() {
    let project = Project::new(YAML);
    project
        .run(&["create", "--image", "agentbox-tests/there-is-no:such"])
        .expect_code(1)
        .complains(&["hint: "]);
    project
        .run(&[
            "create",
            "--image",
            &images::base(),
            "--network",
            "there-is-no-such-network",
        ])
        .expect_code(2);
    assert!(project.containers().is_empty());
}

#[test]
fn a_box_that_is_not_ready_stays_and_create_wait_says_why() {
    let project = Project::new("tasks: {broken: {command: exit 6}}\n");
    let name = format!("{}-w", project.name());
    project
        .run(&["create", "-n", &name, "--image", &images::base(), "--wait"])
        .expect_code(1)
        .complains(&["broken", "6"]);
    project.run(&["status", &name]).ok();
}
