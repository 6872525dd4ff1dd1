//! Reading logs: from a place on to the end, and on as they grow.
//!
//! One unit comes as raw chunks, byte for byte. Several come merged in order of time, in whole lines. With
//! timestamps every chunk is one line.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::chain::Chain;
use super::is_unit_name;
use super::line::{Front, Lines};
use crate::protocol::message::{LogChunk, LogRange};
use crate::time::Timestamp;

/// Most bytes in a chunk.
pub const CHUNK: usize = 64 * 1024;

/// A reader over a directory of logs. It buffers at most two chunks for each unit.
#[derive(Debug)]
pub struct LogReader {
    missing: Vec<String>,
    mode: Mode,
}

#[derive(Debug)]
enum Mode {
    Raw { unit: String, chain: Chain },
    Merged(Merged),
}

#[derive(Debug)]
struct Merged {
    sources: Vec<(String, Lines)>,
    /// One line a chunk.
    timestamps: bool,
    /// A line without its end may still get one: keep it back.
    follow: bool,
    /// Whose line is under way.
    open: Option<usize>,
}

/// Names of the units that have a log in a directory, in order; none where the directory is missing.
///
/// # Errors
/// A directory that cannot be read.
pub fn units_in(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut units = BTreeSet::new();
    for entry in entries {
        let name = entry?.file_name();
        let Some((unit, rest)) = name.to_str().and_then(|name| name.split_once(".log")) else {
            continue;
        };
        let rotated = rest
            .strip_prefix('.')
            .is_some_and(|number| number.parse::<u32>().is_ok());
        if is_unit_name(unit) && (rest.is_empty() || rotated) {
            units.insert(unit.to_owned());
        }
    }
    Ok(units.into_iter().collect())
}

impl LogReader {
    /// Opens the logs of these units at the beginning of `range`; no names mean all that have a log now.
    ///
    /// A unit without a log is in [`LogReader::missing`]; with `follow` its output comes once there is some.
    /// Whether a name is that of a unit is for the caller to know.
    ///
    /// # Errors
    /// A name that cannot be a unit's, files that cannot be read.
    pub fn open(directory: &Path, units: &[String], range: &LogRange) -> io::Result<Self> {
        let units = if units.is_empty() {
            units_in(directory)?
        } else {
            units.to_vec()
        };
        let mut missing = Vec::new();
        let mut chains = Vec::new();
        for unit in units {
            if !is_unit_name(&unit) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("`{unit}` is no unit's name"),
                ));
            }
            if chains.iter().any(|(name, _)| *name == unit) {
                continue;
            }
            let chain = Chain::open(directory, &unit, range.tail, range.since)?;
            if !chain.exists() {
                missing.push(unit.clone());
            }
            chains.push((unit, chain));
        }
        let mode = match <[_; 1]>::try_from(chains) {
            Ok([(unit, chain)]) if !range.timestamps => Mode::Raw { unit, chain },
            Ok(one) => Mode::Merged(Merged::new(one.into(), range)),
            Err(several) => Mode::Merged(Merged::new(several, range)),
        };
        Ok(Self { missing, mode })
    }

    /// Units that were asked for and have no log so far.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The next chunk, at most [`CHUNK`] bytes; `None` at the end of what there is now. With `follow`, call again
    /// once a log has grown.
    ///
    /// Where lines matter (several units, or timestamps), a chunk ends with a newline unless its line is longer
    /// than a chunk or has no end yet; it is then continued by the next chunk of the same unit, whose time is
    /// `None`. With `follow`, a line without an end is kept back, see [`LogReader::next_unfinished`].
    ///
    /// # Errors
    /// Files that cannot be read.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator would end for ever at its first `None`"
    )]
    pub fn next(&mut self) -> io::Result<Option<(LogChunk, Vec<u8>)>> {
        match &mut self.mode {
            Mode::Raw { unit, chain } => {
                let mut bytes = vec![0; CHUNK];
                let (count, time) = chain.read_mixed(&mut bytes)?;
                bytes.truncate(count);
                Ok((count > 0).then(|| {
                    (
                        LogChunk {
                            unit: unit.clone(),
                            time,
                        },
                        bytes,
                    )
                }))
            }
            Mode::Merged(merged) => merged.next(!merged.follow),
        }
    }

    /// As [`LogReader::next`], and lines without an end as far as they go: for when no more is to be expected.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn next_unfinished(&mut self) -> io::Result<Option<(LogChunk, Vec<u8>)>> {
        match &mut self.mode {
            Mode::Raw { .. } => self.next(),
            Mode::Merged(merged) => merged.next(true),
        }
    }
}

impl Merged {
    fn new(chains: Vec<(String, Chain)>, range: &LogRange) -> Self {
        Self {
            sources: chains
                .into_iter()
                .map(|(unit, chain)| (unit, Lines::new(chain)))
                .collect(),
            timestamps: range.timestamps,
            follow: range.follow,
            open: None,
        }
    }

    fn next(&mut self, unfinished: bool) -> io::Result<Option<(LogChunk, Vec<u8>)>> {
        // A line under way goes on before anybody else's.
        if let Some(index) = self.open.take()
            && let Some(front) = self.front(index, unfinished)?
        {
            return Ok(Some(self.emit(index, front, None)?));
        }
        let mut first: Option<(usize, Front)> = None;
        let mut second: Option<Option<Timestamp>> = None;
        for index in 0..self.sources.len() {
            let Some(front) = self.front(index, unfinished)? else {
                continue;
            };
            match first {
                Some((_, best)) if best.time <= front.time => {
                    second = Some(second.map_or(front.time, |time| time.min(front.time)));
                }
                _ => {
                    second = first.map(|(_, best)| best.time).or(second);
                    first = Some((index, front));
                }
            }
        }
        let Some((index, front)) = first else {
            return Ok(None);
        };
        Ok(Some(self.emit(index, front, second)?))
    }

    /// What a unit has to give now.
    fn front(&mut self, index: usize, unfinished: bool) -> io::Result<Option<Front>> {
        let Some((_, lines)) = self.sources.get_mut(index) else {
            return Ok(None);
        };
        let front = lines.front()?;
        Ok(front.filter(|front| front.ends || front.length == CHUNK || unfinished))
    }

    /// A chunk from a unit: one line, or without timestamps as many as come before `others`.
    fn emit(
        &mut self,
        index: usize,
        mut front: Front,
        others: Option<Option<Timestamp>>,
    ) -> io::Result<(LogChunk, Vec<u8>)> {
        let (unit, lines) = &mut self.sources[index];
        let time = front.time.filter(|_| front.begins);
        let mut bytes = Vec::with_capacity(front.length);
        loop {
            lines.take(front, &mut bytes);
            if lines.is_mid_line() {
                self.open = Some(index);
                break;
            }
            if self.timestamps || !front.begins {
                break;
            }
            match lines.front()? {
                Some(next)
                    if next.ends
                        && bytes.len() + next.length <= CHUNK
                        && others.is_none_or(|time| next.time <= time) =>
                {
                    front = next;
                }
                _ => break,
            }
        }
        Ok((
            LogChunk {
                unit: unit.clone(),
                time,
            },
            bytes,
        ))
    }
}
