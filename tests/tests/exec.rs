//! `exec` and `shell`: stdin, signals, exit codes, terminals, and nothing left behind.

use std::process::Command;
use std::time::Duration;

use agentbox_tests::process::{PATIENCE, Running};
use agentbox_tests::{Project, binaries, wait_until};
use nix::sys::signal::Signal;

const YAML: &str = "services: {web: {command: exec sleep 1000}}\n";

#[test]
fn exit_codes_and_streams_are_the_commands_own() {
    let project = Project::new(YAML);
    let test_box = project.create(&["-e", "GIVEN=box"].map(|word| if word == "-e" { "--env" } else { word }));
    assert_eq!(
        test_box
            .exec("echo out; echo err >&2; exit 42")
            .expect_code(42)
            .stdout,
        "out\n"
    );
    assert_eq!(test_box.exec("echo err >&2").ok().stderr, "err\n");
    test_box.exec("kill -TERM $$").expect_code(143);
    test_box.run("exec", &["--", "no-such-program"]).expect_code(127);
    test_box.run("exec", &["--", "/etc/passwd"]).expect_code(126);
    assert_eq!(
        test_box
            .exec("pwd; id -un; echo $GIVEN $AGENTBOX $AGENTBOX_BOX_NAME")
            .ok()
            .stdout,
        format!("/workspace\ndeveloper\nbox 1 {}\n", test_box.name())
    );
    let options = project.run(&[
        "exec",
        "-u",
        "root",
        "-w",
        "/tmp",
        "-e",
        "K=V",
        test_box.name(),
        "sh",
        "-c",
        "pwd; id -un; echo $K $HOME",
    ]);
    assert_eq!(options.ok().stdout, "/tmp\nroot\nV /root\n");
    // Arguments arrive as they are.
    let words = ["", "a b", "*", "$HOME", "--help", "-x", "ü"];
    let mut arguments = vec!["--", "printf", "[%s]"];
    arguments.extend(words);
    assert_eq!(
        test_box.run("exec", &arguments).ok().stdout,
        "[][a b][*][$HOME][--help][-x][ü]"
    );
}

#[test]
fn a_megabyte_goes_in_and_comes_out_unchanged() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    let bytes: Vec<u8> = (0..1_000_000_u32)
        .map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let mut cat = project.start(&["exec", "-i", test_box.name(), "cat"]);
    cat.write(&bytes);
    let echoed = cat.finish(PATIENCE).ok();
    assert!(echoed.bytes == bytes, "{} bytes came back", echoed.bytes.len());
}

#[test]
fn signals_pass_through_and_a_client_that_vanishes_takes_its_tree_along() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    let script = "trap 'echo caught; exit 9' INT; echo started; while :; do sleep 0.05; done";
    let exec = project.start(&["exec", test_box.name(), "sh", "-c", script]);
    exec.expect_stdout("started", Duration::from_secs(20));
    exec.signal(Signal::SIGINT);
    let output = exec.finish(Duration::from_secs(20)).expect_code(9);
    assert_eq!(output.stdout, "started\ncaught\n");

    let exec = project.start(&[
        "exec",
        test_box.name(),
        "sh",
        "-c",
        "sleep 987801 & echo started; sleep 987802",
    ]);
    exec.expect_stdout("started", Duration::from_secs(20));
    exec.signal(Signal::SIGKILL);
    exec.finish(Duration::from_secs(20));
    wait_until("the command's tree to be gone", Duration::from_secs(30), || {
        test_box.processes_matching("sleep 98780").is_empty()
    });
}

/// Starts `agentbox` on a pseudo-terminal of 91 columns and 33 rows.
fn on_a_terminal(project: &Project, arguments: &[&str]) -> Running {
    let words: Vec<String> = std::iter::once(binaries::agentbox().display().to_string())
        .chain(arguments.iter().map(|word| (*word).to_owned()))
        .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
        .collect();
    let mut script = Command::new("script");
    script.args([
        "-q",
        "-e",
        "-c",
        &format!("stty cols 91 rows 33; exec {}", words.join(" ")),
        "/dev/null",
    ]);
    project.hermetic(&mut script);
    script
        .env("DOCKER_HOST", agentbox_tests::engine::url())
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh");
    Running::spawn(script)
}

#[test]
fn a_terminal_on_both_ends_is_a_terminal_in_the_box() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    let exec = on_a_terminal(
        &project,
        &[
            "exec",
            "-it",
            test_box.name(),
            "sh",
            "-c",
            "tty; stty size; echo $TERM; exit 4",
        ],
    );
    exec.expect_stdout("/dev/pts/", Duration::from_secs(20));
    let output = exec.finish(Duration::from_secs(20)).expect_code(4);
    assert!(
        output.stdout.contains("33 91") && output.stdout.contains("xterm"),
        "{output}"
    );

    let mut shell = on_a_terminal(&project, &["shell", test_box.name()]);
    shell.write(b"echo $((6 * 7))-answer; whoami\n");
    shell.expect_stdout("42-answer", Duration::from_secs(20));
    shell.expect_stdout("developer", Duration::from_secs(20));
    // Ctrl-C belongs to the command in the box, not to agentbox.
    shell.write(b"sleep 987811\n");
    wait_until("the command to run", Duration::from_secs(20), || {
        !test_box.processes_matching("sleep 987811").is_empty()
    });
    shell.write(b"\x03");
    wait_until("the command to end", Duration::from_secs(20), || {
        test_box.processes_matching("sleep 987811").is_empty()
    });
    shell.write(b"exit 7\n");
    wait_until("the shell to end", Duration::from_secs(20), || shell.exited());
    shell.finish(Duration::from_secs(20)).expect_code(7);
}

#[test]
fn without_a_terminal_asking_for_one_by_default_is_no_failure() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    let output = project
        .run(&[
            "exec",
            "-i",
            test_box.name(),
            "sh",
            "-c",
            "test -t 0 || echo none",
        ])
        .ok();
    assert_eq!(output.stdout, "none\n");
}
