//! Restarts: of services by their policy, of the supervisor by PID 1.

use std::time::Duration;

use agentbox_tests::{Project, wait_for};

#[test]
fn a_killed_service_comes_back_with_growing_delays() {
    let project = Project::new(
        "services:\n  web: {command: exec sleep 1000, backoff: {initial_ms: 1000, factor: 2, max_ms: 60000}}\n",
    );
    let test_box = project.create(&["--wait"]);
    let mut delays = Vec::new();
    for restart in 1..=3 {
        let pid = test_box.pid("web");
        test_box.docker_exec(&format!("kill -9 {pid}")).ok();
        assert_eq!(test_box.wait_state("web", "backoff")["signal"], "SIGKILL");
        let web = test_box.wait_unit("web", &format!("restart {restart}"), |unit| {
            unit["restarts"] == restart && unit["state"] == "running"
        });
        assert_ne!(web["pid"].as_u64(), Some(pid));
        delays.push(delay_before_restart(&test_box));
    }
    for (index, delay) in delays.iter().enumerate() {
        let configured = 1000 * (1 << index);
        assert!(
            (configured..configured + 2000).contains(delay),
            "delay {index} was {delay} ms instead of {configured}: {delays:?}"
        );
    }
}

/// Milliseconds that the newest `backoff` of the box's events lasted.
fn delay_before_restart(test_box: &agentbox_tests::TestBox<'_>) -> i64 {
    let events = test_box.run("events", &["--json"]).ok().stdout;
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event is JSON"))
        .collect();
    let from = events
        .iter()
        .rposition(|event| event["to"] == "backoff")
        .expect("a backoff");
    let until = events[from..]
        .iter()
        .find(|event| event["from"] == "backoff")
        .expect("the end of the backoff");
    milliseconds(&until["time"]) - milliseconds(&events[from]["time"])
}

/// Milliseconds since midnight of an RFC 3339 time.
fn milliseconds(time: &serde_json::Value) -> i64 {
    let text = time.as_str().expect("a time is text");
    let clock = text
        .split('T')
        .nth(1)
        .expect("a time has a clock part")
        .trim_end_matches('Z');
    let mut parts = clock
        .split([':', '.'])
        .map(|part| part.parse::<i64>().expect("digits"));
    let mut next = || parts.next().expect("hours, minutes, seconds, milliseconds");
    ((next() * 60 + next()) * 60 + next()) * 1000 + next()
}

#[test]
fn the_policy_decides_what_a_failure_and_a_clean_exit_lead_to() {
    let project = Project::new(
        "services:\n  always: {command: exit 0, restart: always, backoff: {initial_ms: 100}}\n  \
         clean: {command: exit 0}\n  never: {command: exit 4, restart: never}\n  \
         missing: {command: [/no/such/program], restart: never}\n  \
         nowhere: {command: sleep 1, cwd: no/such/directory, restart: never}\n  \
         nobody: {command: sleep 1, user: nosuchuser, restart: never}\n  \
         killed: {command: 'kill -9 $$', restart: never}\n",
    );
    let test_box = project.create(&[]);
    test_box.wait_unit("always", "two restarts", |unit| {
        unit["restarts"].as_u64() >= Some(2)
    });
    assert_eq!(test_box.wait_state("clean", "stopped")["exitCode"], 0);
    assert_eq!(test_box.wait_state("never", "crashed")["exitCode"], 4);
    assert_eq!(test_box.wait_state("killed", "crashed")["signal"], "SIGKILL");
    for unit in ["missing", "nowhere", "nobody"] {
        let status = test_box.wait_state(unit, "crashed");
        assert!(status["reason"].is_string(), "{unit} gives no reason: {status}");
        assert_eq!(status["pid"], serde_json::Value::Null);
    }
}

#[test]
fn a_killed_daemon_comes_back_and_nothing_runs_twice() {
    let project = Project::new(
        "tasks: {once: {command: echo x >> /tmp/runs}}\n\
         services:\n  web: {command: exec sleep 987601, needs: [once]}\n  \
         tree: {command: 'setsid sleep 987602 & (setsid env -i sleep 987603 &) ; exec sleep 987604'}\n",
    );
    let test_box = project.create(&["--wait"]);
    let container = test_box.inspect()["Id"].clone();
    for round in 1..=2 {
        let before = test_box.pid("web");
        let daemon = test_box.processes_matching("agentbox-ctl daemon");
        assert_eq!(daemon.len(), 1, "{daemon:?}");
        test_box
            .docker_exec("for d in /proc/[0-9]*; do if tr '\\0' ' ' < $d/cmdline | grep -q \"^agentbox-ctl daemon\"; then kill -9 ${d#/proc/}; fi; done")
            .ok();
        wait_for("web to run again", Duration::from_secs(30), || {
            let output = test_box.run("status", &["--json"]);
            if output.code != 0 {
                return Err(output.to_string());
            }
            let status = output.json();
            let web = agentbox_tests::test_box::find_unit(&status, "web").unwrap_or_default();
            if web["state"] == "running" && web["pid"] != before {
                Ok(())
            } else {
                Err(status.to_string())
            }
        });
        test_box.wait_state("tree", "running");
        for marker in ["987601", "987602", "987603", "987604"] {
            wait_for(
                &format!("one sleep {marker} in round {round}"),
                Duration::from_secs(10),
                || {
                    let found = test_box.processes_matching(&format!("sleep {marker}"));
                    let found: Vec<_> = found
                        .into_iter()
                        .filter(|process| process.command.starts_with("sleep"))
                        .collect();
                    if found.len() == 1 {
                        Ok(())
                    } else {
                        Err(format!("{found:?}"))
                    }
                },
            );
        }
        assert_eq!(test_box.inspect()["Id"], container, "the box lives");
        assert_eq!(test_box.inspect()["RestartCount"], 0, "the box lives");
    }
    assert_eq!(test_box.unit("once")["state"], "done");
    assert_eq!(
        test_box.exec("cat /tmp/runs").ok().stdout,
        "x\n",
        "a done task is not run again"
    );
    // The numbers of events go on.
    let events = test_box.run("events", &["--json"]).ok().stdout;
    let numbers: Vec<u64> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"]
                .as_u64()
                .expect("a number")
        })
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
    assert_eq!(numbers.first(), Some(&1));
}

#[test]
fn a_probe_that_times_out_kills_or_marks() {
    let project = Project::new(
        "services:\n  strict: {command: exec sleep 1000, restart: never, ready_when: {port: 9991, timeout_ms: 500}}\n  \
         polite: {command: 'trap \"exit 0\" TERM; while :; do sleep 0.05; done', restart: never, ready_when: {port: 9992, timeout_ms: 500}}\n  \
         lenient: {command: exec sleep 1000, ready_when: {port: 9993, timeout_ms: 500, on_timeout: mark_unhealthy}}\n  \
         talker: {command: 'sleep 0.5; echo server READY now; exec sleep 1000', ready_when: {log_match: 'READY\\s+now'}}\n",
    );
    let test_box = project.create(&[]);
    test_box.wait_state("strict", "crashed");
    // A clean exit after the probe's kill is a failure all the same.
    test_box.wait_state("polite", "crashed");
    test_box.wait_state("lenient", "unhealthy");
    test_box.wait_state("talker", "ready");
    // An unhealthy service becomes ready when its probe passes later.
    test_box
        .docker_exec("nohup setsid python3 -m http.server 9993 --bind 127.0.0.1 >/dev/null 2>&1 &")
        .ok();
    test_box.wait_state("lenient", "ready");
}
