//! A position in one unit's log that moves on through rotated files to the present one, and waits there.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::files::{self, ROTATED};
use super::times::TimesReader;
use crate::protocol::message::LogRange;
use crate::time::Timestamp;

/// Bytes read at once.
pub(super) const PIECE: usize = 64 * 1024;

/// Reads one unit's log forward.
#[derive(Debug)]
pub(super) struct Cursor {
    directory: PathBuf,
    unit: String,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    identity: (u64, u64),
    offset: u64,
    times: TimesReader,
}

/// A piece of a log: bytes that follow each other in one file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    offset: u64,
}

impl Cursor {
    /// A cursor at the beginning of what `range` asks for.
    pub(super) fn open(directory: &Path, unit: &str, range: &LogRange) -> io::Result<Self> {
        let mut cursor = Self {
            directory: directory.to_owned(),
            unit: unit.to_owned(),
            open: None,
        };
        files::check_name(unit)?;
        let mut ages = Vec::new();
        for age in (0..=ROTATED).rev() {
            if files::regular(&files::log(directory, unit, age))?.is_some() {
                ages.push(age);
            }
        }
        let since = range
            .since
            .map(|since| position_since(directory, unit, &ages, since))
            .transpose()?;
        let tail = range
            .tail
            .map(|lines| position_of_tail(directory, unit, &ages, lines))
            .transpose()?;
        // Of two beginnings the later one: the younger file, then the larger offset.
        let begin = match (since, tail) {
            (Some(since), Some(tail)) => {
                std::cmp::min_by_key(since, tail, |(age, offset)| (*age, u64::MAX - offset))
            }
            (Some(begin), None) | (None, Some(begin)) => begin,
            (None, None) => (ages.first().copied().unwrap_or(0), 0),
        };
        cursor.open_file(begin.0, begin.1)?;
        Ok(cursor)
    }

    fn open_file(&mut self, age: u32, offset: u64) -> io::Result<()> {
        let Some(mut file) = files::open(&files::log(&self.directory, &self.unit, age))? else {
            self.open = None;
            return Ok(());
        };
        file.seek(SeekFrom::Start(offset))?;
        let times = TimesReader::open(&files::times(&self.directory, &self.unit, age))?;
        self.open = Some(Open {
            identity: identity(&file.metadata()?),
            file,
            offset,
            times,
        });
        Ok(())
    }

    /// The next bytes, at most [`PIECE`]; `None` while there are none.
    pub(super) fn read(&mut self) -> io::Result<Option<Piece>> {
        loop {
            let Some(open) = &mut self.open else {
                self.open_file(0, 0)?;
                if self.open.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let mut bytes = vec![0; PIECE];
            let read = open.file.read(&mut bytes)?;
            if read > 0 {
                bytes.truncate(read);
                let offset = open.offset;
                open.offset += read as u64;
                return Ok(Some(Piece { bytes, offset }));
            }
            let Some((age, offset)) = self.next_place()? else {
                return Ok(None);
            };
            // It was rotated since we read; what came in between is still to be read from it.
            if let Some(open) = &self.open
                && open.file.metadata()?.len() > open.offset
            {
                continue;
            }
            self.open_file(age, offset)?;
            if self.open.is_none() {
                return Ok(None);
            }
        }
    }

    /// Where to go on from the end of our file: its age and the offset in it. `None` while there is nothing more.
    fn next_place(&self) -> io::Result<Option<(u32, u64)>> {
        let Some(open) = &self.open else { return Ok(None) };
        let mut oldest = None;
        for age in 0..=ROTATED {
            // Missing: between two renames of a rotation, or after the oldest file.
            let Some(metadata) = files::regular(&files::log(&self.directory, &self.unit, age))? else {
                continue;
            };
            if identity(&metadata) != open.identity {
                oldest = Some(age);
                continue;
            }
            if let Some(younger) = age.checked_sub(1) {
                return Ok(Some((younger, 0)));
            }
            return Ok(match metadata.len().cmp(&open.offset) {
                Ordering::Equal => None,
                // Somebody has emptied it.
                Ordering::Less => Some((0, 0)),
                // Our descriptor shows less than the path: on an overlay, the file has been copied up since.
                Ordering::Greater => Some((0, open.offset)),
            });
        }
        // It has been rotated away: the oldest that is kept comes next.
        Ok(oldest.map(|age| (age, 0)))
    }

    /// When the byte at `index` of a piece came. Must be asked in order.
    pub(super) fn time(&mut self, piece: &Piece, index: usize) -> io::Result<Option<Timestamp>> {
        match &mut self.open {
            Some(open) => open.times.at(piece.offset + index as u64),
            None => Ok(None),
        }
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Where the first line begins that came at `since` or later.
fn position_since(directory: &Path, unit: &str, ages: &[u32], since: Timestamp) -> io::Result<(u32, u64)> {
    // Whether the file before ends in the middle of a line, which goes on at the start of the next.
    let mut continued = false;
    for age in ages {
        let Some(file) = files::open(&files::log(directory, unit, *age))? else {
            continue;
        };
        let length = file.metadata()?.len();
        let times = TimesReader::open(&files::times(directory, unit, *age))?;
        if let Some(offset) = times.first_since(since)?.filter(|offset| *offset < length) {
            return Ok((*age, line_start(&file, offset, continued)?));
        }
        if let Some(last) = length.checked_sub(1) {
            let mut byte = [0];
            file.read_exact_at(&mut byte, last)?;
            continued = byte != *b"\n";
        }
    }
    end_of_present(directory, unit)
}

/// `offset`, or the beginning of the next line where that is inside one.
/// `continued` says that the file itself begins inside one.
fn line_start(file: &File, offset: u64, continued: bool) -> io::Result<u64> {
    if offset == 0 && !continued {
        return Ok(0);
    }
    let mut position = offset.saturating_sub(1);
    let mut buffer = vec![0; PIECE];
    loop {
        let read = file.read_at(&mut buffer, position)?;
        if read == 0 {
            return Ok(position);
        }
        let found = buffer.iter().take(read).position(|byte| *byte == b'\n');
        if let Some(at) = found {
            return Ok(position + at as u64 + 1);
        }
        position += read as u64;
    }
}

/// Where the last `lines` lines begin. A last line that has not ended counts.
fn position_of_tail(directory: &Path, unit: &str, ages: &[u32], lines: u64) -> io::Result<(u32, u64)> {
    if lines == 0 {
        return end_of_present(directory, unit);
    }
    let mut missing = lines;
    let mut at_end = true;
    let mut buffer = vec![0; PIECE];
    for age in ages.iter().rev() {
        let Some(file) = files::open(&files::log(directory, unit, *age))? else {
            continue;
        };
        let mut end = file.metadata()?.len();
        while end > 0 {
            let begin = end.saturating_sub(PIECE as u64);
            let length = usize::try_from(end - begin).unwrap_or(PIECE);
            let piece = buffer.get_mut(..length).unwrap_or_default();
            file.read_exact_at(piece, begin)?;
            for (index, byte) in piece.iter().enumerate().rev() {
                // The newline at the very end closes the last line and opens none.
                if *byte == b'\n' && !at_end {
                    missing -= 1;
                    if missing == 0 {
                        return Ok((*age, begin + index as u64 + 1));
                    }
                }
                at_end = false;
            }
            end = begin;
        }
    }
    Ok((ages.first().copied().unwrap_or(0), 0))
}

fn end_of_present(directory: &Path, unit: &str) -> io::Result<(u32, u64)> {
    let metadata = files::regular(&files::log(directory, unit, 0))?;
    Ok((0, metadata.map_or(0, |metadata| metadata.len())))
}
