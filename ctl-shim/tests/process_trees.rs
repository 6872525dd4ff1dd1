//! Starting, finding and ending real processes.
#![cfg(feature = "supervisor")]

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use agentbox_ctl::process::environment::Environment;
use agentbox_ctl::process::spawn::{
    SpawnFailure, SpawnFailureKind, SpawnRequest, Stdio, output_pipe, shell_argv, spawn,
};
use agentbox_ctl::process::tag::{Life, Tag};
use agentbox_ctl::process::tree::{UnitHandle, kill_tree, members, signal_tree, sweep};
use agentbox_ctl::process::users::Credentials;

const BUDGET: Duration = Duration::from_secs(10);

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn argv(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

fn environment() -> Environment {
    [
        (
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("MARK", "1"),
    ]
    .into_iter()
    .collect()
}

fn wait(pid: u32) -> i32 {
    use nix::sys::wait::{WaitStatus, waitpid};
    match waitpid(nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap()), None).unwrap() {
        WaitStatus::Exited(_, code) => code,
        WaitStatus::Signaled(_, signal, _) => 128 + signal as i32,
        other => panic!("{other:?}"),
    }
}

struct Run<'a> {
    argv: Vec<OsString>,
    cwd: &'a Path,
    credentials: Option<Credentials>,
    tag: Option<Tag>,
    environment: Environment,
}

impl Default for Run<'_> {
    fn default() -> Self {
        Self {
            argv: Vec::new(),
            cwd: Path::new("/"),
            credentials: None,
            tag: None,
            environment: environment(),
        }
    }
}

impl Run<'_> {
    fn start(&self) -> Result<(u32, OwnedFd), SpawnFailure> {
        let (read, write) = output_pipe().unwrap();
        let pid = spawn(&SpawnRequest {
            argv: &self.argv,
            environment: &self.environment,
            cwd: self.cwd,
            credentials: self.credentials.as_ref(),
            tag: self.tag,
            stdio: Stdio::Output(write.as_fd()),
        })?;
        Ok((pid, read))
    }

    /// Output and exit code of a run to the end.
    fn finish(&self) -> (String, i32) {
        let (pid, read) = self.start().unwrap();
        let mut output = Vec::new();
        fs::File::from(read).read_to_end(&mut output).unwrap();
        (String::from_utf8_lossy(&output).into_owned(), wait(pid))
    }

    fn failure(&self) -> SpawnFailure {
        self.start().expect_err("nothing can have started")
    }
}

fn shell(command: &str) -> Run<'static> {
    Run {
        argv: argv(&["bash", "-c", command]),
        ..Run::default()
    }
}

#[test]
fn a_process_sees_what_it_was_given() {
    let (output, code) = shell(
        "env | grep -v '^_=\\|^SHLVL=\\|^PWD='; pwd; readlink /proc/self/fd/0; echo error >&2; \
         grep -E 'SigBlk|SigIgn' /proc/self/status; cut -d' ' -f6 /proc/$$/stat; echo $$; exit 7",
    )
    .finish();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(code, 7);
    let mut variables = lines[..2].to_vec();
    variables.sort_unstable();
    assert!(
        variables[0] == "MARK=1" && variables[1].starts_with("PATH="),
        "{output}"
    );
    assert_eq!(lines[2..5], ["/", "/dev/null", "error"], "{output}");
    assert_eq!(lines[5], "SigBlk:\t0000000000000000");
    assert_eq!(lines[6], "SigIgn:\t0000000000000000");
    assert_eq!(lines[7], lines[8], "it leads its session");
}

#[test]
fn open_descriptors_do_not_leak() {
    // Without close-on-exec, as what a careless parent left us.
    let (read, write) = nix::unistd::pipe().unwrap();
    let run = Run {
        argv: argv(&["/bin/ls", "/proc/self/fd"]),
        ..Run::default()
    };
    // 3 is the directory that `ls` itself reads.
    assert_eq!(run.finish().0, "0\n1\n2\n3\n");
    drop((read, write));
}

