//! Finding and ending all processes of a unit.
//!
//! A process belongs to a unit when it carries the unit's tag, or is in the session or group of the unit's leader,
//! or descends from one that does. A scan of `/proc` is a picture of a moving thing, so ending is a loop: look, send
//! SIGKILL, look again, until nothing is found. A tree that outgrows two looks is stopped (SIGSTOP) first.

use std::collections::{HashMap, HashSet};
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;

pub use super::scan::Process;
use super::scan::{look_at, scan};
use super::tag::{Life, Tag};

/// What is known of a unit's processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitHandle {
    leader: u32,
    /// `None` when the leader was gone before anybody looked.
    leader_start: Option<u64>,
    tag: Option<Tag>,
}

/// What a signal to a tree did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signalled {
    /// How many processes got it.
    pub reached: usize,
    /// Those that we may not signal (EPERM).
    pub denied: Vec<Process>,
}

/// How the killing of trees ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Killed {
    /// What is still alive after the time given; empty when all are gone.
    pub left: Vec<Process>,
    /// Those among `left` that we may not signal (EPERM).
    pub denied: Vec<Process>,
}

impl Killed {
    /// Whether nothing is left.
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }
}

impl UnitHandle {
    /// For a process that [`super::spawn::spawn`] has started. Call it before the process can have been reaped.
    pub fn new(leader: u32, tag: Option<Tag>) -> Self {
        let leader_start = look_at(leader, &mut Vec::new()).map(|process| process.start_time);
        Self {
            leader,
            leader_start,
            tag,
        }
    }

    /// Pid of the leader, also the number of its session and process group.
    pub const fn leader(&self) -> u32 {
        self.leader
    }

    /// Whether a process is in the leader's session or group, and not in one of the same number that came later.
    ///
    /// The number stays taken while anything is in the group, so a leader that is there under this number but
    /// started at another time means that the group has been empty. A process whose hard limit is above the
    /// tag's cannot descend from the unit.
    fn in_session(&self, process: &Process, leader_replaced: bool) -> bool {
        let same =
            process.session == self.leader || process.group == self.leader || process.pid == self.leader;
        let below = match (self.tag, process.tag) {
            (Some(own), Some(other)) => other.hard <= own.hard,
            _ => true,
        };
        same && below && !leader_replaced
    }
}

