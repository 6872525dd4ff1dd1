//! The mark that every process of a unit carries: a resource limit that nothing in a box uses.
//!
//! `RLIMIT_MSGQUEUE` limits the bytes in POSIX message queues. Its hard value names the daemon's life, its soft
//! value the unit. It is inherited over `fork` and `exec`, and stays through `env -i`, `setsid`, double forks and
//! `sudo`; every user can read it in `/proc/PID/limits`. See `docs/decisions/0002-process-tags.md`.

use std::io;

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

/// Below this inherited hard limit there is too little room for tags.
const LEAST_LIMIT: u64 = 4096;
/// Limits above count as this much, which keeps "unlimited" out of the arithmetic.
const MOST_LIMIT: u64 = 1 << 40;
/// Most units that one life tells apart.
const MOST_SLOTS: u64 = 1 << 16;

/// The tags of one life of a daemon. The caller records it, so that the next life can end what this one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// The hard limit of all its processes.
    hard: u64,
    /// The soft limit of the unit in slot 0.
    first: u64,
    /// How many slots there are.
    slots: u64,
}

/// The tag of one unit: lower than the limit that this process itself has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Soft limit in bytes: the unit.
    pub soft: u64,
    /// Hard limit in bytes: the daemon's life.
    pub hard: u64,
}

impl Life {
    /// Picks tags at random, apart from those of `former` lives and below the limit this process inherited.
    ///
    /// # Errors
    /// A fragment that says why no tags are possible: the inherited limit is too low. Trees are then found by
    /// session and descent only, which misses a daemon that forks twice into a session of its own.
    pub fn new(former: &[Self]) -> Result<Self, String> {
        let (_, inherited) = getrlimit(Resource::RLIMIT_MSGQUEUE)
            .map_err(|error| format!("cannot read the limit on message queues: {error}"))?;
        let mut random = || random().map_err(|error| format!("no random numbers: {error}"));
        Self::below(inherited, former, &mut random)
    }

    /// [`Life::new`] for a given limit and source of random numbers.
    ///
    /// The hard limit comes from the top quarter of what was inherited and the soft one from the quarter beneath,
    /// so that a nested daemon has room in turn and programs that do use message queues get by.
    fn below(
        inherited: u64,
        former: &[Self],
        random: &mut dyn FnMut() -> Result<u64, String>,
    ) -> Result<Self, String> {
        let limit = inherited.min(MOST_LIMIT);
        if limit < LEAST_LIMIT {
            return Err(format!(
                "the inherited limit on message queues is {inherited} bytes, at least {LEAST_LIMIT} are needed"
            ));
        }
        let quarter = limit / 4;
        let slots = MOST_SLOTS.min(quarter / 2);
        loop {
            let life = Self {
                hard: 3 * quarter + random()? % (quarter - 1) + 1,
                first: 2 * quarter + random()? % (quarter - slots),
                slots,
            };
            if former.iter().all(|other| other.hard != life.hard) {
                return Ok(life);
            }
        }
    }

    /// The tag of slot `slot`; `None` beyond the last slot, where a unit goes without.
    pub fn tag(&self, slot: usize) -> Option<Tag> {
        let slot = u64::try_from(slot).ok().filter(|slot| *slot < self.slots)?;
        Some(Tag {
            soft: self.first + slot,
            hard: self.hard,
        })
    }

    /// Whether a process with this tag belongs to this life.
    pub fn owns(&self, tag: Tag) -> bool {
        tag.hard == self.hard && (self.first..self.first + self.slots).contains(&tag.soft)
    }
}

fn random() -> io::Result<u64> {
    let mut bytes = [0_u8; 8];
    // SAFETY: the pointer and the length describe `bytes`, which the call fills.
    #[expect(unsafe_code, reason = "the one call for random bytes that needs no file")]
    let count = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(count) == Ok(bytes.len()) {
        Ok(u64::from_ne_bytes(bytes))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The line of `/proc/PID/limits` that holds a tag.
pub(super) fn parse_limits(limits: &[u8]) -> Option<Tag> {
    let line = limits
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Max msgqueue size"))?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let mut value = || match words.next()? {
        "unlimited" => Some(u64::MAX),
        digits => digits.parse().ok(),
    };
    Some(Tag {
        soft: value()?,
        hard: value()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_nest_until_there_is_no_room() {
        let mut limit = 819_200;
        let mut depth = 0;
        while let Ok(life) = Life::below(limit, &[], &mut || Ok(random().unwrap())) {
            assert!(life.hard < limit);
            for slot in [0, usize::try_from(life.slots - 1).unwrap()] {
                let tag = life.tag(slot).unwrap();
                assert!(tag.soft < tag.hard, "{tag:?}");
                assert!(life.owns(tag));
            }
            assert_eq!(life.tag(usize::try_from(life.slots).unwrap()), None);
            limit = life.hard;
            depth += 1;
        }
        assert!(depth >= 15, "{depth}");
        assert!(Life::below(0, &[], &mut || Ok(0)).is_err());
    }

    #[test]
    fn unlimited_is_no_special_case() {
        let life = Life::below(u64::MAX, &[], &mut || Ok(u64::MAX)).unwrap();
        assert!(life.tag(0).unwrap().soft < life.hard && life.hard < MOST_LIMIT);
    }

    #[test]
    fn former_lives_are_avoided() {
        let mut numbers = [5, 0, 5, 1, 6, 0].into_iter();
        let former = Life::below(819_200, &[], &mut || Ok(numbers.next().unwrap())).unwrap();
        let life = Life::below(819_200, &[former], &mut || Ok(numbers.next().unwrap())).unwrap();
        assert_ne!(life.hard, former.hard);
        assert!(!former.owns(life.tag(0).unwrap()));
    }

    #[test]
    fn reads_the_table_of_limits() {
        let own = parse_limits(&std::fs::read("/proc/self/limits").unwrap()).unwrap();
        assert_eq!(
            (own.soft, own.hard),
            getrlimit(Resource::RLIMIT_MSGQUEUE).unwrap()
        );
        let text = b"Max msgqueue size         unlimited            unlimited            bytes     \n";
        assert_eq!(
            parse_limits(text),
            Some(Tag {
                soft: u64::MAX,
                hard: u64::MAX
            })
        );
        assert_eq!(parse_limits(b""), None);
    }
}
