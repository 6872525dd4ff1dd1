//! dockerd as a unit.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::api;
use crate::config::Config;
use crate::config::model::{
    Backoff, Check, Launch, OnTimeout, Probe, RestartPolicy, Service, Unit, UnitKind,
};
use crate::paths::DOCKER_DAEMON;
use crate::supervisor::launch::aside;

/// Time that dockerd has to end its containers. It gives each ten seconds, all at once.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that dockerd has to come up, which takes it a second.
const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Where control groups are mounted.
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";
/// File name of its log.
const LOG_NAME: &str = "docker.daemon.log";
/// How often the box's control group is tried to be shared out before that is given up.
const DELEGATIONS: u32 = 10;
/// Time that an answer may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time between two attempts. Dockerd takes half a second to come up.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether this is the name of dockerd's unit.
pub(in crate::supervisor) fn is_daemon(name: &str) -> bool {
    name == DOCKER_DAEMON
}

/// Adds dockerd to the units and to the needs of each. The group with this number may use its socket.
pub(in crate::supervisor) fn add_to(config: &mut Config, group: u32) {
    for unit in &mut config.units {
        unit.needs.push(DOCKER_DAEMON.to_owned());
    }
    config.units.push(Unit {
        name: DOCKER_DAEMON.to_owned(),
        launch: Launch::Argv(vec!["dockerd".to_owned(), "-G".to_owned(), group.to_string()]),
        cwd: Some("/".to_owned()),
        env: Vec::new(),
        env_files: Vec::new(),
        user: Some("0".to_owned()),
        needs: Vec::new(),
        kind: UnitKind::Service(Service {
            autostart: true,
            restart: RestartPolicy::Always,
            backoff: Backoff::default(),
            ready_when: Some(Probe {
                check: Check::Docker,
                interval: Duration::from_millis(500),
                initial_delay: Duration::ZERO,
                timeout: START_TIMEOUT,
                on_timeout: OnTimeout::Kill,
            }),
            stop_signal: libc::SIGTERM,
            stop_timeout: STOP_TIMEOUT,
            expose: None,
        }),
    });
}

/// Prepares the box for dockerd, before each of its starts.
///
/// # Errors
/// What this box, or its host, does not allow.
pub(in crate::supervisor) fn prepare() -> Result<(), String> {
    let cannot = |what: &str, error: &dyn std::fmt::Display| format!("cannot {what}: {error}");
    let mounts =
        fs::read_to_string("/proc/self/mounts").map_err(|error| cannot("read the mounts", &error))?;
    for path in read_only_control_groups(&mounts) {
        make_writable(path).map_err(|error| {
            cannot(&format!("make {path} writable"), &error)
                + "; a Docker engine in the box needs SYS_ADMIN, and a host that lets it use that"
        })?;
    }
    let group = Path::new(CONTROL_GROUPS);
    if group.join("cgroup.controllers").exists() {
        let mut failures = 0;
        // An exec may put a process there at the wrong moment.
        while let Err(error) = delegate(group) {
            failures += 1;
            if failures == DELEGATIONS {
                return Err(cannot("share out the box's control group", &error));
            }
        }
    }
    // Left by one that was killed; another process may have the number by now.
    for path in ["/var/run/docker.pid", "/var/run/docker/containerd/containerd.pid"] {
        let _ = fs::remove_file(path);
    }
    Ok(())
}

/// Takes "read-only" from a mount. Its other flags stay, which Docker gives all alike.
fn make_writable(path: &str) -> io::Result<()> {
    const FLAGS: libc::c_ulong = libc::MS_REMOUNT
        | libc::MS_BIND
        | libc::MS_NOSUID
        | libc::MS_NODEV
        | libc::MS_NOEXEC
        | libc::MS_RELATIME;
    let path = CString::new(path)?;
    let none = std::ptr::null();
    // SAFETY: the path outlives the call, and a remount looks at nothing else.
    #[expect(unsafe_code, reason = "nix's wrapper is four times the size")]
    let result = unsafe { libc::mount(none, path.as_ptr(), none, FLAGS, none.cast()) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// Mount points of control groups that nothing can be written to.
fn read_only_control_groups(mounts: &str) -> impl Iterator<Item = &str> {
    mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, path, kind, options) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let is_one = kind.starts_with("cgroup") && path.starts_with(CONTROL_GROUPS);
        (is_one && options.starts_with("ro")).then_some(path)
    })
}

