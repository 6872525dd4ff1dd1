//! Tasks: `run-task`, `run_once`, and what reruns when.

use agentbox_tests::Project;

#[test]
fn run_task_streams_its_output_and_tells_success_from_failure() {
    let project = Project::new(
        "tasks:\n  good: {command: 'echo hello; echo world >&2'}\n  bad: {command: 'echo no; exit 5'}\n  \
         needy: {command: echo needs met, needs: [good]}\n  doomed: {command: echo never, needs: [bad]}\n",
    );
    let test_box = project.create(&[]);
    test_box.wait_state("needy", "done");
    test_box.wait_state("bad", "failed");
    assert_eq!(test_box.run("run-task", &["good"]).ok().stdout, "hello\nworld\n");
    assert_eq!(test_box.run("run-task", &["bad"]).expect_code(1).stdout, "no\n");
    let doomed = test_box
        .run("run-task", &["doomed"])
        .expect_code(1)
        .complains(&["bad"]);
    assert!(!doomed.stdout.contains("never"), "{doomed}");
    test_box.run("run-task", &["nothere"]).expect_code(3);
    assert_eq!(test_box.unit("bad")["exitCode"], 5);
}

#[test]
fn run_once_passes_over_what_has_nothing_to_do() {
    let project = Project::new(
        r#"
tasks:
  marked: {command: echo x >> /workspace/marked, run_once: true}
  content: {command: 'mkdir -p out; echo x >> out/built', run_once: {inputs: ["src/*.txt"], creates: [out/built]}}
  checked: {command: echo x >> /workspace/checked, run_once: {check: test -e /workspace/enough}}
  always: {command: echo x >> /workspace/always}
"#,
    );
    project.file("src/a.txt", "one\n");
    let test_box = project.create(&["--wait"]);
    let counts = || {
        test_box
            .exec("for f in marked out/built checked always; do wc -l < $f; done")
            .ok()
            .stdout
    };
    assert_eq!(counts(), "1\n1\n1\n1\n");
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(counts(), "1\n1\n2\n2\n");
    let marked = test_box.unit("marked");
    assert_eq!(
        (&marked["state"], &marked["reason"]),
        (&"done".into(), &"already done".into())
    );
    test_box.exec("echo two > src/a.txt; touch enough").ok();
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(
        counts(),
        "1\n2\n2\n3\n",
        "a changed input runs it, a passing check does not"
    );
    test_box.exec("mv out/built kept; echo x >> kept").ok();
    test_box.run("restart", &["--wait"]).ok();
    assert_eq!(
        test_box.exec("wc -l < out/built").ok().stdout,
        "1\n",
        "what it creates was gone"
    );
    test_box.run("run-task", &["marked", "--force"]).ok();
    assert_eq!(test_box.exec("wc -l < marked").ok().stdout, "2\n");
}

#[test]
fn the_same_words_work_inside_the_box() {
    let project = Project::new(
        "tasks: {t: {command: echo ran}}\nservices: {web: {command: exec sleep 1000}, off: {command: exec sleep 1000, autostart: false}}\n",
    );
    let test_box = project.create(&["--wait"]);
    let inside = |words: &[&str]| {
        let mut all = vec!["--", "agentbox-ctl"];
        all.extend(words);
        test_box.run("exec", &all)
    };
    let table = inside(&["status"]).ok();
    assert_eq!(table.stdout, test_box.run("status", &[]).ok().stdout);
    assert_eq!(
        inside(&["status", "--json"]).ok().json()["services"][0]["name"],
        "web"
    );
    assert_eq!(inside(&["run-task", "t"]).ok().stdout, "ran\n");
    inside(&["start", "off"]).ok();
    inside(&["restart", "off"]).ok();
    inside(&["stop", "off"]).ok();
    assert_eq!(inside(&["logs", "t", "-n", "1"]).ok().stdout, "ran\n");
    inside(&["wait"]).ok();
    inside(&["wait-ready", "--timeout", "5s"]).ok();
    inside(&["validate"]).ok();
    inside(&["reload"]).ok();
    inside(&["version"]).ok();
    inside(&["schema"]).ok().json();
    inside(&["stop", "nothere"]).expect_code(3);
    assert!(inside(&["events", "--json"]).ok().stdout.lines().count() >= 4);
}
