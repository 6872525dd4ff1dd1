//! The supervisor on this machine, without a container.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agentbox_ctl::report::{TaskState, UnitsReport};

use crate::daemon::{self, Daemon};
use crate::measure::{Row, alternate, median, milliseconds, repeat, timed};

/// A configuration of services that do nothing.
pub(crate) fn idle_services(count: usize) -> String {
    let mut text = String::from("services:\n");
    for unit in 0..count {
        writeln!(text, "  service-{unit}: {{command: [sleep, '100000']}}").expect("a string grows");
    }
    if count == 0 { String::new() } else { text }
}

pub(crate) fn start() -> Vec<Row> {
    [(0, 10.0), (50, 40.0)]
        .into_iter()
        .map(|(services, aim)| {
            let yaml = idle_services(services);
            let ours = repeat(9, || {
                let daemon = Daemon::spawn(&yaml);
                daemon.first_status();
                milliseconds(daemon.started().elapsed())
            });
            Row::alone(
                &format!("daemon exec to first status reply, {services} services"),
                "ms",
                ours,
                aim,
            )
        })
        .collect()
}

pub(crate) fn status() -> Vec<Row> {
    let daemon = Daemon::spawn(&idle_services(10));
    daemon.wait();
    let ours = repeat(50, || {
        let mut command = Command::new(daemon::binary());
        command.arg("status").arg("--socket").arg(daemon.socket());
        timed(command)
    });
    vec![Row::alone(
        "agentbox-ctl status, 10 services, whole process",
        "ms",
        ours,
        3.0,
    )]
}

/// PID 1 in namespaces of its own, with the directories of a box empty.
pub(crate) fn init() -> Vec<Row> {
    let script = "set -e
        for directory in /run /var/log /var/lib /workspace; do
            test -d $directory && mount -t tmpfs none $directory || true
        done
        mkdir -p /var/lib/agentbox/private
        echo start
        exec \"$0\" init";
    let ours = repeat(9, || {
        let mut child = Command::new("unshare")
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
                "sh",
                "-c",
                script,
            ])
            .arg(daemon::binary())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut start = None;
        let elapsed = loop {
            let line = lines
                .next()
                .expect("the supervisor says that it is ready")
                .expect("text");
            match start {
                None if line == "start" => start = Some(Instant::now()),
                Some(start) if line.ends_with(": ready") => break milliseconds(Instant::now() - start),
                _ => {}
            }
        };
        child.kill().expect("unshare can be ended");
        child.wait().expect("unshare can be waited for");
        elapsed
    });
    vec![Row::alone(
        "PID 1's start until the supervisor answers, 0 units",
        "ms",
        ours,
        15.0,
    )]
}

pub(crate) fn tasks() -> Vec<Row> {
    let mut independent = String::from("tasks:\n");
    for task in 0..200 {
        writeln!(independent, "  task-{task}: {{command: [/bin/true]}}").expect("a string grows");
    }
    let (ours, theirs) = alternate(
        7,
        || {
            let daemon = Daemon::spawn(&independent);
            all_done(&daemon.wait());
            milliseconds(daemon.started().elapsed())
        },
        || {
            let mut command = Command::new("bash");
            command.args(["-c", "for ((i = 0; i < 200; i++)); do /bin/true; done"]);
            timed(command)
        },
    );
    let mut chain = String::from("tasks:\n  task-0: {command: [/bin/true]}\n");
    for task in 1..50 {
        writeln!(
            chain,
            "  task-{task}: {{command: [/bin/true], needs: [task-{}]}}",
            task - 1
        )
        .expect("a string grows");
    }
    let hop = repeat(7, || {
        let daemon = Daemon::spawn(&chain);
        daemon.first_status();
        let report = daemon.wait();
        all_done(&report);
        let first = report.tasks[0].started_at.expect("it ran");
        let last = report.tasks[49].finished_at.expect("it ran");
        milliseconds_between(first, last) / 50.0
    });
    vec![
        Row::against(
            "200 independent `true` tasks, against a shell loop",
            ours,
            theirs,
            1.3,
        ),
        Row::alone("chain of 50 `true` tasks, one hop", "ms", hop, 1.5),
    ]
}

