//! Which process makes a box, so that one left half-made can be told from one that is still being made.

use std::fs;

use super::identity::host_id;

/// After this time a half-made box of another host counts as left behind, in seconds.
const FOREIGN_LIMIT: i64 = 60 * 60;

/// A process, for good: process ids come again, start times in one boot do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// The machine.
    pub host: String,
    /// The machine's boot.
    pub boot: String,
    /// The process-id namespace: an agentbox in a container counts processes on its own.
    pub namespace: String,
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub started: u64,
}

/// Whether a maker is still at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs, or may.
    Alive,
    /// It has ended.
    Gone,
}

impl Maker {
    /// This process.
    pub fn current() -> Self {
        let pid = std::process::id();
        Self {
            host: host_id(),
            boot: boot_id(),
            namespace: pid_namespace(),
            pid,
            started: start_time(pid).unwrap_or_default(),
        }
    }

    /// As the label has it.
    pub fn encode(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.host, self.boot, self.namespace, self.pid, self.started
        )
    }

    /// From a label.
    pub fn decode(label: &str) -> Option<Self> {
        let mut words = label.split(' ');
        let maker = Self {
            host: words.next()?.to_owned(),
            boot: words.next()?.to_owned(),
            namespace: words.next()?.to_owned(),
            pid: words.next()?.parse().ok()?,
            started: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(maker)
    }

    /// Whether it still runs, seen from `here` when its work is `age` seconds old. `start_time` tells when the
    /// process of an id on this machine started.
    pub fn life(&self, here: &Self, age: i64, start_time: impl Fn(u32) -> Option<u64>) -> Life {
        if self.host != here.host || (self.boot == here.boot && self.namespace != here.namespace) {
            // Not ours to look at.
            return if age > FOREIGN_LIMIT {
                Life::Gone
            } else {
                Life::Alive
            };
        }
        if self.boot == here.boot && start_time(self.pid) == Some(self.started) {
            Life::Alive
        } else {
            Life::Gone
        }
    }
}

/// When a process started, in clock ticks since boot; `None` where there is no such process.
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and parentheses; the 20th word after it is field 22.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // A zombie makes nothing any more.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|text| text.trim().to_owned())
        .unwrap_or_else(|_| "unknown".to_owned())
}

fn pid_namespace() -> String {
    fs::read_link("/proc/self/ns/pid")
        .map(|link| link.to_string_lossy().replace(' ', ""))
        .unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_holds_everything() {
        let maker = Maker::current();
        assert_eq!(Maker::decode(&maker.encode()), Some(maker));
        assert_eq!(Maker::decode("a b c d e"), None);
        assert_eq!(Maker::decode("a b c 1 2 3"), None);
    }

    #[test]
    fn this_process_is_alive_and_a_successor_with_its_id_is_another() {
        let here = Maker::current();
        assert!(here.started > 0);
        assert_eq!(here.life(&here, 0, start_time), Life::Alive);
        let former = Maker {
            started: here.started - 1,
            ..here.clone()
        };
        assert_eq!(former.life(&here, 0, start_time), Life::Gone);
        let earlier_boot = Maker {
            boot: "other".into(),
            ..here.clone()
        };
        assert_eq!(earlier_boot.life(&here, 0, start_time), Life::Gone);
    }

    #[test]
    fn another_host_or_container_gets_an_hour() {
        let here = Maker::current();
        for foreign in [
            Maker {
                host: "other".into(),
                ..here.clone()
            },
            Maker {
                namespace: "other".into(),
                ..here.clone()
            },
        ] {
            assert_eq!(foreign.life(&here, 3600, |_| None), Life::Alive);
            assert_eq!(foreign.life(&here, 3601, |_| None), Life::Gone);
        }
    }
}
