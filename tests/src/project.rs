//! A project directory of a test's own, and `agentbox` run from it in a cleared environment.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::own_engine::OwnEngine;
use crate::process::{Output, PATIENCE, Running, run};
use crate::test_box::TestBox;
use crate::{binaries, engine, images, sweep};

/// A temporary project. Dropping it removes its boxes, their volumes and the directory.
#[derive(Debug)]
pub struct Project {
    root: TempDir,
    directory: PathBuf,
    name: String,
    engine: String,
    /// Whether other tests use that engine.
    is_shared: bool,
    /// Whether commands may start a relay of this project's own.
    has_relay: bool,
    /// Directory that is first in the `PATH`, where it is any.
    programs: PathBuf,
}

/// An engine that nobody can reach.
const NO_ENGINE: &str = "unix:///nonexistent/docker.sock";

impl Project {
    /// An empty project.
    ///
    /// # Panics
    /// Where no Docker engine answers or no directory can be made.
    #[track_caller]
    pub fn empty() -> Self {
        let engine = engine::url().to_owned();
        sweep::once();
        let mut project = Self::without_engine();
        project.engine = engine;
        project.is_shared = true;
        project
    }

    /// A project whose boxes are on an engine of the test's own, which takes them away with it.
    ///
    /// # Panics
    /// As [`Project::empty`].
    #[track_caller]
    pub fn on(engine: &OwnEngine, yaml: &str) -> Self {
        let mut project = Self::without_engine();
        project.engine = engine.url();
        project.is_shared = false;
        project.file("agentbox.yaml", yaml);
        project
    }

    /// A project whose `agentbox.yaml` has this text.
    ///
    /// # Panics
    /// As [`Project::empty`].
    #[track_caller]
    pub fn new(yaml: &str) -> Self {
        let project = Self::empty();
        project.file("agentbox.yaml", yaml);
        project
    }

    /// A project for commands that have no business with Docker: their `DOCKER_HOST` leads nowhere.
    ///
    /// # Panics
    /// Where no directory can be made.
    #[track_caller]
    pub fn without_engine() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let root = tempfile::Builder::new()
            .prefix(&sweep::own_prefix())
            .tempdir()
            .expect("a temporary directory can be made");
        // Unique on the engine: the process id is unique on the machine, the count in the process.
        let name = format!(
            "t{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let directory = root.path().join(&name);
        for path in [
            &directory,
            &root.path().join("home"),
            &root.path().join("run"),
            &root.path().join("tmp"),
        ] {
            fs::create_dir(path).expect("a directory can be made in a temporary one");
        }
        Self {
            root,
            directory,
            name,
            engine: NO_ENGINE.to_owned(),
            is_shared: false,
            has_relay: false,
            programs: PathBuf::new(),
        }
    }

    /// The same project, whose commands reach the engine under test by another way, and look for programs in `programs` first.
    #[must_use]
    pub fn by_way_of(mut self, url: String, programs: &Path) -> Self {
        self.engine = url;
        self.programs = programs.to_owned();
        self
    }

    /// The same project, whose commands start a relay, which goes with it.
    #[must_use]
    pub fn with_relay(mut self) -> Self {
        self.has_relay = true;
        self
    }

    /// Directory of the relay's socket.
    pub fn runtime_directory(&self) -> PathBuf {
        self.root.path().join("run/agentbox")
    }

    /// Directory of the relay's log and events.
    pub fn state_directory(&self) -> PathBuf {
        self.root.path().join("home/.local/state/agentbox")
    }

    /// The project directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The name that a box of this project gets by default, unique on the engine.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's data directory (`XDG_DATA_HOME`).
    pub fn data_directory(&self) -> PathBuf {
        self.root.path().join("home/.local/share")
    }

    /// Writes a file, with its directories.
    ///
    /// # Panics
    /// Where it cannot be written.
    #[track_caller]
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.directory.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a directory"))
            .expect("directories can be made");
        fs::write(&path, content).expect("the file can be written");
    }

    /// Writes an executable file.
    ///
    /// # Panics
    /// Where it cannot be written.
    #[track_caller]
    pub fn executable(&self, path: &str, content: impl AsRef<[u8]>) {
        self.file(path, content);
        fs::set_permissions(self.directory.join(path), fs::Permissions::from_mode(0o755))
            .expect("the file can be made executable");
    }

    /// `agentbox` with these arguments, in the project directory and an environment of its own, not yet started.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(binaries::agentbox());
        command.args(arguments);
        self.hermetic(&mut command);
        command.env("DOCKER_HOST", &self.engine);
        command
    }

    /// Gives a command the project's directory and environment, without an engine.
    pub fn hermetic(&self, command: &mut Command) {
        let home = self.root.path().join("home");
        let mut path = self.programs.clone().into_os_string();
        if !path.is_empty() {
            path.push(":");
        }
        path.push(std::env::var_os("PATH").unwrap_or_default());
        command
            .current_dir(&self.directory)
            .env_clear()
            .env("PATH", path)
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_STATE_HOME", home.join(".local/state"))
            .env("XDG_RUNTIME_DIR", self.root.path().join("run"))
            .env("TMPDIR", self.root.path().join("tmp"))
            .env("USER", "tester")
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("COLUMNS", "110");
        if !self.has_relay {
            command.env("AGENTBOX_NO_RELAY", "true");
        }
    }

    /// Runs `agentbox` to its end.
    ///
    /// # Panics
    /// Where it takes longer than [`PATIENCE`].
    #[track_caller]
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Output {
        run(self.command(arguments), PATIENCE)
    }

    /// Starts `agentbox` and leaves it running.
    #[track_caller]
    pub fn start<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Running {
        Running::spawn(self.command(arguments))
    }

    /// Makes a box of this project from the base image, with further arguments of `create`.
    ///
    /// # Panics
    /// Where `create` fails.
    #[track_caller]
    pub fn create(&self, arguments: &[&str]) -> TestBox<'_> {
        self.create_from(&images::base(), arguments)
    }

    /// Makes a box of this project from an image.
    ///
    /// # Panics
    /// Where `create` fails.
    #[track_caller]
    pub fn create_from(&self, image: &str, arguments: &[&str]) -> TestBox<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{}-b{}", self.name, COUNT.fetch_add(1, Ordering::Relaxed));
        let mut all = vec!["create", "-y", "-n", &name, "--image", image];
        all.extend(arguments);
        self.run(&all).ok();
        TestBox::new(self, &name)
    }

    /// Ids of all containers that `agentbox` made for this project, half-made ones included.
    #[track_caller]
    pub fn containers(&self) -> Vec<String> {
        let own = self.root.path().to_owned();
        engine::containers_of(|project| Path::new(project).starts_with(&own))
    }

    /// Ids of all images that `agentbox` made of this project's boxes, whatever they are.
    #[track_caller]
    pub fn images(&self) -> Vec<String> {
        let own = self.root.path().to_owned();
        engine::images_of(|project| Path::new(project).starts_with(&own))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.has_relay {
            let stopped = std::panic::catch_unwind(|| self.run(&["relay", "stop"]));
            if !std::thread::panicking() {
                stopped.expect("the relay can be asked to end").ok();
            }
        }
        if !self.is_shared {
            return;
        }
        // A test may end here by a panic, and a guard must not panic while panicking.
        let remove = || {
            engine::remove(&self.containers());
            engine::remove_images(&self.images());
        };
        if std::panic::catch_unwind(remove).is_err() && !std::thread::panicking() {
            panic!("the boxes of {} could not be removed", self.directory.display());
        }
    }
}
