//! `systemctl` and `journalctl` in a box: habits that work, with systemd's exit codes.

use std::time::Duration;

use agentbox_tests::{Output, Project, TestBox, images, repository, wait_until};

const YAML: &str = r#"
tasks:
  install: {command: 'echo installed'}
  broken: {command: 'echo no; exit 5'}
services:
  web: {command: 'echo up; exec sleep 1000'}
  off: {command: 'exec sleep 1001', autostart: false}
  flaky: {command: 'exit 3', restart: never}
  missing: {command: [/no/such/program], restart: never, autostart: false}
"#;

/// A line as root, past agentbox, or as the box user.
fn both(test_box: &TestBox<'_>, line: &str) -> [Output; 2] {
    [test_box.exec(line), test_box.docker_exec(line)]
}

#[track_caller]
fn ends(test_box: &TestBox<'_>, line: &str, code: i32) -> String {
    let [user, root] = both(test_box, line);
    assert_eq!(root.code, code, "{line}: {root}");
    user.expect_code(code).stdout
}

#[test]
fn verbs_have_systemds_answers_and_exit_codes() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    test_box.wait_state("web", "running");
    test_box.wait_state("broken", "failed");
    test_box.wait_state("install", "done");
    test_box.wait_state("flaky", "crashed");
    for (line, code, stdout) in [
        ("systemctl is-active web", 0, "active\n"),
        ("systemctl --user is-active web.service", 0, "active\n"),
        ("systemctl is-active --quiet web", 0, ""),
        ("systemctl is-active off", 3, "inactive\n"),
        ("systemctl is-active install", 3, "inactive\n"),
        ("systemctl is-active broken", 3, "failed\n"),
        ("systemctl is-active nothere", 3, "inactive\n"),
        ("systemctl is-active off web", 0, "inactive\nactive\n"),
        ("systemctl is-failed flaky", 0, "failed\n"),
        ("systemctl is-failed web", 1, "active\n"),
        ("systemctl is-enabled web", 0, "enabled\n"),
        ("systemctl is-enabled off.service", 1, "disabled\n"),
        ("systemctl is-enabled install", 0, "static\n"),
        ("systemctl is-enabled nothere", 1, ""),
        ("systemctl start nothere", 5, ""),
        ("systemctl stop nothere", 5, ""),
        ("systemctl status nothere", 4, ""),
        ("systemctl enable nothere", 1, ""),
        ("systemctl cat nothere", 1, ""),
        ("systemctl daemon-reload", 0, ""),
        ("systemctl mask web", 1, ""),
        ("systemctl show -p ActiveState web", 1, ""),
        ("systemctl --job-mode=fail start web", 0, ""),
        ("journalctl -b -1", 1, ""),
        ("systemctl --bogus status web", 1, ""),
        ("systemctl start", 1, ""),
        ("systemctl start missing", 1, ""),
        ("systemctl start install", 0, ""),
        ("systemctl start broken", 1, ""),
    ] {
        assert_eq!(ends(&test_box, line, code), stdout, "{line}");
    }
    let page = ends(&test_box, "systemctl --no-pager status web", 0);
    for part in [
        "● web.service - service web of agentbox.yaml\n",
        "     Loaded: loaded (/workspace/agentbox.yaml; enabled)\n",
        "     Active: active (running) since ",
        "   Main PID: ",
        "└─",
        "]: up\n",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(ends(&test_box, "systemctl status off", 3).starts_with("○ off.service"));
    let page = ends(&test_box, "systemctl status flaky.service", 3);
    assert!(
        page.contains("× flaky.service") && page.contains("failed (Result: exit-code)"),
        "{page}"
    );
    assert!(page.contains("code=exited, status=3"), "{page}");
    let complaint = test_box.exec("systemctl status nothere").stderr;
    assert_eq!(complaint, "Unit nothere.service could not be found.\n");
    let complaint = test_box.exec("systemctl start nothere").stderr;
    assert_eq!(
        complaint,
        "Failed to start nothere.service: Unit nothere.service not found.\n"
    );
    let complaint = test_box.exec("systemctl reload web").expect_code(1).stderr;
    assert!(complaint.contains("agentbox-ctl restart web"), "{complaint}");

    let list = ends(&test_box, "systemctl list-units --user", 0);
    assert!(
        list.starts_with("  UNIT") && list.contains("● flaky.service"),
        "{list}"
    );
    assert!(
        !list.contains("off.service") && list.contains("Pass --all"),
        "{list}"
    );
    let all = ends(&test_box, "systemctl list-units -a --plain --no-legend 'o*'", 0);
    assert_eq!(
        all,
        "off.service loaded inactive dead service off of agentbox.yaml\n"
    );
    let file = ends(&test_box, "systemctl cat web", 0);
    assert!(file.starts_with("# /workspace/agentbox.yaml\n[Unit]\n"), "{file}");
    assert!(
        file.contains("ExecStart=/bin/bash -c \"echo up; exec sleep 1000\"\n"),
        "{file}"
    );
}

