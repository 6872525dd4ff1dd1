//! Boxes, against the `docker` client on the same engine.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use agentbox_tests::{Project, TestBox, engine, images};

use crate::measure::{Row, alternate, timed};
use crate::supervisor::idle_services;

/// Commands on a running box.
pub(crate) fn commands() -> Vec<Row> {
    let project = Project::new(&idle_services(3));
    let test_box = project.create(&["--wait"]);
    let container = test_box.container();
    let docker = || timed(engine::command(&["exec", &container, "true"]));
    let (status, plain) = alternate(
        15,
        || timed(project.command(&["status", test_box.name()])),
        docker,
    );
    let (exec, plain_exec) = alternate(
        15,
        || timed(project.command(&["exec", test_box.name(), "--", "true"])),
        docker,
    );
    vec![
        Row::against("agentbox status, against docker exec true", status, plain, 0.9),
        Row::against(
            "agentbox exec true, against docker exec true",
            exec,
            plain_exec,
            0.9,
        ),
    ]
}

/// A small project until its supervisor answers, against a bare container of the same image.
pub(crate) fn create() -> Vec<Row> {
    let project = Project::new(&idle_services(2));
    project.file("README.md", "a small project\n");
    let image = images::base();
    let (mut ours, mut theirs) = (0, 0);
    let name = |kind: &str, number: i32| format!("{}-{kind}{number}", project.name());
    let (create, run) = alternate(
        7,
        || {
            ours += 1;
            let name = name("ours", ours);
            let elapsed = timed(project.command(&["create", "-n", &name, "--image", &image]));
            project.run(&["destroy", "-f", "--discard", &name]).ok();
            elapsed
        },
        || {
            theirs += 1;
            let name = name("theirs", theirs);
            // The label lets the guard find it, should this process panic.
            let label = format!("dev.agentbox.project={}", project.directory().display());
            let run = [
                "run", "-d", "--name", &name, "--label", &label, &image, "sleep", "1000",
            ];
            let elapsed = timed(engine::command(&run));
            engine::remove(&[name]);
            elapsed
        },
    );
    vec![Row::against(
        "agentbox create, against docker run -d",
        create,
        run,
        1.4,
    )]
}

/// What a supervisor with nothing to do takes.
pub(crate) fn idle() -> Vec<Row> {
    let mut rows = Vec::new();
    for (services, aim) in [(0, 3.0), (50, 4.5)] {
        let project = Project::new(&idle_services(services));
        let test_box = project.create(&["--wait"]);
        let memory: f64 = supervisor_pids(&test_box)
            .into_iter()
            .map(proportional_memory)
            .sum();
        rows.push(Row::alone(
            &format!("supervisor memory (PSS), {services} idle services"),
            "MiB",
            memory / 1024.0,
            aim,
        ));
    }
    let mut yaml = String::from(
        "services:\n  listener: {command: 'exec python3 -m http.server 3000 --bind 127.0.0.1'}\n",
    );
    for service in 0..50 {
        writeln!(
            yaml,
            "  service-{service}: {{command: [sleep, '100000'], ready_when: {{port: 3000}}}}"
        )
        .expect("a string grows");
    }
    let project = Project::new(&yaml);
    let test_box = project.create(&["--wait"]);
    let pids = supervisor_pids(&test_box);
    let wakes = || -> f64 { pids.iter().copied().map(context_switches).sum() };
    let before = wakes();
    // A span of time is what is measured.
    std::thread::sleep(Duration::from_secs(5));
    rows.push(Row::alone(
        "supervisor wake-ups in 5 s, 50 services with passed probes",
        "",
        wakes() - before,
        0.0,
    ));
    rows
}

/// Host process ids of PID 1 and the daemon of a box.
fn supervisor_pids(test_box: &TestBox<'_>) -> Vec<u32> {
    let processes = test_box.processes_matching("agentbox-ctl");
    assert!(processes.len() >= 2, "{processes:?}");
    processes.iter().map(|process| process.pid).collect()
}

/// Proportional set size in KiB.
fn proportional_memory(pid: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("root can read it");
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .expect("a Pss line");
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .expect("a number")
}

/// How often the threads of a process were put on a processor.
fn context_switches(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok())
        .flat_map(|status| {
            status
                .lines()
                .filter(|line| line.contains("voluntary_ctxt_switches"))
                .filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok())
                .collect::<Vec<_>>()
        })
        .sum()
}
