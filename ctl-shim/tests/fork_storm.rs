//! A tree that grows while it is being ended. Alone in its process, which collects every orphan: on a machine
//! whose PID 1 is slow at that, thousands of zombies would be in everybody's way.
#![cfg(feature = "supervisor")]

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use agentbox_ctl::process::environment::{DEFAULT_PATH, Environment};
use agentbox_ctl::process::reap;
use agentbox_ctl::process::spawn::{SpawnRequest, Stdio, output_pipe, spawn};
use agentbox_ctl::process::tag::Life;
use agentbox_ctl::process::tree::{UnitHandle, kill_tree, members};

const BUDGET: Duration = Duration::from_secs(20);

/// Each of four starts its successor in a session of its own and ends, some thousand times: no look sees them all.
const PROGRAM: &str = "import os, time
for _ in range(4):
    if os.fork() == 0: break
else: os._exit(0)
for _ in range(5000):
    if os.fork(): os._exit(0)
    os.setsid()
time.sleep(300)";

#[test]
fn a_tree_that_keeps_forking_is_ended() {
    reap::become_subreaper().unwrap();
    let environment: Environment = [("PATH", DEFAULT_PATH)].into_iter().collect();
    let argv: Vec<OsString> = ["python3", "-c", PROGRAM].iter().map(OsString::from).collect();
    let (_read, write) = output_pipe().unwrap();
    let tag = Life::new(&[]).unwrap().tag(0);
    let leader = spawn(&SpawnRequest {
        argv: &argv,
        environment: &environment,
        cwd: Path::new("/"),
        credentials: None,
        tag,
        stdio: Stdio::Output(write.as_fd()),
    })
    .unwrap();
    let unit = UnitHandle::new(leader, tag);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reaper = scope.spawn(|| {
            let mut reaped = 0;
            while !over.load(Ordering::Relaxed) {
                match reap::next() {
                    Some(_) => reaped += 1,
                    None => thread::sleep(Duration::from_micros(100)),
                }
            }
            reaped
        });
        let deadline = Instant::now() + BUDGET;
        while members(&unit)
            .unwrap()
            .iter()
            .filter(|process| process.pid != leader)
            .count()
            < 2
        {
            assert!(Instant::now() < deadline, "the storm has not begun");
        }
        let killed = kill_tree(&unit, BUDGET).unwrap();
        assert!(killed.is_complete(), "{killed:?}");
        // Whoever got away would be seen now, forking on or asleep at last.
        thread::sleep(Duration::from_millis(300));
        assert_eq!(members(&unit).unwrap(), []);
        over.store(true, Ordering::Relaxed);
        assert!(reaper.join().unwrap() > 4);
    });
}
