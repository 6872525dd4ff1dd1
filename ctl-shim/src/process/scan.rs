//! One look at `/proc`: every live process with what says whose it is.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read};

use super::tag::{Tag, parse_limits};

/// A process as one scan saw it. Pid and start time together name it for ever; the pid alone may be used again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// Name of the program, shortened by the kernel to 15 bytes.
    pub name: String,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) zombie: bool,
    pub(super) tag: Option<Tag>,
}

/// How often the directory is read for processes that came while it was being gone through.
const PASSES: usize = 20;

/// More than a file about one process takes, in bytes.
const PIECE: usize = 4096;

/// All processes that are not zombies; each is shown to `on_sight` the moment it is found.
///
/// A process may start its successor and end between the reading of the directory and the look at it. So the
/// directory is read again for pids not seen before, which are few and looked at at once, until there are none.
pub(super) fn scan(on_sight: &mut dyn FnMut(&Process)) -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    let mut seen = HashSet::new();
    let mut buffer = Vec::with_capacity(PIECE);
    for _ in 0..PASSES {
        let before = seen.len();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok());
            let Some(pid) = pid.filter(|pid| seen.insert(*pid)) else {
                continue;
            };
            // One that is gone meanwhile is no error.
            let Some(mut process) = look_at(pid, &mut buffer).filter(|process| !process.zombie) else {
                continue;
            };
            if read_into(&format!("/proc/{pid}/limits"), &mut buffer).is_ok() {
                process.tag = parse_limits(&buffer);
            }
            on_sight(&process);
            processes.push(process);
        }
        if seen.len() == before {
            break;
        }
    }
    Ok(processes)
}

/// One process without its tag, a zombie too; `None` when there is none.
pub(super) fn look_at(pid: u32, buffer: &mut Vec<u8>) -> Option<Process> {
    read_into(&format!("/proc/{pid}/stat"), buffer).ok()?;
    parse_stat(buffer)
}

/// Reads a file of `/proc`. Its size is not asked for, since it is never told, and what leaves room in the buffer was
/// all of it: the kernel gives such a file in one piece.
fn read_into(path: &str, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    buffer.resize(PIECE, 0);
    let length = loop {
        match file.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    buffer.truncate(length);
    if length == PIECE {
        file.read_to_end(buffer)?;
    }
    Ok(())
}

/// `pid (name) state ppid pgrp session … starttime …`; the name may hold anything, parentheses included.
fn parse_stat(stat: &[u8]) -> Option<Process> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
    let name = String::from_utf8_lossy(stat.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(&stat[close + 1..])
        .ok()?
        .split_ascii_whitespace();
    let state = fields.next()?;
    let mut number = || fields.next()?.parse::<i64>().ok();
    let (parent, group, session) = (number()?, number()?, number()?);
    // Field 22 of the line is the start time; field 6 was the session.
    let start_time = fields.nth(15)?.parse().ok()?;
    Some(Process {
        pid,
        start_time,
        name,
        parent: u32::try_from(parent).ok()?,
        // Negative or zero where they lie outside of this pid namespace.
        group: u32::try_from(group).unwrap_or(0),
        session: u32::try_from(session).unwrap_or(0),
        zombie: matches!(state, "Z" | "X" | "x"),
        tag: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_shift_the_fields() {
        let line = b"42 (a) b (c)) S 7 40 39 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987 1000 10 18446744073709551615\n";
        let process = parse_stat(line).unwrap();
        assert_eq!((process.pid, process.name.as_str()), (42, "a) b (c)"));
        assert_eq!((process.parent, process.group, process.session), (7, 40, 39));
        assert_eq!((process.start_time, process.zombie), (987, false));
        assert!(parse_stat(b"42 (x) Z 7").is_none());
    }

    #[test]
    fn finds_this_process() {
        let own = scan(&mut |_| {})
            .unwrap()
            .into_iter()
            .find(|process| process.pid == std::process::id())
            .unwrap();
        assert_eq!(own.parent, std::os::unix::process::parent_id());
        assert!(own.tag.is_some() && own.start_time > 0);
    }
}