fn all_done(report: &UnitsReport) {
    assert!(
        report.tasks.iter().all(|task| task.state == TaskState::Done),
        "{report:?}"
    );
}

fn milliseconds_between(first: agentbox_ctl::time::Timestamp, last: agentbox_ctl::time::Timestamp) -> f64 {
    let difference = last.as_millis() - first.as_millis();
    f64::from(u32::try_from(difference).expect("less than weeks"))
}

/// Services that open their ports at moments spread over two default intervals, and write down when.
pub(crate) fn probe() -> Vec<Row> {
    const SERVICES: u16 = 15;
    let program = "import socket, sys, time
port, delay = int(sys.argv[1]), float(sys.argv[2])
time.sleep(delay)
listener = socket.create_server(('127.0.0.1', port))
open(f'opened-{port}', 'w').write(str(int(time.time() * 1000)))
time.sleep(1000)
";
    let mut yaml = String::from("services:\n");
    for service in 0..SERVICES {
        let port = 42000 + service;
        writeln!(
            yaml,
            "  service-{service}: {{command: 'exec python3 open.py {port} {}', ready_when: {{port: {port}}}}}",
            0.2 + f64::from(service) * 0.067
        )
        .expect("a string grows");
    }
    let daemon = Daemon::spawn("");
    std::fs::write(daemon.workspace().join("open.py"), program).expect("the program can be written");
    std::fs::write(daemon.workspace().join("agentbox.yaml"), yaml).expect("the configuration can be written");
    let mut reload = Command::new(daemon::binary());
    daemon.first_status();
    reload.arg("reload").arg("--socket").arg(daemon.socket());
    timed(reload);
    let report = daemon.wait();
    let delays = (0..SERVICES)
        .map(|service| {
            let path = daemon.workspace().join(format!("opened-{}", 42000 + service));
            // The service writes after it has opened its port, and may be seen ready before it has.
            let opened: u64 = agentbox_tests::wait_for("the time of opening", Duration::from_secs(5), || {
                let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
                text.parse().map_err(|_| format!("`{text}`"))
            });
            let ready = report.services[usize::from(service)]
                .ready_at
                .expect("it is ready");
            f64::from(u32::try_from(ready.as_millis().saturating_sub(opened)).expect("less than weeks"))
        })
        .collect();
    vec![Row::alone(
        "port opens to `ready`, default interval",
        "ms",
        median(delays),
        20.0,
    )]
}

/// 200 MB of lines into a log, against the same into a file.
pub(crate) fn logs() -> Vec<Row> {
    let command = "yes 'a line of the length that log lines have, give or take, with a number 1234567890' | head -c 200000000";
    let yaml = format!("tasks:\n  talk: {{command: \"{command}\"}}\n");
    let (mut cpu, mut peak) = (Vec::new(), Vec::new());
    let scratch = tempfile::tempdir().expect("a temporary directory can be made");
    let (ours, theirs) = alternate(
        5,
        || {
            let daemon = Daemon::spawn(&yaml);
            all_done(&daemon.wait());
            let elapsed = milliseconds(daemon.started().elapsed());
            cpu.push(daemon.cpu());
            peak.push(daemon.peak());
            elapsed
        },
        || {
            let mut shell = Command::new("bash");
            shell
                .args(["-c", &format!("{{ {command}; }} > file")])
                .current_dir(scratch.path());
            let elapsed = timed(shell);
            std::fs::remove_file(scratch.path().join("file")).expect("the file was written");
            elapsed
        },
    );
    vec![
        Row::against(
            "200 MB of log lines, against a redirected file",
            ours,
            theirs,
            1.3,
        ),
        Row::alone("processor time of the daemon for them", "ms", median(cpu), 300.0),
        Row::alone("peak memory of the daemon with them", "MiB", median(peak), 8.0),
    ]
}
