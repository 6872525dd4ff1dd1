//! Images for the tests, made without a registry and kept on the engine for the next run.
//!
//! An image is known by a label that holds a hash of what it was made from, so a change here makes a new one.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::process::{PATIENCE, Running, run};
use crate::{binaries, engine};

/// agentbox's base image, made by `agentbox image build` where the engine has none.
///
/// # Panics
/// Where it cannot be made.
pub fn base() -> String {
    const NAME: &str = "agentbox/base:latest";
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let _lock = lock("base");
        if engine::inspect(NAME).is_none() {
            let mut command = Command::new(binaries::agentbox());
            command.args(["image", "build"]).env("DOCKER_HOST", engine::url());
            run(command, Duration::from_secs(900)).ok();
        }
    });
    NAME.to_owned()
}

/// agentbox's image for boxes with a Docker engine of their own, made by `agentbox image build` where there is none.
///
/// # Panics
/// Where it cannot be made.
pub fn docker() -> String {
    const NAME: &str = "agentbox/docker:latest";
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| {
        let _lock = lock("docker");
        if engine::inspect(NAME).is_none() {
            let mut command = Command::new(binaries::agentbox());
            command
                .args(["image", "build", "--variant", "docker"])
                .env("DOCKER_HOST", engine::url());
            run(command, Duration::from_secs(900)).ok();
        }
    });
    NAME.to_owned()
}