/// Makes groups below the box's own possible, where there is one tree of them (version 2): a group that has others below
/// it must have no processes itself.
fn delegate(group: &Path) -> io::Result<()> {
    let own = group.join("init");
    fs::create_dir_all(&own)?;
    for pid in fs::read_to_string(group.join("cgroup.procs"))?.lines() {
        // One that has ended meanwhile is no error.
        let _ = fs::write(own.join("cgroup.procs"), pid);
    }
    let mut all = String::new();
    for controller in fs::read_to_string(group.join("cgroup.controllers"))?.split_whitespace() {
        all.push_str(" +");
        all.push_str(controller);
    }
    fs::write(group.join("cgroup.subtree_control"), all)
}

/// Waits until dockerd answers, whose socket is there long before, and says so: a process `pid` that has not ended.
pub(in crate::supervisor) fn await_answer(pid: u32, passed: impl FnOnce() + Send + 'static) {
    let process = PathBuf::from(format!("/proc/{pid}"));
    // Without a thread it counts as not answering.
    let _ = aside(Box::new(move || {
        while process.exists() {
            if api::status("GET /_ping", ATTEMPT) == Some(200) {
                return passed();
            }
            // It tells nobody when it is ready.
            thread::sleep(PAUSE);
        }
    }));
}

/// The last line that dockerd wrote: where it fails, it says why there.
pub(in crate::supervisor) fn last_words(log_directory: &Path) -> Option<String> {
    // Rotated before it gets large, and read only when dockerd has failed.
    let log = fs::read(log_directory.join(LOG_NAME)).ok()?;
    let line = log.trim_ascii_end().rsplit(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_control_groups_that_are_read_only_are_changed() {
        let mounts = "sysfs /sys sysfs ro,nosuid 0 0\n\
                      tmpfs /sys/fs/cgroup tmpfs rw,nosuid 0 0\n\
                      cgroup /sys/fs/cgroup/cpu cgroup ro,nosuid,cpu 0 0\n\
                      cgroup /sys/fs/cgroup/pids cgroup rw,nosuid,pids 0 0\n\
                      cgroup2 /elsewhere cgroup2 ro 0 0\n";
        let found: Vec<_> = read_only_control_groups(mounts).collect();
        assert_eq!(found, ["/sys/fs/cgroup/cpu"]);
        let found: Vec<_> =
            read_only_control_groups("cgroup /sys/fs/cgroup cgroup2 ro,nsdelegate 0 0\n").collect();
        assert_eq!(found, ["/sys/fs/cgroup"]);
    }

    #[test]
    fn a_group_is_left_by_its_processes_and_shared_out() {
        let directory = tempfile::tempdir().unwrap();
        let group = directory.path();
        fs::write(group.join("cgroup.procs"), "1\n7\n").unwrap();
        fs::write(group.join("cgroup.controllers"), "cpu memory pids\n").unwrap();
        delegate(group).unwrap();
        // In a real one each write moves one process.
        assert_eq!(fs::read_to_string(group.join("init/cgroup.procs")).unwrap(), "7");
        let enabled = fs::read_to_string(group.join("cgroup.subtree_control")).unwrap();
        assert_eq!(enabled, " +cpu +memory +pids");
    }

    #[test]
    fn every_unit_needs_the_daemon() {
        let loaded = crate::config::load_bytes(
            b"tasks: {a: {command: x}, b: {command: x, needs: [a]}}",
            &Default::default(),
        );
        let mut config = loaded.config.unwrap();
        add_to(&mut config, 1000);
        let needs: Vec<_> = config.units.iter().map(|unit| unit.needs.join(" ")).collect();
        assert_eq!(needs, ["docker.daemon", "a docker.daemon", ""]);
    }

    #[test]
    fn the_last_line_is_what_it_said_last() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(last_words(directory.path()), None);
        let text = format!("{}\nfailed to start daemon: no iptables\n", "x".repeat(3000));
        fs::write(directory.path().join("docker.daemon.log"), text).unwrap();
        assert_eq!(
            last_words(directory.path()).as_deref(),
            Some("failed to start daemon: no iptables")
        );
    }
}
