//! The commands around boxes: images, doctor, df, completion, help, versions.

use agentbox_tests::{Project, images};

#[test]
fn the_engine_is_checked_and_what_takes_space_is_listed() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let image = images::base();
    let test_box = project.create(&["--memory", "512m", "--cpus", "1.5", "--pids", "200", "--wait"]);
    project.run(&["doctor"]).ok();
    project.run(&["image", "list"]).ok();
    let space = project.run(&["df"]).ok();
    assert!(space.stdout.contains(test_box.name()), "{space}");
    let host = test_box.inspect()["HostConfig"].clone();
    assert_eq!(host["Memory"], 512 * 1024 * 1024);
    assert_eq!(host["NanoCpus"], 1_500_000_000_i64);
    assert_eq!(host["PidsLimit"], 200);
    let inspected = test_box.run("status", &["--inspect"]).ok();
    assert!(
        inspected.stdout.contains(&image) && inspected.stdout.contains("512"),
        "{inspected}"
    );
    let everywhere = project.run(&["list", "-g", "--json"]).ok().json();
    let names: Vec<_> = everywhere
        .as_array()
        .into_iter()
        .flatten()
        .map(|entry| entry["name"].clone())
        .collect();
    assert!(names.contains(&test_box.name().into()), "{names:?}");
}

#[test]
fn help_version_and_completion_need_no_engine() {
    let project = Project::without_engine();
    assert!(project.run(&["--version"]).ok().stdout.starts_with("agentbox "));
    let help = project.run(&["--help"]).ok().stdout;
    for verb in ["create", "status", "logs", "exec", "destroy"] {
        assert!(help.contains(verb), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            project
                .run(&["completion", shell])
                .ok()
                .stdout
                .contains("agentbox")
        );
    }
    project.run(&["no-such-command"]).expect_code(2);
    project.run(&["create", "--no-such-flag"]).expect_code(2);
}

#[test]
fn status_follows_and_colour_is_only_given_where_asked_for() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&["--wait"]);
    assert!(!test_box.run("status", &[]).ok().stdout.contains('\u{1b}'));
    let follower = test_box.start("status", &["-w"]);
    follower.expect_stdout("running", std::time::Duration::from_secs(20));
    test_box.run("stop", &["web"]).ok();
    follower.expect_stdout("stopped", std::time::Duration::from_secs(20));
}
