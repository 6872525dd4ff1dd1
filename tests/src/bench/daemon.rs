//! A supervisor on this machine, without a container.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agentbox_ctl::client::Client;
use agentbox_ctl::protocol::message::{Answer, Request};
use agentbox_ctl::report::UnitsReport;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The supervisor as it goes into boxes, where the build has left it; else the one named by
/// `AGENTBOX_TEST_CTL_BINARY`.
pub(crate) fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("AGENTBOX_TEST_CTL_BINARY") {
        return PathBuf::from(path);
    }
    let target = agentbox_tests::binaries::cache_directory();
    let target = target.parent().expect("the cache lies in the target directory");
    fs::read_dir(target.join("supervisor"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("supervisor/agentbox-ctl"))
        .find(|path| path.is_file())
        .expect("the build of agentbox leaves the supervisor under target/supervisor")
}

/// A running supervisor. Dropping it ends it with its units.
pub(crate) struct Daemon {
    child: Child,
    directory: TempDir,
    started: Instant,
}

impl Daemon {
    /// Starts one on a configuration; it may not answer yet.
    pub(crate) fn spawn(yaml: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for name in ["workspace", "logs", "state"] {
            fs::create_dir(directory.path().join(name)).expect("a directory can be made");
        }
        let config = directory.path().join("workspace/agentbox.yaml");
        fs::write(&config, yaml).expect("the configuration can be written");
        let started = Instant::now();
        let child = Command::new(binary())
            .arg("daemon")
            .arg("--socket")
            .arg(directory.path().join("socket"))
            .arg("--config")
            .arg(config)
            .arg("--workspace")
            .arg(directory.path().join("workspace"))
            .arg("--log-dir")
            .arg(directory.path().join("logs"))
            .arg("--state-dir")
            .arg(directory.path().join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the supervisor can be started");
        Self {
            child,
            directory,
            started,
        }
    }

    /// When it was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// Its workspace.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its first answer and gives the units.
    pub(crate) fn first_status(&self) -> UnitsReport {
        self.ask(&Request::Status, |answer| match answer {
            Answer::Status(report) => report,
            other => panic!("status gave {other:?}"),
        })
    }

    /// Waits until its units are in their good end states.
    pub(crate) fn wait(&self) -> UnitsReport {
        let request = Request::Wait {
            units: Vec::new(),
            progress: false,
        };
        self.ask(&request, |answer| match answer {
            Answer::Waited(report) => report,
            other => panic!("wait gave {other:?}"),
        })
    }

    fn ask<T>(&self, request: &Request, take: impl Fn(Answer) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        runtime.block_on(async {
            let limit = Instant::now() + Duration::from_secs(60);
            loop {
                match Client::connect(&self.socket()).await {
                    Ok(client) => return take(client.ask(request).await.expect("the supervisor answers")),
                    Err(error) => assert!(Instant::now() < limit, "no supervisor: {error}"),
                }
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
        })
    }

    /// Processor time it has used, in milliseconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("the supervisor runs");
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks = |index: usize| fields[index].parse::<f64>().expect("a number");
        // User and system time in hundredths of a second.
        (ticks(11) + ticks(12)) * 10.0
    }

    /// Peak of its resident memory, in MiB.
    pub(crate) fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the supervisor runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("a peak");
        line.trim()
            .trim_end_matches(" kB")
            .parse::<f64>()
            .expect("a number")
            / 1024.0
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}
