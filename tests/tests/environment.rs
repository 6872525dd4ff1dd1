//! The environment of units, shells and execs.

use agentbox_tests::Project;

#[test]
fn later_layers_win_and_scalars_keep_their_text() {
    let project = Project::new(
        r#"
tasks:
  show:
    command: env; pwd
    cwd: sub
    env_file: [base.env, {path: missing.env, optional: true}]
    env: {VERSION: 1.10, MODE: 0644, FLAG: yes, BOTH: unit, LEVEL: unit}
  root: {command: 'echo $HOME $USER', user: root}
"#,
    );
    project.file("sub/keep", "");
    project.file("base.env", "# a comment\nBOTH=file\nFROM_FILE=\"two words\"\n");
    let test_box = project.create(&["--env", "LEVEL=box", "--env", "BOX=yes", "--wait"]);
    let output = test_box.run("logs", &["show"]).ok().stdout;
    let id = test_box.status_json()["box"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for expected in [
        "VERSION=1.10",
        "MODE=0644",
        "FLAG=yes",
        "BOTH=unit",
        "LEVEL=unit",
        "BOX=yes",
        "FROM_FILE=two words",
        "AGENTBOX=1",
        &format!("AGENTBOX_BOX_NAME={}", test_box.name()),
        &format!("AGENTBOX_BOX_ID={id}"),
        "HOME=/home/developer",
        "USER=developer",
        "SHELL=/bin/bash",
        "LANG=C.UTF-8",
        "TZ=UTC",
        "/workspace/sub",
    ] {
        assert!(
            output.lines().any(|line| line == expected),
            "{expected} is missing in:\n{output}"
        );
    }
    assert!(
        output.lines().any(|line| line.starts_with("AGENTBOX_URL=http")),
        "{output}"
    );
    assert_eq!(test_box.run("logs", &["root"]).ok().stdout, "/root root\n");
    let exec = test_box
        .exec("echo $AGENTBOX_BOX_NAME $LEVEL $TZ $LANG")
        .ok()
        .stdout;
    assert_eq!(exec, format!("{} box UTC C.UTF-8\n", test_box.name()));
}

#[test]
fn a_missing_env_file_is_a_failure_that_names_it() {
    let project =
        Project::new("services:\n  web: {command: sleep 1, env_file: nothere.env, restart: never}\n");
    let test_box = project.create(&[]);
    let web = test_box.wait_state("web", "crashed");
    assert!(
        web["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("nothere.env")),
        "{web}"
    );
}
