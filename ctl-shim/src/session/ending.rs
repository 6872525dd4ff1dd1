//! Ending a command whose client is gone: SIGHUP, then SIGTERM, then SIGKILL to its whole tree.

use std::io;
use std::time::{Duration, Instant};

use nix::libc;

use crate::process::reap::{self, Exit};
use crate::process::signals::Arrivals;
use crate::process::tree::{UnitHandle, kill_tree, members, signal_tree};

/// Time from SIGHUP to SIGTERM. Shells end at once; what ignores SIGHUP does so for good.
const AFTER_HANGUP: Duration = Duration::from_secs(1);
/// Time from SIGTERM to SIGKILL.
const AFTER_TERM: Duration = Duration::from_secs(5);
/// Time for the kernel to end what was killed.
const AFTER_KILL: Duration = Duration::from_secs(10);
/// Between two looks, where no child of ours ends: its grandchildren tell us nothing.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the tree and returns how the leader ended, where it was still there.
pub(super) fn end(unit: &UnitHandle, arrivals: &Arrivals) -> io::Result<Option<Exit>> {
    let mut exit = None;
    for (signal, grace) in [(libc::SIGHUP, AFTER_HANGUP), (libc::SIGTERM, AFTER_TERM)] {
        signal_tree(unit, signal)?;
        // What is stopped handles nothing.
        signal_tree(unit, libc::SIGCONT)?;
        let deadline = Instant::now() + grace;
        loop {
            collect(unit, &mut exit);
            if members(unit)?.is_empty() {
                return Ok(exit);
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                break;
            };
            arrivals.wait(left.min(LOOK))?;
        }
    }
    kill_tree(unit, AFTER_KILL)?;
    collect(unit, &mut exit);
    Ok(exit)
}

fn collect(unit: &UnitHandle, exit: &mut Option<Exit>) {
    while let Some(reaped) = reap::next() {
        if reaped.pid == unit.leader() {
            *exit = Some(reaped.exit);
        }
    }
}
