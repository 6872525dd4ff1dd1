//! Names of checkpoints: given, taken over, defaults, removed; and several at once.

use std::process::Command;

use agentbox_tests::checkpoints::{list, take, warm};
use agentbox_tests::process::{PATIENCE, run};
use agentbox_tests::{Project, TestBox, engine, images};
use serde_json::{Value, json};

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";

#[track_caller]
fn names(project: &Project) -> Vec<String> {
    let of = |row: &Value| row["name"].as_str().unwrap_or_default().to_owned();
    list(project).iter().map(of).collect()
}

#[test]
fn one_of_several_at_once_gets_the_name() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    let create = |more: &[&str]| project.start(&[&["checkpoint", "create", test_box.name()], more].concat());
    let all: Vec<_> = (0..5).map(|_| create(&["--name", "same"])).collect();
    let ended: Vec<_> = all.into_iter().map(|one| one.finish(PATIENCE)).collect();
    assert_eq!(ended.iter().filter(|one| one.code == 0).count(), 1, "{ended:?}");
    for lost in ended.iter().filter(|one| one.code != 0) {
        assert!(
            lost.stderr.contains("there is a checkpoint `same` already"),
            "{lost}"
        );
    }
    assert_eq!(names(&project), ["same"]);
    // Nothing is left of those that lost, nor of who waited for whom.
    assert_eq!((project.images().len(), project.containers().len()), (1, 1));

    let all: Vec<_> = (0..4).map(|_| create(&[])).collect();
    let ended: Vec<_> = all.into_iter().map(|one| one.finish(PATIENCE).ok()).collect();
    // Each of them had the box frozen for itself, until it had read all.
    assert!(
        ended.iter().all(|one| one.stderr.contains("was paused for")),
        "{ended:?}"
    );
    let mut given: Vec<_> = ended.into_iter().map(|one| one.stdout).collect();
    given.sort();
    let numbered = |number: &str| format!("{}{number}\n", test_box.name());
    assert_eq!(given, ["", "-2", "-3", "-4"].map(numbered));
    let fourth = format!("{}-4", test_box.name());
    let child = warm(&project, &fourth, "child", &[]);
    let grandchild = take(&project, &child, &["--name", "on-top"]);
    let row = list(&project)
        .into_iter()
        .find(|row| row["id"] == grandchild["id"]);
    assert_eq!(
        row.map(|row| row["parents"][0]["name"].clone()),
        Some(json!(fourth))
    );
    project.run(&["checkpoint", "rm", "on-top"]).ok();
    child.run("destroy", &["-f", "--discard"]).ok();
    let all: Vec<_> = (0..3).map(|_| create(&["--name", "same", "--replace"])).collect();
    for one in all {
        one.finish(PATIENCE).ok();
    }
    assert_eq!((project.images().len(), project.containers().len()), (5, 1));
}

#[test]
fn who_died_while_naming_holds_nobody_up() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &[]);
    let first = take(&project, &test_box, &["--name", "first"]);
    let tag = first["tag"].as_str().expect("a checkpoint has a tag");
    let (repository, _) = tag.split_once(':').expect("a tag has a name");
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "printf 'name %s' \"$1\" | sha256sum | cut -c1-12",
        "sh",
        repository,
    ]);
    let id = run(command, PATIENCE).ok().stdout;
    // What is left of one that is killed then. Its image says who made it: a process that is gone.
    let leave = |id: &str| {
        let name = format!("agentbox_making_{id}");
        let id_label = format!("dev.agentbox.id={id}");
        let labels = ["--label", &id_label, "--label", "dev.agentbox.name=killed"];
        engine::docker(&[&["create", "--name", &name][..], &labels, &[tag, "x"]].concat()).ok();
        name
    };
    let claim = leave(id.trim());
    take(&project, &test_box, &["--name", "second"]);
    assert!(engine::inspect(&claim).is_none());
    // And of one that is killed while it looks into a checkpoint.
    let look = leave(&format!("{:012x}", std::process::id()));
    project.run(&["checkpoint", "rm", "first"]).ok();
    assert!(engine::inspect(&look).is_none());
}

