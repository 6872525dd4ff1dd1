//! `agentbox-ctl session` as the host drives it: frames in, output and an exit code out.
#![cfg(feature = "supervisor")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use agentbox_ctl::protocol::session::SessionFrame;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    directory: TempDir,
}

impl Drop for Session {
    fn drop(&mut self) {
        // The session ends the command's tree when its client is gone.
        self.stdin = None;
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().unwrap().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn start(arguments: &[&str]) -> Session {
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("box.json");
    fs::write(
        &identity,
        r#"{"id":"id1","name":"test","user":"","env":[["FROM_BOX","yes"]],"timezone":null,"lang":null,"url":null}"#,
    )
    .unwrap();
    let user = nix::unistd::geteuid().to_string();
    let mut child = Command::new(env!("CARGO_BIN_EXE_agentbox-ctl"))
        .args(["session", "--identity", identity.to_str().unwrap()])
        .args(["--workspace", directory.path().to_str().unwrap()])
        .args(
            if nix::unistd::geteuid().is_root() || arguments.contains(&"--user") {
                vec![]
            } else {
                vec!["--user", &user]
            },
        )
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (sender, output) = channel();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    Session {
        stdin: child.stdin.take(),
        child,
        output,
        seen: Vec::new(),
        directory,
    }
}

impl Session {
    fn send(&mut self, frame: SessionFrame<'_>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.stdin.as_mut().unwrap().write_all(&bytes).unwrap();
    }

    /// Waits until the output holds `text`, and forgets what came up to its end.
    fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self
                .seen
                .windows(text.len())
                .position(|window| window == text.as_bytes());
            if let Some(at) = found {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(_) => panic!("no `{text}` in {:?}", String::from_utf8_lossy(&self.seen)),
            }
        }
    }

    /// All output until its end.
    fn rest(&mut self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .output
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.seen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => {
                    return String::from_utf8_lossy(&std::mem::take(&mut self.seen)).into_owned();
                }
                Err(RecvTimeoutError::Timeout) => panic!("the output has no end"),
            }
        }
    }

    fn code(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("the session itself was not signalled");
            }
            assert!(Instant::now() < deadline, "the session does not end");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Waits until no process has this text in its arguments.
fn await_none(mark: &str) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let alive = fs::read_dir("/proc").unwrap().flatten().any(|entry| {
            fs::read(entry.path().join("cmdline"))
                .is_ok_and(|line| line.windows(mark.len()).any(|window| window == mark.as_bytes()))
        });
        if !alive {
            return;
        }
        assert!(Instant::now() < deadline, "something of `{mark}` is left");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn input_output_and_exit_code_pass_through() {
    let mut session = start(&[
        "-e",
        "MINE=1",
        "--",
        "bash",
        "-c",
        "cat; echo $FROM_BOX $MINE $AGENTBOX $AGENTBOX_BOX_NAME; pwd; exit 7",
    ]);
    session.send(SessionFrame::Input(b"hello "));
    session.send(SessionFrame::Input(b"there\n"));
    session.send(SessionFrame::InputEnd);
    let workspace = session.directory.path().canonicalize().unwrap();
    assert_eq!(
        session.rest(),
        format!("hello there\nyes 1 1 test\n{}\n", workspace.display())
    );
    assert_eq!(session.code(), 7);
}

#[test]
fn exit_codes_are_those_of_docker() {
    assert_eq!(start(&["--", "no-such-program"]).code(), 127);
    assert_eq!(start(&["--", "/"]).code(), 126);
    assert_eq!(start(&["--cwd", "missing", "--", "true"]).code(), 126);
    assert_eq!(start(&["--user", "no-such-user", "--", "true"]).code(), 126);
    assert_eq!(start(&["--identity-missing"]).code(), 2);
    assert_eq!(start(&["--", "bash", "-c", "kill -9 $$"]).code(), 137);
}

