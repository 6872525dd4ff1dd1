//! dockerd as a unit.

use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;

use super::{ATTEMPT, PAUSE, api};
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
/// What a running dockerd has of its containers, its networks and containerd.
const RUNNING: &str = "/var/run/docker";
/// How often the box's control group is tried to be shared out before that is given up.
const DELEGATIONS: u32 = 10;

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
    fresh(RUNNING).map_err(|error| cannot(&format!("mount a file system at {RUNNING}"), &error))?;
    // Left by one that was killed; another process may have the number by now.
    let _ = fs::remove_file("/var/run/docker.pid");
    Ok(())
}

/// Puts an empty file system in memory at `path`, in place of the former one. Elsewhere a reboot clears what runtimes keep
/// of what runs, and they count on it: what is left of a container keeps it from being started for ever.
fn fresh(path: &str) -> io::Result<()> {
    fs::create_dir_all(path)?;
    let path = CString::new(path)?;
    // SAFETY: the path outlives the call.
    #[expect(unsafe_code, reason = "nix's wrapper is four times the size")]
    // What is mounted below goes along; and on a box that has never had one, there is none.
    while unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW) } == 0 {}
    const FLAGS: libc::c_ulong = libc::MS_NOSUID | libc::MS_NODEV;
    let (kind, options) = (c"tmpfs".as_ptr(), c"mode=700".as_ptr());
    // SAFETY: all pointers are to strings that outlive the call.
    #[expect(unsafe_code, reason = "nix's wrapper is four times the size")]
    let result = unsafe { libc::mount(kind, path.as_ptr(), kind, FLAGS, options.cast()) };
    Errno::result(result).map(drop).map_err(io::Error::from)
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
}