#[test]
fn all_are_removed_or_none() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &[]);
    take(&project, &test_box, &["--name", "free"]);
    take(&project, &test_box, &["--name", "used"]);
    let tag = list(&project)[1]["tag"].as_str().unwrap_or_default().to_owned();
    let child = warm(&project, "used", "child", &[]);
    child.run("stop", &[]).ok();
    let other = format!("{}-other", project.name());
    engine::docker(&["create", "--name", &other, &tag, "x"]).ok();
    let refused = project.run(&["checkpoint", "rm", "free", "used"]);
    engine::docker(&["rm", &other]).ok();
    refused.expect_code(1).complains(&[
        &format!("hint: agentbox destroy {}\n", child.name()),
        &format!("hint: docker rm {other}\n"),
    ]);
    assert_eq!(names(&project), ["free", "used"]);
}

#[test]
fn a_box_of_another_project_says_whose_its_checkpoint_is() {
    let (project, elsewhere) = (Project::new(YAML), Project::new(YAML));
    let test_box = project.create_from(&images::busybox(), &[]);
    let said = elsewhere
        .run(&[
            "checkpoint",
            "create",
            test_box.name(),
            "--name",
            "warm",
            "--set-default",
        ])
        .ok();
    let tag = list(&project)[0]["tag"].as_str().unwrap_or_default().to_owned();
    for part in [
        &project.directory().display().to_string(),
        &format!("--from {tag}"),
    ] {
        assert!(said.stderr.contains(part.as_str()), "{part}: {said}");
    }
    assert!(!said.stderr.contains("in this project"), "{said}");
    assert!(names(&elsewhere).is_empty());
    assert_eq!(list(&project)[0]["default"], true);
}

#[test]
fn a_name_that_is_taken_over_leaves_names_that_others_gave() {
    let project = Project::new(YAML);
    let test_box = project.create_from(&images::busybox(), &[]);
    let first = take(&project, &test_box, &["--name", "warm"]);
    let kept = format!("{}-kept:mine", project.name());
    engine::docker(&["tag", first["tag"].as_str().unwrap_or_default(), &kept]).ok();
    take(&project, &test_box, &["--name", "warm", "--replace"]);
    let image = engine::inspect(&kept).expect("a name that somebody gave an image stays");
    assert_eq!(image["Id"], first["id"]);
}

