//! Whole processes that need neither a supervisor nor an engine.

use std::fmt::Write as _;
use std::process::Command;

use agentbox_tests::binaries;

use crate::daemon;
use crate::measure::{Row, repeat, timed};

pub(crate) fn version() -> Vec<Row> {
    let ours = repeat(50, || {
        let mut command = Command::new(binaries::agentbox());
        command.arg("--version");
        timed(command)
    });
    vec![Row::alone("agentbox --version", "ms", ours, 5.0)]
}

pub(crate) fn validate() -> Vec<Row> {
    [(500, 10.0, 30), (5000, 80.0, 15)]
        .into_iter()
        .map(|(units, aim, rounds)| {
            let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
            std::fs::write(file.path(), configuration(units)).expect("the file can be written");
            let ours = repeat(rounds, || {
                let mut command = Command::new(binaries::agentbox());
                command.arg("validate").arg(file.path());
                timed(command)
            });
            Row::alone(&format!("agentbox validate, {units} units"), "ms", ours, aim)
        })
        .collect()
}

/// A thousand service specs, as one `spec list` reads them.
pub(crate) fn specs() -> Vec<Row> {
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let directory = home.path().join("agentbox/service-specs");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    for number in 0..1000 {
        let spec = format!(
            "{{\"id\":\"svc_{number:012x}\",\"name\":\"api-{number}\",\"exec_start\":\"/usr/bin/node /srv/{number}.js\",\
             \"env_vars\":{{\"PORT\":\"3000\",\"NODE_ENV\":\"production\"}},\"restart_policy\":\"always\",\"auto_enable\":true,\
             \"created_at\":\"2026-04-01T10:00:00.000Z\",\"updated_at\":\"2026-04-01T10:00:00.000Z\"}}"
        );
        std::fs::write(directory.join(format!("svc_{number:012x}.json")), spec)
            .expect("a file can be written");
    }
    let ours = repeat(50, || {
        let mut command = Command::new(binaries::agentbox());
        command.args(["spec", "list"]).env("XDG_DATA_HOME", home.path());
        timed(command)
    });
    vec![Row::alone("agentbox spec list, 1000 specs", "ms", ours, 20.0)]
}

/// A configuration of the kind people write, with `units` units in chains of ten.
fn configuration(units: usize) -> String {
    let mut text = String::from("services:\n");
    for unit in 0..units {
        writeln!(
            text,
            "  service-{unit}:\n    command: npm run start --workspace {unit}\n    cwd: apps/{unit}\n    \
             env: {{PORT: {}, NAME: \"service {unit}\"}}",
            1000 + unit
        )
        .expect("a string grows");
        if unit % 10 != 0 {
            writeln!(text, "    needs: [service-{}]", unit - 1).expect("a string grows");
        }
        writeln!(text, "    ready_when: {{port: {}}}", 1000 + unit).expect("a string grows");
    }
    text
}

pub(crate) fn size() -> Vec<Row> {
    let bytes = std::fs::metadata(daemon::binary())
        .expect("the supervisor is there")
        .len();
    let mebibytes = f64::from(u32::try_from(bytes).expect("less than 4 GiB")) / 1_048_576.0;
    vec![Row::alone("the injected binary, stripped", "MiB", mebibytes, 4.0)]
}