#[test]
fn failures_say_what_is_wrong() {
    use SpawnFailureKind::{Cwd, NotExecutable, NotFound};
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str, mode: u32| -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let fails = |program: &str, cwd: &Path| {
        let failure = Run {
            argv: argv(&[program]),
            cwd,
            ..Run::default()
        }
        .failure();
        (
            failure.reason.replace(directory.path().to_str().unwrap(), "D"),
            failure.kind,
        )
    };
    let here = directory.path();
    let no_file = "no such file or directory";
    assert_eq!(
        fails("foo", here),
        (format!("cannot run \"foo\": {no_file}"), NotFound)
    );
    assert_eq!(
        fails("./foo", here),
        (format!("cannot run \"./foo\": {no_file}"), NotFound)
    );
    assert_eq!(fails("", here), ("cannot run an empty command".into(), NotFound));
    assert_eq!(
        fails("true", &here.join("x")),
        ("cwd \"D/x\" does not exist".into(), Cwd)
    );
    let plain = file("plain", "", 0o644);
    assert_eq!(
        fails("true", &plain),
        ("cwd \"D/plain\" is not a directory".into(), Cwd)
    );
    assert_eq!(
        fails("./plain", here),
        ("cannot run \"./plain\": permission denied".into(), NotExecutable)
    );
    assert_eq!(
        fails("./", here),
        ("cannot run \"./\": it is a directory".into(), NotExecutable)
    );
    file("headless", "echo hello\n", 0o755);
    assert!(
        fails("./headless", here)
            .0
            .starts_with("cannot run \"./headless\": exec format error")
    );
    file("script", "#!/no/such/interpreter -x\n", 0o755);
    assert_eq!(
        fails("./script", here),
        (
            "cannot run \"./script\": its interpreter \"/no/such/interpreter\" does not exist".into(),
            NotExecutable
        )
    );
}

#[test]
fn the_path_is_the_units_own() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let tool = directory.path().join("tool");
    fs::write(&tool, "#!/bin/sh\necho found\n").unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let mut run = Run {
        argv: argv(&["tool"]),
        ..Run::default()
    };
    assert_eq!(run.failure().kind, SpawnFailureKind::NotFound);
    run.environment
        .set("PATH", format!("/nonexistent:{}", directory.path().display()));
    assert_eq!(run.finish().0, "found\n");
    assert_eq!(shell_argv("x", &run.environment, Path::new("/"))[0], "sh");
    assert_eq!(shell_argv("x", &environment(), Path::new("/"))[0], "bash");
}

#[test]
fn root_becomes_the_user_with_all_groups() {
    if !is_root() {
        return;
    }
    let mut run = shell("id -u; id -g; id -G; grep CapPrm /proc/self/status");
    run.credentials = Some(Credentials {
        uid: 65534,
        gid: 1234,
        groups: vec![1234, 5678],
        name: "someone".into(),
        home: "/".into(),
        shell: "/bin/sh".into(),
    });
    let (output, _) = run.finish();
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines, ["65534", "1234", "1234 5678", "CapPrm:\t0000000000000000"]);
    // The directory is entered as the user.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(
        directory.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    run.cwd = directory.path();
    let failure = run.failure();
    assert_eq!(failure.kind, SpawnFailureKind::Cwd);
    assert!(
        failure.reason.starts_with("cannot enter cwd"),
        "{}",
        failure.reason
    );
}

#[test]
fn nobody_else_can_become_another_user() {
    let mut run = shell("true");
    run.credentials = Some(Credentials {
        uid: 65533,
        gid: 65533,
        groups: vec![65533],
        name: "someone".into(),
        home: "/".into(),
        shell: "/bin/sh".into(),
    });
    let failure = as_nobody(move || run.failure());
    assert_eq!(failure.kind, SpawnFailureKind::Credentials);
    assert_eq!(
        failure.reason,
        "cannot run as user \"someone\": operation not permitted"
    );
}

/// Runs it on a thread that is another user where we are root: credentials are per thread for the kernel, only
/// the C library spreads them.
fn as_nobody<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::spawn(move || {
        if is_root() {
            // SAFETY: plain integers.
            #[expect(unsafe_code, reason = "a raw call, so that only this thread changes")]
            let result = unsafe { nix::libc::syscall(nix::libc::SYS_setresuid, 65534, 65534, 65534) };
            assert_eq!(result, 0);
        }
        run()
    })
    .join()
    .unwrap()
}

fn tagged(command: &str) -> (Life, UnitHandle, u32, OwnedFd) {
    let life = Life::new(&[]).unwrap();
    let mut run = shell(command);
    run.tag = life.tag(3);
    let (pid, read) = run.start().unwrap();
    (life, UnitHandle::new(pid, run.tag), pid, read)
}