/// What makes a process a member by itself, without descent.
enum Mark<'a> {
    Unit {
        unit: &'a UnitHandle,
        leader_replaced: bool,
    },
    Lives(&'a [Life]),
    ControlGroup(&'a str),
}

impl<'a> Mark<'a> {
    fn of_unit(unit: &'a UnitHandle) -> Self {
        let leader_replaced = look_at(unit.leader, &mut Vec::new())
            .is_some_and(|process| Some(process.start_time) != unit.leader_start);
        Self::Unit {
            unit,
            leader_replaced,
        }
    }

    fn is_on(&self, process: &Process) -> bool {
        if spared().contains(&process.pid) {
            return false;
        }
        match self {
            Self::Unit {
                unit,
                leader_replaced,
            } => {
                (process.tag.is_some() && process.tag == unit.tag)
                    || unit.in_session(process, *leader_replaced)
            }
            Self::Lives(lives) => process
                .tag
                .is_some_and(|tag| lives.iter().any(|life| life.owns(tag))),
            Self::ControlGroup(id) => std::fs::read_to_string(format!("/proc/{}/cgroup", process.pid))
                .is_ok_and(|groups| groups.contains(id)),
        }
    }

    /// All that carry the mark, and all that descend from them.
    fn find(&self) -> io::Result<Vec<Process>> {
        Ok(select(scan(&mut |_| {})?, |process| self.is_on(process)))
    }

    /// The same, where those that carry the mark get SIGKILL the moment they are seen: a process that lives for a
    /// millisecond and leaves a successor would be gone by the end of the scan.
    fn find_and_kill(&self) -> io::Result<Vec<Process>> {
        let mut kill_marked = |process: &Process| {
            if self.is_on(process) {
                // A refusal shows when the whole list is signalled.
                let _ = kill(process.pid, libc::SIGKILL);
            }
        };
        Ok(select(scan(&mut kill_marked)?, |process| self.is_on(process)))
    }
}

/// This process, its parent and PID 1: never part of a tree that is to end.
fn spared() -> [u32; 3] {
    [std::process::id(), std::os::unix::process::parent_id(), 1]
}

/// All live processes of a unit; zombies are none.
///
/// # Errors
/// `/proc` cannot be read.
pub fn members(unit: &UnitHandle) -> io::Result<Vec<Process>> {
    Mark::of_unit(unit).find()
}

/// Those that `is_member` names, and all that descend from them.
fn select(mut processes: Vec<Process>, is_member: impl Fn(&Process) -> bool) -> Vec<Process> {
    let spared = spared();
    processes.retain(|process| !spared.contains(&process.pid));
    let mut found: HashSet<u32> = HashSet::new();
    loop {
        let before = found.len();
        for process in &processes {
            if found.contains(&process.parent) || is_member(process) {
                found.insert(process.pid);
            }
        }
        if found.len() == before {
            break;
        }
    }
    processes.retain(|process| found.contains(&process.pid));
    processes
}

/// All live processes, and of which unit each is: pid to index in `units`. One look for all.
///
/// # Errors
/// `/proc` cannot be read.
pub fn owners(units: &[&UnitHandle]) -> io::Result<(Vec<Process>, HashMap<u32, usize>)> {
    let processes = scan(&mut |_| {})?;
    let mut owners = HashMap::new();
    for (index, unit) in units.iter().enumerate() {
        let mark = Mark::of_unit(unit);
        for process in select(processes.clone(), |process| mark.is_on(process)) {
            owners.entry(process.pid).or_insert(index);
        }
    }
    Ok((processes, owners))
}

/// Sends a signal to every process of a unit.
///
/// # Errors
/// `/proc` cannot be read. A process that may not be signalled is in the result instead.
pub fn signal_tree(unit: &UnitHandle, signal: i32) -> io::Result<Signalled> {
    Ok(signal_all(&members(unit)?, signal))
}

/// Sends a signal to the leader of a unit alone.
///
/// # Errors
/// None; as [`signal_tree`].
pub fn signal_leader(unit: &UnitHandle, signal: i32) -> io::Result<Signalled> {
    let leader =
        look_at(unit.leader, &mut Vec::new()).filter(|leader| Some(leader.start_time) == unit.leader_start);
    Ok(signal_all(leader.as_slice(), signal))
}

fn signal_all(processes: &[Process], signal: i32) -> Signalled {
    let mut signalled = Signalled::default();
    let mut buffer = Vec::new();
    for process in processes {
        // The pid may have been used again since the scan.
        if look_at(process.pid, &mut buffer).is_none_or(|now| now.start_time != process.start_time) {
            continue;
        }
        match kill(process.pid, signal) {
            Ok(()) => signalled.reached += 1,
            Err(Errno::EPERM) => signalled.denied.push(process.clone()),
            // Gone meanwhile.
            Err(_) => {}
        }
    }
    signalled
}

fn kill(pid: u32, signal: i32) -> Result<(), Errno> {
    let pid = libc::pid_t::try_from(pid).map_err(|_| Errno::ESRCH)?;
    // SAFETY: `kill` takes two integers; a pid from a scan is positive and names one process.
    #[expect(unsafe_code, reason = "nix's signal type leaves out realtime signals")]
    let result = unsafe { libc::kill(pid, signal) };
    Errno::result(result).map(drop)
}

/// One round of SIGKILL, without waiting. Asynchronous callers repeat it, with a short pause, until
/// [`Killed::is_complete`]; what was just killed counts as left until a later look no longer finds it.
///
/// `round` counts the calls for this unit from 0: from the third on, a tree that grows is stopped first.
///
/// # Errors
/// `/proc` cannot be read.
pub fn kill_round(unit: &UnitHandle, round: u32) -> io::Result<Killed> {
    kill_found(&Mark::of_unit(unit), round)
}

/// How often a tree is looked at for newcomers while it is being stopped.
const STOP_ROUNDS: usize = 20;

fn kill_found(mark: &Mark<'_>, round: u32) -> io::Result<Killed> {
    if round > 1 {
        stop_all(mark)?;
    }
    let mut left = mark.find_and_kill()?;
    if left.is_empty() && round > 0 {
        // After a fight, one empty look is not enough.
        left = mark.find_and_kill()?;
    }
    let denied = signal_all(&left, libc::SIGKILL).denied;
    Ok(Killed { left, denied })
}

/// Stops a tree member by member until a look finds nobody new; then it holds still.
fn stop_all(mark: &Mark<'_>) -> io::Result<()> {
    let mut stopped: HashSet<(u32, u64)> = HashSet::new();
    for _ in 0..STOP_ROUNDS {
        let mut fresh = mark.find()?;
        fresh.retain(|process| stopped.insert((process.pid, process.start_time)));
        if fresh.is_empty() {
            break;
        }
        signal_all(&fresh, libc::SIGSTOP);
    }
    Ok(())
}

/// Kills every process of a unit and waits until none is left, at most for `budget`. This blocks the thread.
///
/// # Errors
/// `/proc` cannot be read.
pub fn kill_tree(unit: &UnitHandle, budget: Duration) -> io::Result<Killed> {
    kill_until_gone(&Mark::of_unit(unit), budget)
}

/// Kills every process of former lives of the daemon and waits until none is left, at most for `budget`. To be
/// called before anything is started: never two copies of a unit.
///
/// Zombies that become children of this process are for it to reap.
///
/// # Errors
/// `/proc` cannot be read.
pub fn sweep(former: &[Life], budget: Duration) -> io::Result<Killed> {
    if former.is_empty() {
        return Ok(Killed::default());
    }
    kill_until_gone(&Mark::Lives(former), budget)
}

/// Kills every process in control groups that have `id` in their name, and waits until none is left, at most for `budget`.
///
/// # Errors
/// `/proc` cannot be read.
pub fn kill_control_group(id: &str, budget: Duration) -> io::Result<Killed> {
    kill_until_gone(&Mark::ControlGroup(id), budget)
}

fn kill_until_gone(mark: &Mark<'_>, budget: Duration) -> io::Result<Killed> {
    let deadline = Instant::now() + budget;
    let mut pause = Duration::from_micros(200);
    for round in 0.. {
        let killed = kill_found(mark, round)?;
        let hopeless = !killed.left.is_empty() && killed.left.len() == killed.denied.len();
        if killed.is_complete() || hopeless || Instant::now() >= deadline {
            return Ok(killed);
        }
        // There is no event for the death of processes that are not our children; it takes the kernel microseconds.
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    Ok(Killed::default())
}
