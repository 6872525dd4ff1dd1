//! `dashboard`: on a terminal, with a real box behind it.

use std::time::Duration;

use agentbox_tests::{Project, Terminal, TestBox, wait_for, wait_until};
use nix::sys::signal::Signal;

const YAML: &str = r#"
services:
  web:
    command: 'echo web-says-hello; exec sleep 1000'
    needs: [build]
    ready_when: {log_match: hello}
  worker: {command: exec sleep 1000}
tasks:
  build: {command: echo building}
"#;

/// What leaves the alternate screen.
const LEAVE: &str = "\u{1b}[?1049l";
const ENTER: &str = "\u{1b}[?1049h";

fn open(project: &Project, arguments: &[&str]) -> Terminal {
    let mut all = vec!["dashboard"];
    all.extend(arguments);
    let mut terminal = Terminal::spawn(&project.command(&all));
    terminal.expect(ENTER);
    terminal
}

fn shows(terminal: &Terminal, words: &[&str]) {
    for word in words {
        terminal.expect_on_screen(word);
    }
}

/// The end of a dashboard that has given back the terminal.
fn ends(mut terminal: Terminal, code: i32) {
    let (ended, shown) = terminal.finish_sane();
    assert_eq!(ended, code, "{shown:?}");
    let (entered, left) = (shown.rfind(ENTER), shown.rfind(LEAVE));
    assert!(left > entered, "the alternate screen was not left: {shown:?}");
}

fn new_pid(test_box: &TestBox<'_>, unit: &str, former: u64) -> u64 {
    wait_for(
        &format!("another process of {unit}"),
        Duration::from_secs(30),
        || match test_box.unit(unit)["pid"].as_u64() {
            Some(pid) if pid != former => Ok(pid),
            other => Err(format!("{other:?}")),
        },
    )
}

#[test]
fn it_shows_a_box_restarts_a_unit_and_gives_the_terminal_back() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let mut terminal = open(&project, &[]);
    shows(&terminal, &[test_box.name(), "ready", "worker", "web-says-hello"]);
    let former = test_box.pid("web");
    terminal.press("r");
    terminal.expect_on_screen("again");
    let now = new_pid(&test_box, "web", former);
    assert_eq!(test_box.pid("web"), now, "it is restarted once");
    // The pane of needs, then the timeline, then the output of all units.
    terminal.press("2");
    terminal.expect_on_screen("└─");
    terminal.press("3");
    terminal.expect_on_screen("critical path: ");
    terminal.press("1a");
    terminal.expect_on_screen("building");
    terminal.press("\t\tjs");
    terminal.expect_on_screen("stopped");
    test_box.wait_state("worker", "stopped");
    terminal.press("s");
    test_box.wait_state("worker", "running");
    terminal.press("q");
    ends(terminal, 0);
}

#[test]
fn every_way_out_gives_the_terminal_back() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let terminal = open(&project, &[test_box.name()]);
        shows(&terminal, &["ready"]);
        terminal.signal(signal);
        ends(terminal, 130);
    }
    let mut terminal = open(&project, &[test_box.name()]);
    shows(&terminal, &["ready"]);
    terminal.press("\u{3}");
    ends(terminal, 0);
}

#[test]
fn a_suspended_one_leaves_the_terminal_alone_and_comes_back() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let mut terminal = open(&project, &[test_box.name()]);
    shows(&terminal, &["ready"]);
    terminal.press("\u{1a}");
    terminal.expect(LEAVE);
    wait_until("the terminal as it was", Duration::from_secs(30), || {
        terminal.echoes() && terminal.shows_cursor()
    });
    terminal.signal(Signal::SIGCONT);
    terminal.expect(ENTER);
    terminal.expect_on_screen("ready");
    terminal.expect_prompt();
    terminal.press("q");
    ends(terminal, 0);
}

#[test]
fn boxes_that_stop_pause_and_go_are_shown_as_that() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    let mut terminal = open(&project, &["-g", test_box.name()]);
    shows(&terminal, &["running", "ready"]);
    terminal.press("p");
    terminal.expect_on_screen("[y/N]");
    terminal.press("y");
    // The engine's list may say so a moment later than the pause itself.
    terminal.expect_on_screen("(paused, units as last recorded)");
    test_box.run("exec", &["--", "true"]).expect_code(1);
    terminal.press("p");
    terminal.expect_on_screen("thawed");
    test_box.run("stop", &[]).ok();
    terminal.expect_on_screen("(stopped, units as last recorded)");
    shows(&terminal, &["web-says-hello"]);
    terminal.press("S");
    terminal.expect_on_screen("is running");
    test_box.wait_state("web", "ready");
    test_box.run("destroy", &["-f", "--discard"]).ok();
    terminal.expect_on_screen("is gone");
    terminal.press("q");
    ends(terminal, 0);
}

#[test]
fn a_box_that_floods_us_keeps_nobody_from_the_keys() {
    let project = Project::new("services: {loud: {command: 'exec yes floods-the-log'}}\n");
    let test_box = project.create(&["--wait"]);
    let mut terminal = open(&project, &[test_box.name()]);
    shows(&terminal, &["floods-the-log", "left out"]);
    let memory = wait_for("its memory", Duration::from_secs(5), || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", terminal.id()));
        let status = status.map_err(|error| error.to_string())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kilobytes.ok_or(status)
    });
    assert!(memory < 200 << 10, "{memory} kB");
    terminal.press("s");
    terminal.expect_on_screen("stopped");
    test_box.wait_state("loud", "stopped");
    terminal.press("q");
    ends(terminal, 0);
}

#[test]
fn without_a_terminal_a_box_or_an_engine_it_says_so() {
    let project = Project::new(YAML);
    project.run(&["dashboard"]).expect_code(1).complains(&[
        "needs a terminal",
        "agentbox status -w",
        "agentbox events -f",
    ]);
    let mut terminal = Terminal::spawn(&project.command(&["dashboard", "no-such-box"]));
    terminal.expect("there is no box `no-such-box`");
    let (code, shown) = terminal.finish_sane();
    assert_eq!(code, 3, "{shown}");
    assert!(!shown.contains(ENTER), "{shown:?}");
    let mut away = project.command(&["dashboard"]);
    away.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let mut terminal = Terminal::spawn(&away);
    terminal.expect("cannot reach the Docker engine");
    let (code, shown) = terminal.finish_sane();
    assert_eq!(code, 4, "{shown}");
    assert!(!shown.contains(ENTER), "{shown:?}");
}

#[test]
fn no_colour_is_drawn_where_none_is_wanted() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    for (variable, arguments, colored) in [
        (Some("1"), &["dashboard", test_box.name()][..], false),
        (None, &["dashboard", test_box.name(), "--color", "never"], false),
        (
            Some("1"),
            &["dashboard", test_box.name(), "--color", "always"],
            true,
        ),
        (None, &["dashboard", test_box.name()], true),
    ] {
        let mut command = project.command(arguments);
        if let Some(value) = variable {
            command.env("NO_COLOR", value);
        }
        let mut terminal = Terminal::spawn(&command);
        shows(&terminal, &["ready", "web-says-hello"]);
        terminal.press("q");
        let (code, shown) = terminal.finish_sane();
        assert_eq!(code, 0);
        assert_eq!(shown.contains("\u{1b}[38;5;"), colored, "{arguments:?} {shown:?}");
    }
}
