//! Benchmarks: each figure beside its aim, medians, and two sides measured alternately in one run where there are two.
//!
//! ```text
//! tests/bench ─► agentbox-bench ─┬─ processes: version, validate, the size of the supervisor
//!                                ├─ supervisor: a daemon on this machine, without a container
//!                                ├─ boxes: against the `docker` client on the same engine
//!                                ├─ seeding: a large project, against `tar` through the same client
//!                                ├─ relay: with it, and what it takes
//!                                └─ checkpoints: taken and started from, against commit, export and run
//! ```
//!
//! An argument selects the rows whose name contains it.

mod boxes;
mod checkpoints;
mod daemon;
mod measure;
mod processes;
mod relay;
mod seeding;
mod supervisor;

use std::io::Write;
use std::process::ExitCode;

use measure::Row;

/// A group of rows: the words that select it, and what measures it.
type Group = (&'static str, fn() -> Vec<Row>);

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let groups: [Group; 20] = [
        ("version", processes::version),
        ("validate", processes::validate),
        ("spec list", processes::specs),
        ("size", processes::size),
        ("daemon start", supervisor::start),
        ("ctl status", supervisor::status),
        ("pid 1 init", supervisor::init),
        ("tasks chain", supervisor::tasks),
        ("port probe ready", supervisor::probe),
        ("log output", supervisor::logs),
        ("memory cpu idle", boxes::idle),
        ("exec status", boxes::commands),
        ("create", boxes::create),
        ("seeding", seeding::seeding),
        ("checkpoint", checkpoints::taking),
        ("from", checkpoints::starting),
        ("pause", checkpoints::freezing),
        ("relay status events", relay::fast),
        ("relay boxes", relay::many),
        ("relay web", relay::web),
    ];
    let mut out = std::io::stdout();
    let mut missed = 0;
    let written = writeln!(
        out,
        "{:<58} {:>12} {:>12} {:>8}  aim",
        "what", "ours", "theirs", "ratio"
    );
    if written.is_err() {
        return ExitCode::FAILURE;
    }
    for (name, measure) in groups {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        for row in measure() {
            missed += usize::from(!row.reached());
            if writeln!(out, "{row}").and_then(|()| out.flush()).is_err() {
                return ExitCode::FAILURE;
            }
        }
    }
    // The figures depend on the machine, so a missed aim is shown and is no failure.
    match writeln!(out, "\n{missed} aims missed") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