#[test]
fn units_start_and_stop_by_it() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    test_box.wait_state("web", "running");
    let before = test_box.pid("web");
    test_box.exec("systemctl --user restart web.service").ok();
    assert_ne!(test_box.pid("web"), before);
    test_box.exec("systemctl stop web off").ok();
    assert_eq!(test_box.unit("web")["state"], "stopped");
    test_box.docker_exec("systemctl start 'we?' off.service").ok();
    assert_eq!(test_box.unit("web")["state"], "running");
    assert_eq!(test_box.unit("off")["state"], "running");
    test_box.exec("systemctl stop --no-block off").ok();
    test_box.wait_state("off", "stopped");
}

#[test]
fn a_task_that_is_done_runs_again_and_one_that_runs_does_not() {
    let project = Project::new(
        "tasks:\n  \
           once: {command: 'echo ran >> once', run_once: true}\n  \
           slow: {command: 'echo ran >> slow; until test -e go; do sleep 0.1; done', run_once: {inputs: [none]}}\n  \
           picky: {command: 'test ! -e refuse', run_once: true}\n",
    );
    let test_box = project.create(&[]);
    let runs = |task: &str| test_box.exec(&format!("wc -l < {task}")).ok().stdout;
    test_box.wait_state("once", "done");
    test_box.exec("systemctl start once").ok();
    assert_eq!(runs("once").trim(), "2");
    test_box.exec("systemctl restart once.service").ok();
    assert_eq!(runs("once").trim(), "3");

    test_box.wait_state("slow", "running");
    test_box.exec("systemctl start --no-block slow").ok();
    test_box.exec("(sleep 1; touch go) & systemctl start slow").ok();
    assert_eq!(test_box.unit("slow")["state"], "done");
    assert_eq!(runs("slow").trim(), "1");

    test_box.wait_state("picky", "done");
    test_box
        .exec("touch refuse; systemctl start picky")
        .expect_code(1)
        .complains(&["Job for picky.service failed", "task \"picky\" failed"]);
}

#[test]
fn what_is_enabled_starts_with_the_box_and_nothing_starts_before() {
    let project = Project::new(YAML);
    let test_box = project.create(&[]);
    test_box.wait_state("web", "running");
    test_box.exec("systemctl enable off").ok();
    test_box.exec("agentbox-ctl disable web").ok();
    assert_eq!(
        test_box.exec("systemctl is-enabled off web").ok().stdout,
        "enabled\ndisabled\n"
    );
    test_box.run("reload", &[]).ok();
    assert_eq!(
        test_box.unit("off")["state"],
        "stopped",
        "a reload starts nothing"
    );
    assert_eq!(
        test_box.unit("web")["state"],
        "running",
        "nor does it stop anything"
    );
    test_box
        .exec("agentbox-ctl enable install")
        .expect_code(2)
        .complains(&["task"]);
    test_box.exec("systemctl enable install").ok();

    test_box.run("stop", &[]).ok();
    test_box.run("start", &[]).ok();
    test_box.wait_state("off", "running");
    assert_eq!(test_box.unit("web")["state"], "stopped");
    assert_eq!(
        test_box.exec("systemctl is-enabled off web").ok().stdout,
        "enabled\ndisabled\n"
    );
    test_box.exec("systemctl disable --now off").ok();
    assert_eq!(test_box.unit("off")["state"], "stopped");
    test_box.exec("systemctl enable --now web").ok();
    assert_eq!(test_box.unit("web")["state"], "running");
    test_box.run("restart", &[]).ok();
    test_box.wait_state("web", "running");
    assert_eq!(test_box.unit("off")["state"], "stopped");
}