/// [`docker`] with Debian's PostgreSQL.
///
/// # Panics
/// Where it cannot be made.
pub fn postgres() -> String {
    const INSTALL: &str = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
        --no-install-recommends postgresql postgresql-client && rm -rf /var/lib/apt/lists/*";
    derived("postgres", &docker(), INSTALL)
}

/// agentbox's base image with files of root's in the workspace.
///
/// # Panics
/// Where it cannot be made.
pub fn with_files_of_root() -> String {
    const FILES: &str = "mkdir -p /workspace/vendor/closed && echo image >/workspace/vendor/file && \
        echo image >/workspace/vendor/closed/file && chmod 700 /workspace/vendor/closed";
    derived("files-of-root", &base(), FILES)
}

/// The image of the example with service specs: the base image with npm.
///
/// # Panics
/// Where it cannot be made.
pub fn full_stack() -> String {
    const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/full-stack");
    base();
    let _lock = lock("full-stack");
    // The engine's cache knows whether anything has changed.
    let image = "agentbox-tests/full-stack:latest";
    let label = "dev.agentbox.test-image=full-stack";
    let build = engine::command(&["build", "-q", "--label", label, "-t", image, EXAMPLE]);
    run(build, Duration::from_secs(900)).ok();
    image.to_owned()
}

/// agentbox's base image with a `systemctl` of its own.
///
/// # Panics
/// Where it cannot be made.
pub fn with_own_systemctl() -> String {
    const OWN: &str = "printf '#!/bin/sh\\necho own\\n' >/usr/local/bin/systemctl && \
        chmod 755 /usr/local/bin/systemctl";
    derived("own-systemctl", &base(), OWN)
}

/// An image in which root has run a command.
fn derived(name: &str, from: &str, command: &str) -> String {
    let from_id = engine::inspect(from).map(|image| image["Id"].to_string());
    let mut hasher = DefaultHasher::new();
    (from_id, command).hash(&mut hasher);
    let image = format!("agentbox-tests/{name}:{:016x}", hasher.finish());
    let _lock = lock(name);
    if engine::inspect(&image).is_none() {
        let dockerfile = format!(
            "FROM {from}\nLABEL dev.agentbox.test-image={name}\nUSER root\nRUN {command}\nUSER developer\n"
        );
        let mut build = Running::spawn(engine::command(&["build", "-q", "-t", &image, "-"]));
        build.write(dockerfile.as_bytes());
        build.finish(Duration::from_secs(600)).ok();
    }
    image
}

/// An image of the engine as an archive that another engine loads.
///
/// # Panics
/// Where there is no such image.
pub fn saved(image: &str) -> Vec<u8> {
    engine::docker(&["save", image]).ok().bytes
}

/// An image that holds one static busybox, under the two names that a shell needs, and nothing else.
///
/// # Panics
/// Where it cannot be made.
pub fn busybox() -> String {
    imported("busybox", &[], |root| {
        fs::create_dir_all(root.join("bin")).expect("a directory can be made");
        copy_busybox(&root.join("bin/busybox"));
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).expect("a link can be made");
    })
}

/// An image that holds nothing at all.
///
/// # Panics
/// Where it cannot be made.
pub fn scratch() -> String {
    imported("scratch", &[], |_| {})
}

/// An image with busybox whose configured user is `someone`, uid 1234.
///
/// # Panics
/// Where it cannot be made.
pub fn other_user() -> String {
    let changes = [
        "USER someone",
        "ENV PATH=/bin FROM_IMAGE=yes",
        "ENTRYPOINT [\"/bin/false\"]",
    ];
    imported("other-user", &changes, |root| {
        for directory in ["bin", "etc", "home/someone"] {
            fs::create_dir_all(root.join(directory)).expect("a directory can be made");
        }
        copy_busybox(&root.join("bin/busybox"));
        for applet in ["sh", "id", "sleep", "cat", "env", "pwd", "touch", "ls"] {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link can be made");
        }
        let passwd = "root:x:0:0::/root:/bin/sh\nsomeone:x:1234:1234::/home/someone:/bin/sh\n";
        fs::write(root.join("etc/passwd"), passwd).expect("a file can be written");
        fs::write(root.join("etc/group"), "root:x:0:\nsomeone:x:1234:\n").expect("a file can be written");
    })
}

/// An image with busybox that has everything in its configuration which a Dockerfile line can say.
///
/// # Panics
/// Where it cannot be made.
pub fn configured() -> String {
    let changes = [
        r#"ENV PATH=/bin QUOTED="q\"uo te" DOLLAR="\$HOME x=y" EMPTY="" BACKSLASH="a\\b""#,
        "USER someone",
        "WORKDIR /srv",
        r#"ENTRYPOINT ["/bin/sh", "-c", "echo \"$DOLLAR\""]"#,
        r#"CMD ["a b", "c"]"#,
        "EXPOSE 5432/tcp 53/udp",
        r#"VOLUME ["/data"]"#,
        r#"LABEL org.example.text="va\"l \$1" org.example.json="{\"a\":1}""#,
        "HEALTHCHECK --interval=5s --retries=2 CMD true",
        "ONBUILD RUN true",
    ];
    imported("configured", &changes, |root| {
        for directory in ["bin", "etc", "srv", "data", "home/someone"] {
            fs::create_dir_all(root.join(directory)).expect("a directory can be made");
        }
        copy_busybox(&root.join("bin/busybox"));
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).expect("a link can be made");
        fs::write(
            root.join("etc/passwd"),
            "someone:x:1234:1234::/home/someone:/bin/sh\n",
        )
        .expect("a file can be written");
    })
}

/// A static busybox on the host: the machine's own, else the one of Debian's package `busybox-static`.
///
/// # Panics
/// Where there is none and apt cannot fetch it.
pub fn busybox_binary() -> PathBuf {
    let kept = binaries::cache_directory().join("busybox");
    let _lock = lock("busybox-binary");
    if kept.is_file() {
        return kept;
    }
    let fetched = tempfile::tempdir().expect("a temporary directory can be made");
    let mut command = Command::new("apt-get");
    command
        .args(["download", "busybox-static"])
        .current_dir(fetched.path());
    run(command, PATIENCE).ok();
    let package = fs::read_dir(fetched.path())
        .expect("the directory can be read")
        .flatten()
        .next()
        .expect("apt-get download leaves a package")
        .path();
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(&package).arg(fetched.path());
    run(command, PATIENCE).ok();
    let partial = kept.with_extension("partial");
    fs::copy(fetched.path().join("bin/busybox"), &partial).expect("the package holds /bin/busybox");
    fs::rename(&partial, &kept).expect("a file can be renamed");
    kept
}

fn copy_busybox(target: &Path) {
    fs::copy(busybox_binary(), target).expect("a file can be copied");
    fs::set_permissions(target, fs::Permissions::from_mode(0o755)).expect("permissions can be set");
}

/// Imports a directory that `fill` makes as an image, unless the engine has it.
fn imported(name: &str, changes: &[&str], fill: impl Fn(&Path)) -> String {
    let root = tempfile::tempdir().expect("a temporary directory can be made");
    fill(root.path());
    let mut command = Command::new("tar");
    // Fixed order, times and owners: the same content is the same archive.
    command
        .args([
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "-c",
            "-C",
        ])
        .arg(root.path())
        .arg(".");
    let archive = run(command, PATIENCE).ok().bytes;
    let mut hasher = DefaultHasher::new();
    (&archive, changes).hash(&mut hasher);
    let image = format!("agentbox-tests/{name}:{:016x}", hasher.finish());
    let _lock = lock(name);
    if engine::inspect(&image).is_none() {
        let label = format!("LABEL dev.agentbox.test-image={name}");
        let mut arguments = vec!["import", "--change", &label];
        for change in changes {
            arguments.extend(["--change", change]);
        }
        arguments.extend(["-", &image]);
        let mut import = Running::spawn(engine::command(&arguments));
        import.write(&archive);
        import.finish(PATIENCE).ok();
    }
    image
}

/// Waits for and holds a lock between test processes, until dropped.
fn lock(name: &str) -> Flock<File> {
    let path = binaries::cache_directory().join(format!("{name}.lock"));
    let mut file = File::create(path).expect("a lock file can be made");
    let _ = writeln!(file, "{}", std::process::id());
    Flock::lock(file, FlockArg::LockExclusive)
        .unwrap_or_else(|(_, error)| panic!("cannot lock {name}: {error}"))
}
