//! What listens on TCP in the box, and which unit it belongs to.
//!
//! ```text
//! /proc/net/tcp, tcp6 ─► inode ─► /proc/PID/fd ─► pid ─► the unit whose tree it is in
//! ```

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

use crate::failure::Failure;
use crate::process::tree::{self, Process, UnitHandle};
use crate::protocol::message::ListeningPort;

/// Most rows of an answer, and most addresses of a row: all of them together have to fit into a frame.
const MOST: usize = 1024;
const MOST_ADDRESSES: usize = 16;
/// State of a socket that listens, as the kernel's tables have it.
const LISTEN: &str = "0A";

/// A socket that listens.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    address: IpAddr,
    port: u16,
    inode: u64,
}

/// Looks. Takes a look at every process, and takes on the users of some: for a thread of its own that ends after it.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn look(units: &[(String, UnitHandle)]) -> Result<Vec<ListeningPort>, Failure> {
    let unreadable = |error: std::io::Error| Failure::failed("cannot read /proc").because(&error);
    let mut sockets = Vec::new();
    for table in ["tcp", "tcp6"] {
        match fs::read_to_string(format!("/proc/net/{table}")) {
            Ok(text) => sockets.extend(text.lines().skip(1).filter_map(parse)),
            // A kernel without IPv6.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    let handles: Vec<&UnitHandle> = units.iter().map(|(_, handle)| handle).collect();
    let (mut processes, owners) = tree::owners(&handles).map_err(unreadable)?;
    // The process that made a socket came before those that inherited it.
    processes.sort_by_key(|process| (process.start_time, process.pid));
    let wanted: HashSet<u64> = sockets.iter().map(|socket| socket.inode).collect();
    let mut holders: HashMap<u64, Vec<&Process>> = HashMap::new();
    for process in &processes {
        for inode in held(process.pid)
            .into_iter()
            .filter(|inode| wanted.contains(inode))
        {
            holders.entry(inode).or_default().push(process);
        }
    }
    let mut rows: BTreeMap<(u16, Option<u32>), ListeningPort> = BTreeMap::new();
    for socket in sockets {
        let holders = holders.get(&socket.inode).map_or(&[][..], Vec::as_slice);
        // A daemon that a unit hands its socket to may not be of the unit, nor one that hands it to the unit.
        let holder = holders
            .iter()
            .find(|process| owners.contains_key(&process.pid))
            .or(holders.first());
        let key = (socket.port, holder.map(|process| process.pid));
        if rows.len() == MOST && !rows.contains_key(&key) {
            continue;
        }
        let unit = holder.and_then(|process| owners.get(&process.pid).and_then(|index| units.get(*index)));
        let row = rows.entry(key).or_insert_with(|| ListeningPort {
            port: socket.port,
            addresses: Vec::new(),
            unit: unit.map(|(name, _)| name.clone()),
            process: holder.map(|process| process.name.clone()),
            pid: key.1,
        });
        let address = socket.address.to_string();
        if !row.addresses.contains(&address) && row.addresses.len() < MOST_ADDRESSES {
            row.addresses.push(address);
        }
    }
    Ok(rows.into_values().collect())
}

/// A line of a table: `sl local_address rem_address st … inode`, the inode in the tenth place.
fn parse(line: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    if words.nth(1)? != LISTEN {
        return None;
    }
    Some(Socket {
        address: parse_address(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        inode: words.nth(5)?.parse().ok()?,
    })
}

/// Words of 32 bits, each as it lies in memory.
fn parse_address(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut bytes = [0; 16];
            for (index, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(index)?);
            }
            Some(Ipv6Addr::from(bytes).into())
        }
        _ => None,
    }
}

/// Inodes of the sockets that a process holds; none where it may not be looked at.
///
/// Root in a container may not look at the descriptors of other users, but they may: so this thread becomes them to the
/// file system, and itself again.
fn held(pid: u32) -> Vec<u64> {
    let Ok(owner) = fs::metadata(format!("/proc/{pid}")) else {
        return Vec::new();
    };
    // The group first: as another user there may be no right to change it.
    let own_group = setfsgid(Gid::from_raw(owner.gid()));
    let own_user = setfsuid(Uid::from_raw(owner.uid()));
    let inodes = read_held(pid);
    setfsuid(own_user);
    setfsgid(own_group);
    inodes
}

fn read_held(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| {
            let link = fs::read_link(entry.ok()?.path()).ok()?;
            let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
            inode.parse().ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn reads_both_tables() {
        let four = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0";
        let expected = |address: &str, port| Socket {
            address: address.parse().unwrap(),
            port,
            inode: 4711,
        };
        assert_eq!(parse(four), Some(expected("127.0.0.1", 3000)));
        assert_eq!(parse(&four.replace(" 0A ", " 01 ")), None);
        let six = four.replace("0100007F:0BB8", "00000000000000000000000001000000:0050");
        assert_eq!(parse(&six), Some(expected("::1", 80)));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn finds_a_socket_of_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let rows = std::thread::spawn(|| look(&[]).unwrap()).join().unwrap();
        let row = rows.iter().find(|row| row.port == port).unwrap();
        assert_eq!(row.addresses, ["127.0.0.1"]);
        assert_eq!((row.pid, &row.unit), (Some(std::process::id()), &None));
    }
}
