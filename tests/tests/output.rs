//! Output of units: byte for byte, bounded on disk and in memory, followed across rotations.

use std::fmt::Write as _;
use std::time::Duration;

use agentbox_tests::{Project, TestBox};

/// A value of the daemon's `/proc/PID/status`, in KiB.
#[track_caller]
fn daemon_kib(test_box: &TestBox<'_>, key: &str) -> u64 {
    let daemon = test_box.processes_matching("agentbox-ctl daemon");
    assert_eq!(daemon.len(), 1, "{daemon:?}");
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", daemon[0].pid)).expect("the daemon runs here");
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(key)?
                .trim_start_matches(':')
                .trim()
                .strip_suffix(" kB")
        })
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or_else(|| panic!("no {key} in {status}"))
}

#[test]
fn a_gigabyte_stays_bounded_while_status_answers() {
    let project = Project::new(
        "services:\n  flood: {command: 'yes 0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz | head -c 1000000000; echo; echo THE END; exec sleep 1000'}\n",
    );
    let test_box = project.create(&[]);
    let mut answers = 0;
    agentbox_tests::wait_until("the end of the flood", Duration::from_secs(180), || {
        let status = test_box.run("status", &["--json"]).ok();
        assert!(
            status.elapsed < Duration::from_secs(5),
            "status took {:?}",
            status.elapsed
        );
        answers += 1;
        test_box.run("logs", &["flood", "-n", "1"]).ok().stdout == "THE END\n"
    });
    assert!(answers > 0);
    let kept: u64 = test_box
        .exec("cat /var/log/agentbox/flood.log* | wc -c")
        .ok()
        .stdout
        .trim()
        .parse()
        .expect("a number");
    assert!(
        kept <= 6 * 10 * 1024 * 1024 + 1024 * 1024,
        "{kept} bytes are kept"
    );
    assert!(
        kept >= 50 * 1024 * 1024,
        "five full files are kept, not {kept} bytes"
    );
    let all: u64 = test_box
        .docker_exec("du -sk /var/log/agentbox | cut -f1")
        .ok()
        .stdout
        .trim()
        .parse()
        .expect("a number");
    assert!(all < 80 * 1024, "{all} KiB with the indexes");
    let peak = daemon_kib(&test_box, "VmHWM");
    assert!(peak < 32 * 1024, "the daemon needed {peak} KiB");
}

#[test]
fn binary_output_long_lines_and_last_words_are_all_kept() {
    let project = Project::new(
        r#"
tasks:
  binary: {command: [python3, -c, "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4000)"]}
  long: {command: 'head -c 10000000 /dev/zero | tr "\0" z; printf end'}
  last: {command: 'seq 1 200000; echo last words >&2; exit 3'}
  mixed: {command: 'echo out; echo err >&2; echo out again'}
"#,
    );
    let test_box = project.create(&[]);
    for unit in ["binary", "long", "mixed"] {
        test_box.wait_state(unit, "done");
    }
    test_box.wait_state("last", "failed");
    let expected: Vec<u8> = (0..4000).flat_map(|_| 0..=255).collect();
    let binary = test_box.run("logs", &["binary"]).ok();
    assert!(
        binary.bytes == expected,
        "{} bytes instead of {}",
        binary.bytes.len(),
        expected.len()
    );
    let long = test_box.run("logs", &["long"]).ok();
    let mut expected = vec![b'z'; 10_000_000];
    expected.extend(b"end");
    assert!(
        long.bytes == expected,
        "{} bytes instead of {}",
        long.bytes.len(),
        expected.len()
    );
    let mut expected = String::new();
    for number in 1..=200_000 {
        writeln!(expected, "{number}").expect("a string grows");
    }
    expected.push_str("last words\n");
    let last = test_box.run("logs", &["last"]).ok();
    assert!(
        last.stdout == expected,
        "{} bytes instead of {}",
        last.stdout.len(),
        expected.len()
    );
    assert_eq!(
        test_box.run("logs", &["mixed"]).ok().stdout,
        "out\nerr\nout again\n"
    );
    // The same bytes lie in the file, readable for the box user.
    assert_eq!(
        test_box.exec("cat /var/log/agentbox/mixed.log").ok().stdout,
        "out\nerr\nout again\n"
    );
    // And on a stopped box.
    test_box.run("stop", &[]).ok();
    assert_eq!(
        test_box.run("logs", &["mixed"]).ok().stdout,
        "out\nerr\nout again\n"
    );
}

