//! Layered settings, as far as they reach the container.

use agentbox_tests::{Project, Terminal};
use serde_json::json;

#[test]
fn a_limit_from_each_layer_reaches_the_container() {
    let project = Project::new(
        "defaults:\n  box:\n    pids: 300\n    memory: 1g\n    env: {WHO: defaults, DEFAULTS: yes}\n",
    );
    let config = |arguments: &[&str]| {
        let arguments = [&["config"], arguments].concat();
        project.run(&arguments).ok();
    };
    config(&["set", "box.cpus", "0.5"]);
    config(&["set", "box.pids", "200"]);
    config(&["set", "box.env.WHO", "project"]);
    config(&["set", "box.env.PROJECT", "a b"]);
    config(&["set", "--global", "box.cpus", "1.5"]);
    config(&["set", "--global", "box.pids", "100"]);
    config(&["set", "--global", "box.cap_add", "SYS_PTRACE"]);
    config(&["set", "--global", "box.volumes.cache", "/cache"]);
    config(&["set", "--global", "box.env.WHO", "global"]);
    config(&["set", "--global", "box.network", "none"]);

    let test_box = project.create(&["--memory", "512m", "--env", "FLAG=yes"]);
    let inspected = test_box.inspect();
    let host = &inspected["HostConfig"];
    assert_eq!(host["Memory"], json!(512 << 20), "the flag");
    assert_eq!(host["PidsLimit"], json!(300), "defaults in agentbox.yaml");
    assert_eq!(host["NanoCpus"], json!(500_000_000), "the project's settings");
    assert_eq!(host["NetworkMode"], json!("none"), "the user's settings");
    assert!(
        host["CapAdd"].to_string().contains("SYS_PTRACE"),
        "{}",
        host["CapAdd"]
    );
    let mounts = inspected["Mounts"].as_array().expect("mounts");
    assert!(
        mounts.iter().any(|mount| mount["Destination"] == "/cache"),
        "{mounts:?}"
    );
    let output = test_box.exec("echo $WHO $DEFAULTS $PROJECT $FLAG").ok().stdout;
    assert_eq!(output, "defaults yes a b yes\n");
}

#[test]
fn what_a_repository_asks_for_is_made_only_with_a_word_for_it() {
    let project =
        Project::new("defaults:\n  box:\n    cap_add: [SYS_PTRACE]\n    volumes: {cache: /cache}\n");
    let made = |test_box: &agentbox_tests::TestBox<'_>| {
        let inspected = test_box.inspect();
        let mounts = inspected["Mounts"].to_string().contains("\"/cache\"");
        (
            inspected["HostConfig"]["CapAdd"]
                .to_string()
                .contains("SYS_PTRACE"),
            mounts,
        )
    };
    project.run(&["create"]).expect_code(1).complains(&[
        "box.cap_add: SYS_PTRACE",
        "box.volumes.cache: /cache",
        "--defaults",
    ]);
    assert_eq!(project.containers(), [""; 0], "nothing is made before the word");
    let plain = project.create(&["--defaults", "skip"]);
    assert_eq!(made(&plain), (false, false));
    let whole = project.create(&["--defaults", "yes"]);
    assert_eq!(made(&whole), (true, true));
    let again = project.create(&[]);
    assert_eq!(made(&again), (true, true), "the word is remembered");
}

#[test]
fn box_wait_can_be_turned_off() {
    let project = Project::new("tasks:\n  fails: {command: 'false'}\n");
    project.run(&["config", "set", "box.wait", "true"]).ok();
    project.run(&["create"]).expect_code(1).complains(&["fails"]);
    project.run(&["create", "--wait=false"]).ok();
}

#[test]
fn a_person_is_asked_once_and_nothing_is_made_without_a_yes() {
    let project = Project::new("defaults:\n  box:\n    cap_add: [SYS_PTRACE]\n");
    let create = project.command(&["create", "--image", &agentbox_tests::images::base()]);
    for (keys, code) in [("n\n", 1), ("\n", 1), ("\u{3}", 130)] {
        let mut terminal = Terminal::spawn(&create);
        terminal.expect("box.cap_add: SYS_PTRACE");
        terminal.expect("[y/N]");
        terminal.press(keys);
        let (ended, screen) = terminal.finish_sane();
        assert_eq!(ended, code, "{keys:?}: {screen}");
        assert_eq!(project.containers(), [""; 0], "{keys:?}");
    }
    let mut terminal = Terminal::spawn(&create);
    terminal.expect("[y/N]");
    terminal.press("y\n");
    let (ended, screen) = terminal.finish_sane();
    assert_eq!(ended, 0, "{screen}");
    let (ended, screen) = Terminal::spawn(&create).finish_sane();
    assert_eq!(ended, 0, "{screen}");
    assert!(!screen.contains("[y/N]"), "asked again: {screen}");
}
