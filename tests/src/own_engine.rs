//! A Docker engine of a test's own, for what must not happen to the one that all tests share: it is stopped, killed,
//! and has no room.
//!
//! ```text
//! unshare: namespaces for mounts, network and processes, held by a shell that ends with the test
//!    ├─ tmpfs of the size that is wanted ─► data root
//!    └─ dockerd, as often as it is started ─► socket in a temporary directory
//! ```

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::engine;
use crate::process::{Output, PATIENCE, Running, run};
use crate::wait::{wait_for, wait_until};

/// How long an engine may take to answer, or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// An engine, with everything that it keeps.
#[derive(Debug)]
pub struct OwnEngine {
    directory: TempDir,
    /// Holds the namespaces until its stdin is closed.
    holder: Child,
    /// The first process in them.
    inside: i32,
    dockerd: Option<Child>,
}

impl OwnEngine {
    /// Starts one whose data has this much room, in mebibytes.
    ///
    /// # Panics
    /// Where namespaces or file systems cannot be made, or the engine does not answer.
    #[track_caller]
    pub fn start(mebibytes: u32) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for name in ["data", "exec"] {
            fs::create_dir(directory.path().join(name)).expect("a directory can be made");
        }
        fs::write(directory.path().join("empty.json"), "{}").expect("a file can be written");
        let script = format!(
            "mount -t tmpfs -o size={mebibytes}m tmpfs \"$1/data\" && ip link set lo up && touch \"$1/held\" && read -r _"
        );
        let holder = Command::new("unshare")
            .args(["-n", "-m", "-p", "--fork", "--kill-child", "--mount-proc"])
            // The first process, which takes what dockerd leaves behind: bash buries its dead, whoever they were.
            .args(["bash", "-c", &script, "bash"])
            .arg(directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare can be run");
        wait_until("namespaces for an engine", LIMIT, || {
            directory.path().join("held").exists()
        });
        let id = holder.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let inside = children.trim().parse().expect("unshare has one child");
        let mut engine = Self {
            directory,
            holder,
            inside,
            dockerd: None,
        };
        engine.restart();
        engine
    }

    /// Its URL, in the form of `DOCKER_HOST`.
    pub fn url(&self) -> String {
        format!("unix://{}", self.directory.path().join("socket").display())
    }

    /// Starts it again after [`Self::end`], with the data that it had.
    ///
    /// # Panics
    /// Where it does not answer.
    #[track_caller]
    pub fn restart(&mut self) {
        let path = |name: &str| self.directory.path().join(name);
        let log = fs::File::create(path("log")).expect("a file can be made");
        let dockerd = Command::new("nsenter")
            .args(["-t", &self.inside.to_string(), "-m", "-n", "-p"])
            .args(["dockerd", "--storage-driver", "overlay2", "--config-file"])
            .arg(path("empty.json"))
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .args(["--host", &self.url()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("dockerd can be run");
        self.dockerd = Some(dockerd);
        wait_for("an engine of the test's own", LIMIT, || {
            match self.docker(&["version"]) {
                answer if answer.code == 0 => Ok(()),
                // What it says itself tells more.
                _ => Err(fs::read_to_string(path("log")).unwrap_or_default()),
            }
        });
    }

    /// Ends it by a signal and waits until it has ended. Its containers stay as they are, or end with it.
    ///
    /// # Panics
    /// Where it does not end.
    #[track_caller]
    pub fn end(&mut self, signal: Signal) {
        let mut nsenter = self.dockerd.take().expect("it runs");
        let id = nsenter.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            kill(Pid::from_raw(child), signal).expect("dockerd can be signalled");
        }
        wait_until("the engine to end", LIMIT, || {
            nsenter.try_wait().is_ok_and(|status| status.is_some())
        });
        let _ = fs::remove_file(self.directory.path().join("pid"));
    }

    /// Runs the `docker` client on it.
    #[track_caller]
    pub fn docker(&self, arguments: &[&str]) -> Output {
        let mut command = engine::command(arguments);
        command.env("DOCKER_HOST", self.url());
        run(command, PATIENCE)
    }

    /// Gives it an image that the shared engine has.
    ///
    /// # Panics
    /// Where it cannot be copied.
    #[track_caller]
    pub fn load(&self, image: &str) {
        let archive = self.directory.path().join("image.tar");
        let archive = archive.to_str().expect("a temporary directory's name is text");
        Running::spawn(engine::command(&["save", "-o", archive, image]))
            .finish(PATIENCE)
            .ok();
        self.docker(&["load", "-i", archive]).ok();
        fs::remove_file(archive).expect("a file can be removed");
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        // All processes in the namespaces end with the first, and what is mounted goes with them.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        if let Some(mut dockerd) = self.dockerd.take() {
            let _ = dockerd.wait();
        }
    }
}
