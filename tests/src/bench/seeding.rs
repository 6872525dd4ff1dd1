//! A large project on its way into a box, against `tar` through `docker exec`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use agentbox_tests::repository::{commit_all, git};
use agentbox_tests::{Project, TestBox, engine};

use crate::measure::{Row, alternate, milliseconds, timed};

/// Files of the project.
const FILES: usize = 20_000;
/// Bytes of each: 180 MB in all.
const BYTES: usize = 9_000;
/// The line of `create --verbose` that says how long the start and the copy took together.
const BOTH: &str = "starting, copying the project: ";
/// The line about the start.
const START: &str = "starting: ";

/// With git and without.
pub(crate) fn seeding() -> Vec<Row> {
    let mut rows = Vec::new();
    let mut peak = 0_u64;
    for (what, with_git) in [("without git", false), ("with git", true)] {
        let project = Project::new("services: {}\n");
        fill(&project);
        if with_git {
            git(&project, &["init", "--quiet", "."]);
            // In the background it would disturb what is measured.
            git(&project, &["config", "gc.auto", "0"]);
            commit_all(&project);
            git(&project, &["repack", "-a", "-d", "--quiet"]);
        }
        let other = project.create(&["--project", &empty(&project)]);
        let mut number = 0;
        let (ours, theirs) = alternate(
            3,
            || {
                // What earlier rounds left to be written to the disk is not for this one to pay.
                nix::unistd::sync();
                number += 1;
                let name = format!("{}-large{number}", project.name());
                let (elapsed, memory) = copy(&project, &name);
                peak = peak.max(memory);
                project.run(&["destroy", "-f", "--discard", &name]).ok();
                elapsed
            },
            || {
                nix::unistd::sync();
                with_tar(&project, &other)
            },
        );
        rows.push(Row::against(
            &format!("seeding 20,000 files, 180 MB, {what}, against tar"),
            ours,
            theirs,
            1.2,
        ));
    }
    rows.push(Row::alone(
        "memory of agentbox while it seeds them",
        "MiB",
        peak as f64 / 1024.0,
        64.0,
    ));
    rows
}

/// Files of text that compresses as source code does.
fn fill(project: &Project) {
    let mut state = 1_u64;
    for number in 0..FILES {
        let mut content = String::with_capacity(BYTES + 8);
        while content.len() < BYTES {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // One of some thousand words.
            content.push_str(&format!("w{:x} ", (state >> 33) % 4096));
        }
        content.truncate(BYTES);
        let path = format!("d{}/e{}/file{number}.txt", number % 100, number / 100 % 20);
        project.file(&path, content);
    }
}

/// A directory beside the project, for a box without any of its files.
fn empty(project: &Project) -> String {
    let directory = project
        .directory()
        .parent()
        .expect("it lies in a directory")
        .join("empty");
    fs::create_dir_all(&directory).expect("a directory can be made");
    directory.to_str().expect("a path that is text").to_owned()
}

/// Makes a box; gives the milliseconds of the copy alone and the largest memory of the process in KiB.
fn copy(project: &Project, name: &str) -> (f64, u64) {
    let mut child = project
        .command(&["create", "--verbose", "--no-wizard", "-n", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("agentbox can be started");
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        peak = peak.max(high_water(Path::new(&status)));
        if child.try_wait().expect("a child can be waited for").is_some() {
            break;
        }
        // The mark only rises, so that looking at it now and then is enough.
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("a child can be waited for");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let took = |step: &str| -> f64 {
        said.lines()
            .find_map(|line| line.strip_prefix(step)?.strip_suffix(" ms")?.parse().ok())
            .unwrap_or_else(|| panic!("no `{step}` in {said}"))
    };
    (took(BOTH) - took(START), peak)
}

/// Largest resident memory of a process so far, in KiB; 0 once it has ended.
fn high_water(status: &Path) -> u64 {
    fs::read_to_string(status)
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or_default()
}

/// `tar -C project -cf - . | docker exec -i BOX tar -xf -`, in milliseconds.
fn with_tar(project: &Project, other: &TestBox<'_>) -> f64 {
    other
        .docker_exec("rm -rf /workspace/copy && mkdir /workspace/copy")
        .ok();
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(project.directory()).args(["-cf", "-", "."]);
    let begun = Instant::now();
    let mut packing = tar.stdout(Stdio::piped()).spawn().expect("tar can be started");
    let mut unpacking = engine::command(&[
        "exec",
        "-i",
        "-w",
        "/workspace/copy",
        &other.container(),
        "tar",
        "-xf",
        "-",
    ]);
    unpacking.stdin(packing.stdout.take().expect("a pipe"));
    let status = unpacking.status().expect("docker can be started");
    let elapsed = milliseconds(begun.elapsed());
    assert!(status.success() && packing.wait().is_ok_and(|status| status.success()));
    let _ = timed(engine::command(&[
        "exec",
        &other.container(),
        "rm",
        "-rf",
        "/workspace/copy",
    ]));
    elapsed
}