#[test]
fn signals_reach_the_command_even_when_it_does_not_read() {
    let mut session = start(&[
        "--",
        "bash",
        "-c",
        "trap 'echo caught; exit 5' USR1; echo ready; while :; do read -t 0.05 <> <(:); done",
    ]);
    session.expect("ready\n");
    // Much more than a pipe holds, and less than the session keeps for a command that does not read.
    session.send(SessionFrame::Input(&vec![b'x'; 512 * 1024]));
    session.send(SessionFrame::Signal(10));
    session.expect("caught\n");
    assert_eq!(session.code(), 5);
}

#[test]
fn a_client_that_is_gone_takes_the_whole_tree_along() {
    // Before the end of input, and after it; with a child in another session and one that ignores what it can.
    for (index, ended) in [false, true].into_iter().enumerate() {
        let mark = format!("60.{}{index}", std::process::id());
        let script = format!("setsid sleep {mark} & (trap '' HUP; sleep {mark}) & echo ready; wait");
        let mut session = start(&["--", "bash", "-c", &script]);
        if ended {
            session.send(SessionFrame::InputEnd);
        }
        session.expect("ready\n");
        session.stdin = None;
        assert_eq!(session.code(), 129);
        await_none(&mark);
    }
}

#[test]
fn a_client_that_is_gone_is_noticed_behind_input_that_nobody_reads() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let mark = format!("61.{}", std::process::id());
    let mut session = start(&["--", "bash", "-c", &format!("echo ready; exec sleep {mark}")]);
    session.expect("ready\n");
    let mut stdin = session.stdin.take().unwrap();
    fcntl(&stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut bytes = Vec::new();
    SessionFrame::Input(&vec![b'x'; 8 << 20]).encode(&mut bytes);
    // Until it has been stuck for a while.
    let mut sent = 0;
    let mut moved = Instant::now();
    while moved.elapsed() < Duration::from_millis(300) {
        match stdin.write(&bytes[sent..]) {
            Ok(count) => {
                sent += count;
                moved = Instant::now();
            }
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
    assert!(
        (1 << 20..2 << 20).contains(&sent),
        "{sent} bytes are held for a command that does not read"
    );
    drop(stdin);
    assert_eq!(session.code(), 129);
    await_none(&mark);
}

#[test]
fn what_a_command_leaves_behind_on_purpose_stays() {
    let mark = format!("3.{}", std::process::id());
    let mut session = start(&[
        "--",
        "bash",
        "-c",
        &format!("setsid sleep {mark} >/dev/null 2>&1 & echo $!"),
    ]);
    let pid = session.rest().trim().to_owned();
    assert_eq!(session.code(), 0);
    let deadline = Instant::now() + PATIENCE;
    while !fs::read_to_string(format!("/proc/{pid}/stat"))
        .unwrap()
        .contains("(sleep)")
    {
        assert!(Instant::now() < deadline, "it never came to its command");
        thread::sleep(Duration::from_millis(2));
    }
    await_none(&mark);
}

#[test]
fn much_input_passes_with_little_memory() {
    let mut session = start(&["--", "bash", "-c", "sleep 0.3; wc -c"]);
    let mut stdin = session.stdin.take().unwrap();
    let chunk = vec![7; 1 << 20];
    for _ in 0..200 {
        let mut bytes = Vec::new();
        SessionFrame::Input(&chunk).encode(&mut bytes);
        stdin.write_all(&bytes).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", session.child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 40_000, "{peak} KiB");
    let mut bytes = Vec::new();
    SessionFrame::InputEnd.encode(&mut bytes);
    stdin.write_all(&bytes).unwrap();
    assert_eq!(session.rest().trim(), (200_u64 << 20).to_string());
    drop(stdin);
    assert_eq!(session.code(), 0);
}

#[test]
fn a_command_that_closes_its_stdin_goes_on() {
    let mut session = start(&["--", "bash", "-c", "exec <&-; echo closed; sleep 0.2; echo done"]);
    session.expect("closed\n");
    for _ in 0..10 {
        session.send(SessionFrame::Input(&[b'x'; 100_000]));
    }
    session.expect("done\n");
    assert_eq!(session.code(), 0);
}

#[test]
fn a_terminal_has_a_size_that_changes() {
    let mut session = start(&[
        "--tty",
        "100x30",
        "--term",
        "xterm-test",
        "--",
        "bash",
        "--norc",
        "-i",
    ]);
    session.send(SessionFrame::Input(b"stty size; echo $TERM; tty\n"));
    session.expect("30 100\r\n");
    session.expect("xterm-test\r\n");
    session.expect("/dev/pts/");
    session.send(SessionFrame::Resize {
        columns: 120,
        rows: 40,
    });
    session.send(SessionFrame::Input(b"stty size\n"));
    session.expect("40 120\r\n");
    session.send(SessionFrame::Input(b"exit 3\n"));
    assert_eq!(session.code(), 3);
}

#[test]
fn job_control_works() {
    let mut session = start(&["--tty", "80x24", "--", "bash", "--norc", "--noediting", "-i"]);
    session.send(SessionFrame::Input(b"PS1='$ '; echo rea''dy; cat\n"));
    session.expect("ready\r\n");
    session.send(SessionFrame::Input(b"echoed\n"));
    session.expect("echoed\r\nechoed\r\n");
    session.send(SessionFrame::Input(b"\x1a"));
    session.expect("Stopped");
    session.expect("$ ");
    session.send(SessionFrame::Input(b"fg\n"));
    session.expect("fg\r\ncat\r\n");
    // Only what it answers shows that it has the terminal again.
    session.send(SessionFrame::Input(b"again\n"));
    session.expect("again\r\nagain\r\n");
    // Ctrl-C, once as the terminal's character and once as a frame, ends what is in the foreground and not the shell.
    session.send(SessionFrame::Input(b"\x03"));
    // The terminal drops what was typed before the signal: wait for the prompt, as people do.
    session.expect("$ ");
    session.send(SessionFrame::Input(b"echo left=$?\n"));
    session.expect("left=130\r\n");
    session.send(SessionFrame::Input(b"echo rea''dy; cat\n"));
    session.expect("ready\r\n");
    session.send(SessionFrame::Input(b"up\n"));
    session.expect("up\r\nup\r\n");
    session.send(SessionFrame::Signal(15));
    session.expect("$ ");
    session.send(SessionFrame::Input(b"echo left=$?\n"));
    session.expect("left=143\r\n");
    session.send(SessionFrame::InputEnd);
    assert_eq!(session.code(), 0, "the end of input ends the shell");
}

#[test]
fn a_terminals_last_words_are_not_lost() {
    let mut session = start(&["--tty", "80x24", "--", "bash", "-c", "seq 1 200000; echo the end"]);
    let output = session.rest();
    assert!(
        output.ends_with("200000\r\nthe end\r\n"),
        "{:?}",
        &output[output.len().saturating_sub(80)..]
    );
    assert_eq!(output.lines().count(), 200_001);
    assert_eq!(session.code(), 0);
}

#[test]
fn a_client_that_leaves_a_terminal_takes_the_tree_along() {
    let mark = format!("62.{}", std::process::id());
    let mut session = start(&["--tty", "80x24", "--", "bash", "--norc", "-i"]);
    session.send(SessionFrame::Input(
        format!("setsid sleep {mark} & sleep {mark} & echo rea''dy\n").as_bytes(),
    ));
    session.expect("ready\r\n");
    session.stdin = None;
    session.code();
    await_none(&mark);
}

#[test]
fn a_login_shell_is_the_users() {
    let mut session = start(&["--login-shell"]);
    session.send(SessionFrame::Input(
        b"shopt -q login_shell && echo login; echo $0 $SHELL\n",
    ));
    session.send(SessionFrame::InputEnd);
    let output = session.rest();
    // A user without an entry has /bin/sh, which knows no such question.
    let expected = if output.contains("bash") {
        "login\n"
    } else {
        "/sh\n"
    };
    assert!(output.contains(expected), "{output}");
    assert_eq!(session.code(), 0);
}

#[test]
fn what_is_no_frame_ends_the_command() {
    let mark = format!("63.{}", std::process::id());
    let mut session = start(&["--", "sleep", &mark]);
    session
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"plain text, not frames")
        .unwrap();
    assert_eq!(session.code(), 125);
    await_none(&mark);
}