#[test]
fn following_crosses_rotations_without_a_gap() {
    let project = Project::new(
        "services:\n  counter: {command: 'while ! test -e /tmp/go; do sleep 0.05; done; seq -f \"line %0100.0f\" 1 400000; exec sleep 1000'}\n",
    );
    let test_box = project.create(&[]);
    let follower = test_box.start("logs", &["counter", "-f"]);
    test_box.exec("touch /tmp/go").ok();
    let last = format!("line {:0100}\n", 400_000);
    follower.expect_stdout(&last, Duration::from_secs(120));
    let followed = follower.stdout();
    for (index, line) in followed.lines().enumerate() {
        assert_eq!(line, format!("line {:0100}", index + 1));
    }
    assert!(
        test_box
            .exec("ls /var/log/agentbox")
            .ok()
            .stdout
            .contains("counter.log.3"),
        "it was rotated"
    );
    // What is kept reads as one log, the rotated parts in front.
    let kept = test_box.run("logs", &["counter"]).ok().stdout;
    assert!(followed.ends_with(&kept), "{} bytes are kept", kept.len());
    follower.signal(nix::sys::signal::Signal::SIGINT);
    follower.finish(Duration::from_secs(10));
}

#[test]
fn a_follower_ends_with_the_box_and_sees_a_restarted_unit() {
    let project = Project::new("services:\n  web: {command: 'echo hello; exec sleep 1000'}\n");
    let test_box = project.create(&["--wait"]);
    let follower = test_box.start("logs", &["web", "-f"]);
    follower.expect_stdout("hello\n", Duration::from_secs(20));
    test_box.run("restart", &["web"]).ok();
    follower.expect_stdout("hello\nhello\n", Duration::from_secs(20));
    test_box.run("stop", &[]).ok();
    follower.finish(Duration::from_secs(20));
}

#[test]
fn several_units_are_merged_in_whole_lines_with_their_names() {
    let project = Project::new(
        "tasks:\n  a: {command: 'echo from a; sleep 0.3; echo again a'}\n  bb: {command: 'sleep 0.15; echo from bb'}\n",
    );
    let test_box = project.create(&["--wait"]);
    let merged = test_box.run("logs", &[]).ok().stdout;
    let lines: Vec<&str> = merged.lines().collect();
    assert_eq!(lines.len(), 3, "{merged}");
    for (line, (unit, text)) in lines
        .iter()
        .zip([("a", "from a"), ("bb", "from bb"), ("a", "again a")])
    {
        assert!(line.starts_with(unit) && line.ends_with(text), "{merged}");
    }
    assert_eq!(test_box.run("logs", &["a", "-n", "1"]).ok().stdout, "again a\n");
    assert_eq!(test_box.run("logs", &["a", "--tail", "0"]).ok().stdout, "");
    assert_eq!(
        test_box
            .run("logs", &["a", "--since", "2001-01-01T00:00:00Z"])
            .ok()
            .stdout,
        "from a\nagain a\n"
    );
    assert_eq!(
        test_box
            .run("logs", &["a", "--since", "2999-01-01T00:00:00Z"])
            .ok()
            .stdout,
        ""
    );
    let timed = test_box.run("logs", &["a", "-t"]).ok().stdout;
    for line in timed.lines() {
        let (time, text) = line.split_once(' ').expect("a time, then the line");
        assert!(
            time.len() == 24 && time.starts_with("20") && time.ends_with('Z') && text.contains('a'),
            "{timed}"
        );
    }
    test_box.run("logs", &["nothere"]).expect_code(3);
}

#[test]
fn text_from_a_box_cannot_drive_the_terminal() {
    let project =
        Project::new("services:\n  web: {command: [\"/workspace/\\e[31mred\\a\"], restart: never}\n");
    let test_box = project.create(&[]);
    test_box.wait_state("web", "crashed");
    test_box
        .exec("printf 'services: {\"\\033]0;owned\\007\": {command: a}}' > /workspace/agentbox.yaml")
        .ok();
    let reload = test_box.run("reload", &[]).expect_code(2);
    for output in [
        reload,
        test_box.run("status", &[]).ok(),
        test_box.run("status", &["--inspect"]).ok(),
    ] {
        let text = format!("{}{}", output.stdout, output.stderr);
        assert!(
            !text.contains(['\u{1b}', '\u{7}']),
            "control characters came through: {text:?}"
        );
    }
}