#[test]
fn names_defaults_and_removal() {
    let project = Project::new(YAML);
    let image = images::busybox();
    let test_box = project.create_from(&image, &[]);
    let create = ["checkpoint", "create", test_box.name()];
    let with = |more: &[&str]| project.run(&[&create[..], more].concat());
    assert_eq!(with(&[]).ok().stdout, format!("{}\n", test_box.name()));
    assert_eq!(with(&[]).ok().stdout, format!("{}-2\n", test_box.name()));
    // The box's own name, again.
    assert_eq!(with(&["--replace"]).ok().stdout, format!("{}\n", test_box.name()));
    assert_eq!(names(&project).len(), 2);
    with(&["--name", "none"]).expect_code(2);
    with(&["--name", "No_Name"])
        .expect_code(2)
        .complains(&["--name no-name"]);
    project
        .run(&["checkpoint", "create", "no-such-box"])
        .expect_code(3);
    let first = take(&project, &test_box, &["--name", "warm", "--set-default"]);
    assert_eq!(first["default"], true);
    with(&["--name", "warm"]).expect_code(1).complains(&["--replace"]);
    // The name keeps what it stands for; what had it is gone, since nothing lies on it.
    let second = take(&project, &test_box, &["--name", "warm", "--replace"]);
    assert_eq!(second["default"], true);
    assert!(engine::inspect(first["id"].as_str().unwrap_or_default()).is_none());

    // The default is what `create` starts from, unless it is told otherwise.
    let name = format!("{}-default", project.name());
    let said = project.run(&["create", "-y", "-n", &name]).ok();
    assert!(
        said.stderr.contains("warm start from checkpoint `warm`"),
        "{said}"
    );
    let from_default = TestBox::new(&project, &name);
    assert!(
        from_default.status_json()["box"]["image"]
            .as_str()
            .is_some_and(|image| image.ends_with(":warm"))
    );
    let rows = list(&project);
    let row = rows
        .iter()
        .find(|row| row["name"] == "warm")
        .expect("it is listed");
    assert_eq!((&row["boxes"], &row["default"]), (&json!([name]), &json!(true)));
    let table = project.run(&["checkpoint", "ls"]).ok().stdout;
    assert!(
        table.lines().next().is_some_and(|line| line.contains("PARENTS")),
        "{table}"
    );
    project
        .run(&["create", "--from", "warm", "--image", &image])
        .expect_code(2);
    project
        .run(&["create", "-y", "--from", "nope"])
        .expect_code(3)
        .complains(&["no checkpoint `nope`", "warm"]);
    project
        .run(&["create", "-y", "--image", &image, "--no-resync"])
        .expect_code(2);

    // A replaced one that a box lies on stays for it, without a name.
    take(&project, &test_box, &["--name", "warm", "--replace"]);
    assert!(engine::inspect(second["id"].as_str().unwrap_or_default()).is_some());
    project.run(&["prune", "-f"]).ok();
    assert!(engine::inspect(second["id"].as_str().unwrap_or_default()).is_some());
    from_default.exec("true").ok();
    from_default.run("destroy", &["-f", "--discard"]).ok();
    project.run(&["prune", "-f"]).ok();
    assert!(engine::inspect(second["id"].as_str().unwrap_or_default()).is_none());

    // Removal: not from under a box, and with the default tag.
    let child = warm(&project, "warm", "child", &[]);
    project
        .run(&["checkpoint", "rm", "warm"])
        .expect_code(1)
        .complains(&[&format!("hint: agentbox destroy {}\n", child.name())]);
    take(&project, &child, &["--name", "on-top"]);
    child.run("destroy", &["-f", "--discard"]).ok();
    let said = project.run(&["checkpoint", "rm", "warm"]).ok();
    assert!(said.stderr.contains("default"), "{said}");
    assert!(!names(&project).contains(&"warm".to_owned()));
    // What lies on it goes on working.
    warm(&project, "on-top", "grandchild", &[]).exec("true").ok();
    project.run(&["checkpoint", "rm", "warm"]).expect_code(3);
    project.run(&["checkpoint", "set-default", "on-top"]).ok();
    assert_eq!(
        list(&project).iter().filter(|row| row["default"] == true).count(),
        1
    );
    project.run(&["checkpoint", "set-default", "--clear"]).ok();
    project.run(&["checkpoint", "set-default", "--clear"]).ok();
    assert_eq!(
        list(&project).iter().filter(|row| row["default"] == true).count(),
        0
    );
    let everywhere = project.run(&["checkpoint", "list", "-g", "--json"]).ok().json();
    assert!(everywhere.as_array().is_some_and(|rows| rows.len() >= 3));
    let kinds = project.run(&["df", "--json"]).ok().json();
    assert!(
        kinds
            .as_array()
            .is_some_and(|rows| rows.iter().any(|row| row["kind"] == "checkpoint"
                && row["name"].as_str().is_some_and(|name| name.ends_with(":on-top"))))
    );
}

#[test]
fn settings_say_what_a_box_starts_from() {
    let project = Project::new(&format!("defaults: {{box: {{from: nope}}}}\n{YAML}"));
    project.run(&["create", "-y"]).expect_code(2).complains(&[
        "no checkpoint `nope`",
        "agentbox.yaml:1",
        "--from none",
    ]);
    let test_box = project.create_from(&images::busybox(), &[]);
    take(&project, &test_box, &["--name", "nope"]);
    let said = project
        .run(&["create", "-y", "-n", &format!("{}-x", project.name())])
        .ok();
    assert!(
        said.stderr.contains("warm start from checkpoint `nope`"),
        "{said}"
    );
}