/// Waits until the unit has as many processes of this name as wanted.
fn await_members(unit: &UnitHandle, name: &str, count: usize) {
    let deadline = Instant::now() + BUDGET;
    loop {
        let found = members(unit).unwrap();
        if found.iter().filter(|process| process.name == name).count() == count {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "wanted {count} of {name}, found {found:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn assert_ends(unit: &UnitHandle, leader: u32) {
    let killed = kill_tree(unit, BUDGET).unwrap();
    assert!(killed.is_complete(), "{killed:?}");
    assert_eq!(members(unit).unwrap(), []);
    wait(leader);
}

#[test]
fn background_children_are_members() {
    let (_, unit, leader, _output) = tagged("sleep 300 & sleep 300 & wait");
    await_members(&unit, "sleep", 2);
    assert_ends(&unit, leader);
}

const ESCAPE: &str = "import os
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execve('/bin/sleep', ['sleep', '300'], {})";

#[test]
fn a_daemon_with_a_cleared_environment_is_found_after_its_leader_is_gone() {
    let (_, unit, leader, _output) = tagged(&format!("exec python3 -c \"{ESCAPE}\""));
    assert_eq!(wait(leader), 0);
    await_members(&unit, "sleep", 1);
    assert!(kill_tree(&unit, BUDGET).unwrap().is_complete());
    assert_eq!(members(&unit).unwrap(), []);
}

#[test]
fn without_a_tag_session_and_descent_still_count() {
    let (pid, _output) = shell("setsid sleep 300 & sleep 300 & wait").start().unwrap();
    let unit = UnitHandle::new(pid, None);
    await_members(&unit, "sleep", 2);
    assert_ends(&unit, pid);
}

#[test]
fn processes_of_other_users_are_found_and_ended() {
    if !is_root() {
        return;
    }
    let (_, unit, leader, _output) =
        tagged("setsid setpriv --reuid 65534 --regid 65534 --clear-groups env -i sleep 300 & disown; exit 0");
    assert_eq!(wait(leader), 0);
    await_members(&unit, "sleep", 1);
    assert!(kill_tree(&unit, BUDGET).unwrap().is_complete());
}

#[test]
fn whoever_may_not_be_signalled_is_named() {
    if !is_root() {
        return;
    }
    let (_, unit, leader, _output) = tagged("sleep 300; true");
    await_members(&unit, "sleep", 1);
    let denied = as_nobody({
        let unit = unit.clone();
        move || kill_tree(&unit, BUDGET).unwrap()
    });
    assert_eq!(denied.denied.len(), 2, "{denied:?}");
    assert_eq!(denied.left, denied.denied);
    assert_ends(&unit, leader);
}

#[test]
fn a_signal_reaches_all_and_some_ignore_it() {
    let (_, unit, leader, _output) =
        tagged("trap '' TERM; sleep 300 & python3 -c 'import time; time.sleep(300)' & wait");
    await_members(&unit, "sleep", 1);
    await_members(&unit, "python3", 1);
    let signalled = signal_tree(&unit, nix::libc::SIGTERM).unwrap();
    assert_eq!((signalled.reached, signalled.denied.len()), (3, 0));
    assert_eq!(members(&unit).unwrap().len(), 3);
    assert_ends(&unit, leader);
}

#[test]
fn zombies_are_no_members() {
    let (_, unit, leader, _output) =
        tagged("exec python3 -c 'import os,time\nif os.fork(): time.sleep(300)'");
    let children = || fs::read_to_string(format!("/proc/{leader}/task/{leader}/children")).unwrap();
    let is_zombie = |pid: &str| {
        fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| stat.contains(") Z "))
    };
    let deadline = Instant::now() + BUDGET;
    while !is_zombie(&children()) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(members(&unit).unwrap().len(), 1);
    assert_ends(&unit, leader);
}

#[test]
fn a_sweep_ends_former_lives_and_nothing_else() {
    let (former, old, old_leader, _old_output) = tagged("sleep 300 & setsid sleep 300 & wait");
    let (_, new, new_leader, _new_output) = tagged("sleep 300; true");
    await_members(&old, "sleep", 2);
    await_members(&new, "sleep", 1);
    assert!(sweep(&[former], BUDGET).unwrap().is_complete());
    assert_eq!(wait(old_leader), 128 + 9);
    assert_eq!(members(&old).unwrap(), []);
    assert_eq!(members(&new).unwrap().len(), 2);
    assert_ends(&new, new_leader);
}

#[test]
fn units_of_one_life_are_told_apart() {
    let life = Life::new(&[]).unwrap();
    let start = |slot| {
        let mut run = shell("setsid sleep 300 & wait");
        run.tag = life.tag(slot);
        let (pid, output) = run.start().unwrap();
        (UnitHandle::new(pid, run.tag), pid, output)
    };
    let (first, first_pid, _a) = start(0);
    let (second, second_pid, _b) = start(1);
    await_members(&first, "sleep", 1);
    await_members(&second, "sleep", 1);
    assert_ends(&first, first_pid);
    assert_eq!(members(&second).unwrap().len(), 2);
    assert_ends(&second, second_pid);
}
