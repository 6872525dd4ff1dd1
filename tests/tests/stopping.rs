//! Stopping a unit ends its whole process tree, whatever the tree did to escape.

use std::time::Duration;

use agentbox_tests::{Project, TestBox};

/// Stops one unit and checks that neither `markers` nor anything else of it is left, while the bystander lives.
#[track_caller]
fn stop_leaves_nothing(test_box: &TestBox<'_>, unit: &str, markers: &[&str]) -> Duration {
    for marker in markers {
        agentbox_tests::wait_until(
            &format!("{unit} to have started {marker}"),
            Duration::from_secs(20),
            || !test_box.processes_matching(marker).is_empty(),
        );
    }
    let output = test_box.run("stop", &[unit]).ok();
    for marker in markers {
        let left = test_box.processes_matching(marker);
        assert!(left.is_empty(), "stop of {unit} left {left:?}");
    }
    assert_eq!(test_box.unit(unit)["state"], "stopped");
    assert_eq!(
        test_box.processes_matching("sleep 987700").len(),
        1,
        "the bystander lives"
    );
    output.elapsed
}

#[test]
fn children_double_forks_and_other_users_are_all_ended() {
    let project = Project::new(
        r#"
services:
  bystander: {command: exec sleep 987700}
  children: {command: 'sleep 987701 & sleep 987702 & wait'}
  escaped: {command: '(setsid env -i /bin/sh -c "sleep 987703 & sleep 987704" &) ; exec sleep 987705'}
  leaderless: {command: 'setsid sleep 987706 & exit 0', restart: never}
  rooted: {command: 'sudo sh -c "setsid sleep 987707 &"; exec sudo sleep 987708'}
  stubborn: {command: 'trap "" TERM HUP INT; while :; do sleep 987709 & wait; done', stop_timeout_ms: 1000}
  picky: {command: 'trap "exit 0" INT; trap "" TERM; while :; do sleep 0.05; done', stop_signal: SIGINT}
"#,
    );
    let test_box = project.create(&[]);
    stop_leaves_nothing(&test_box, "children", &["sleep 987701", "sleep 987702"]);
    stop_leaves_nothing(
        &test_box,
        "escaped",
        &["sleep 987703", "sleep 987704", "sleep 987705"],
    );
    stop_leaves_nothing(&test_box, "rooted", &["sleep 987707", "sleep 987708"]);
    let stubborn = stop_leaves_nothing(&test_box, "stubborn", &["sleep 987709"]);
    assert!(
        stubborn >= Duration::from_secs(1),
        "it was given its time: {stubborn:?}"
    );
    assert!(stubborn < Duration::from_secs(5), "and no more: {stubborn:?}");
    let picky = stop_leaves_nothing(&test_box, "picky", &[]);
    assert!(
        picky < Duration::from_secs(5),
        "its own stop signal ends it: {picky:?}"
    );
    // The leader's exit is not the unit's end while its tree is there.
    test_box.run("stop", &["leaderless"]).ok();
    assert!(test_box.processes_matching("sleep 987706").is_empty());
}

#[test]
fn a_daemon_started_by_sudo_service_is_ended_with_its_unit() {
    let project = Project::new(
        "services:\n  bystander: {command: exec sleep 987700}\n  \
         database: {command: 'sudo install -m 755 fakedb.init /etc/init.d/fakedb && sudo service fakedb start && exec sleep 987711'}\n",
    );
    project.file(
        "fakedb.init",
        "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: fakedb\n### END INIT INFO\n\
         case $1 in\n  start) exec start-stop-daemon --start --background --chuid nobody --make-pidfile --pidfile /run/fakedb.pid \
         --exec /bin/sleep -- 987712 ;;\nesac\n",
    );
    let test_box = project.create(&["--wait"]);
    stop_leaves_nothing(&test_box, "database", &["sleep 987711", "sleep 987712"]);
}

#[test]
fn a_box_stops_in_reverse_order_and_ends_running_tasks_too() {
    let project = Project::new(
        r#"
tasks:
  long: {command: exec sleep 987720}
services:
  db: {command: 'trap "date +%s%N > /workspace/db-stopped; exit 0" TERM; while :; do sleep 0.05; done'}
  web: {command: 'trap "sleep 0.5; date +%s%N > /workspace/web-stopped; exit 0" TERM; while :; do sleep 0.05; done', needs: [db]}
"#,
    );
    let test_box = project.create(&[]);
    test_box.wait_state("web", "running");
    test_box.wait_state("long", "running");
    let stopped = test_box.run("stop", &[]).ok();
    assert!(stopped.elapsed < Duration::from_secs(20), "{stopped}");
    assert_eq!(
        test_box.inspect()["State"]["ExitCode"],
        0,
        "an orderly end, not Docker's kill"
    );
    let times = project.directory().join("times");
    for unit in ["db", "web"] {
        let from = format!("{}:/workspace/{unit}-stopped", test_box.container());
        agentbox_tests::engine::docker(&["cp", &from, &format!("{}-{unit}", times.display())]).ok();
    }
    let read = |unit: &str| -> u64 {
        let text =
            std::fs::read_to_string(format!("{}-{unit}", times.display())).expect("the file was copied");
        text.trim().parse().expect("nanoseconds")
    };
    assert!(read("web") < read("db"), "web needs db, so it ends first");
}

#[test]
fn a_start_during_a_stop_leaves_no_process_that_nobody_manages() {
    let project = Project::new(
        "services:\n  web: {command: 'trap \"sleep 1; exit 0\" TERM; while :; do sleep 0.05; done', stop_timeout_ms: 5000}\n",
    );
    let test_box = project.create(&["--wait"]);
    let stop = test_box.start("stop", &["web"]);
    test_box.wait_state("web", "stopping");
    test_box.run("start", &["web"]).ok();
    stop.finish(Duration::from_secs(30));
    let web = test_box.wait_state("web", "running");
    // Between its fork and its exec a `sleep` of the loop shows the leader's command line; a second copy would stay.
    agentbox_tests::wait_for("one process of web", Duration::from_secs(5), || {
        let leaders = test_box.processes_matching("sleep 1; exit 0");
        match leaders.len() {
            1 => Ok(()),
            _ => Err(format!("{leaders:?}, {web}")),
        }
    });
}