#[test]
fn journalctl_prints_lines_with_their_times() {
    let project = Project::new(
        "services:\n  web: {command: 'echo one; echo two; exec sleep 1000'}\n  api: {command: 'sleep 1; echo three; exec sleep 1000'}\n",
    );
    let test_box = project.create(&[]);
    let journal = |line: &str| test_box.exec(line).ok().stdout;
    wait_until("the last line", Duration::from_secs(20), || {
        journal("journalctl -u api").contains("three")
    });
    let pid = test_box.pid("web");
    let text = journal("journalctl --no-pager -u web.service");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    // `Nov 26 18:16:20 host web[7]: one`
    assert!(lines[0].ends_with(&format!(" web[{pid}]: one")), "{text}");
    assert_eq!(&lines[0].as_bytes()[6..7], b" ", "{text}");
    assert_eq!(journal("journalctl -u web -n 1 -o cat"), "two\n");
    assert_eq!(journal("journalctl -u web --unit=api -o cat -n2"), "two\nthree\n");
    assert_eq!(journal("journalctl -o cat --user"), "one\ntwo\nthree\n");
    assert_eq!(
        journal("journalctl -u web --since '1 hour ago' -o cat"),
        "one\ntwo\n"
    );
    assert_eq!(
        journal("journalctl -u web --since tomorrow 2>&1 || echo refused")
            .lines()
            .last(),
        Some("refused")
    );
    assert_eq!(
        journal("sleep 1; journalctl -u web --since now -o cat"),
        "-- No entries --\n"
    );
    assert_eq!(
        journal("journalctl -xeu nothere 2>/dev/null"),
        "-- No entries --\n"
    );
    test_box
        .exec("journalctl -p err")
        .expect_code(1)
        .complains(&["unknown option", "agentbox-ctl logs"]);
}

#[test]
fn the_log_of_a_unit_that_was_removed_is_still_there() {
    let project = Project::new(
        "services: {web: {command: 'echo last words; exec sleep 1000'}, other: {command: exec sleep 1000}}\n",
    );
    let test_box = project.create(&["--wait"]);
    test_box
        .exec("echo 'services: {other: {command: exec sleep 1000}}' > /workspace/agentbox.yaml")
        .ok();
    test_box.run("reload", &[]).ok();
    for unit in ["web", "web.service"] {
        let kept = test_box.exec(&format!("journalctl -u {unit} -o cat")).ok();
        assert_eq!((kept.stdout.as_str(), kept.stderr.as_str()), ("last words\n", ""));
    }
    assert_eq!(test_box.exec("agentbox-ctl logs web").ok().stdout, "last words\n");
    let unknown = test_box.exec("journalctl -u ../logs/web -u nothere").ok();
    assert_eq!(
        unknown.stderr,
        "Unit ../logs/web.service could not be found.\nUnit nothere.service could not be found.\n"
    );
    test_box
        .exec("agentbox-ctl logs nothere")
        .expect_code(3)
        .complains(&["no unit"]);
}

#[test]
fn journalctl_follows_and_ends_when_its_reader_goes() {
    let project = Project::new(
        "services:\n  web: {command: 'mkfifo /tmp/fifo; while :; do read line </tmp/fifo && echo \"$line\"; done'}\n",
    );
    let test_box = project.create(&[]);
    test_box
        .exec("until test -p /tmp/fifo; do sleep 0.1; done; echo first >/tmp/fifo")
        .ok();
    // `head` goes after a line; the log is silent from then on.
    let text = test_box.exec("journalctl -f -u web -o cat | head -n 1");
    assert_eq!(text.ok().stdout, "first\n");
    wait_until("no reader to be left", Duration::from_secs(10), || {
        test_box.processes_matching("journalctl").is_empty()
    });
    let text = test_box.exec("(sleep 1; echo second >/tmp/fifo) & journalctl -fn0 -u web -o cat | head -n 1");
    assert_eq!(text.ok().stdout, "second\n");
}

#[test]
fn programs_of_the_image_are_left_alone_and_nothing_shows_as_work() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    repository::commit_all(&project);
    let test_box = project.create(&["--wait"]);
    for name in ["systemctl", "journalctl"] {
        let link = test_box
            .docker_exec(&format!("readlink /usr/local/bin/{name}"))
            .ok();
        assert_eq!(link.stdout, "agentbox-ctl\n");
    }
    assert_eq!(test_box.run("diff", &[]).ok().stdout, "");

    let test_box = project.create_from(&images::with_own_systemctl(), &["--wait"]);
    assert_eq!(
        test_box.docker_exec("systemctl is-active web").ok().stdout,
        "own\n"
    );
    assert_eq!(
        test_box.exec("journalctl -u web").ok().stdout,
        "-- No entries --\n"
    );
}

#[test]
fn where_systemd_runs_the_real_one_is_called() {
    let project = Project::new("services: {web: {command: exec sleep 1000}}\n");
    let test_box = project.create(&["--wait"]);
    test_box
        .docker_exec(
            "mkdir -p /run/systemd/system /opt/real && printf '#!/bin/sh\\necho real \"$@\"\\n' >/opt/real/systemctl && chmod 755 /opt/real/systemctl",
        )
        .ok();
    let real = test_box.exec("PATH=/usr/local/bin:/opt/real:/usr/bin:/bin systemctl status web");
    assert_eq!(real.ok().stdout, "real status web\n");
    let none = test_box.exec("PATH=/usr/local/bin:/usr/local/bin/. systemctl status web");
    none.expect_code(127).complains(&["systemd runs here"]);
}
