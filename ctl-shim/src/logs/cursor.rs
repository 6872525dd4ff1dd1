//! A position in one unit's log that moves on through rotated files to the present one, and waits there.

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
        let ages: Vec<u32> = (0..=ROTATED)
            .rev()
            .filter(|age| files::log(directory, unit, *age).exists())
            .collect();
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
        let mut file = match File::open(files::log(&self.directory, &self.unit, age)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.open = None;
                return Ok(());
            }
            Err(error) => return Err(error),
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
            let Some(age) = self.rotated_to()? else {
                return Ok(None);
            };
            // It was rotated since we read; what came in between is still to be read from it.
            if let Some(open) = &self.open
                && open.file.metadata()?.len() > open.offset
            {
                continue;
            }
            self.open_file(age, 0)?;
        }
    }

    /// The age of the file after ours, once ours is no longer the present one.
    fn rotated_to(&self) -> io::Result<Option<u32>> {
        let Some(open) = &self.open else { return Ok(None) };
        for age in 0..=ROTATED {
            let metadata = match files::log(&self.directory, &self.unit, age).metadata() {
                Ok(metadata) => metadata,
                // Between two renames of a rotation, or after the oldest file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if identity(&metadata) == open.identity {
                return Ok(age.checked_sub(1));
            }
        }
        // It has been rotated away: the oldest that is kept comes next.
        Ok((0..=ROTATED)
            .rev()
            .find(|age| files::log(&self.directory, &self.unit, *age).exists()))
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
    for age in ages {
        let times = TimesReader::open(&files::times(directory, unit, *age))?;
        if let Some(offset) = times.first_since(since)? {
            return Ok((
                *age,
                line_start(&File::open(files::log(directory, unit, *age))?, offset)?,
            ));
        }
    }
    end_of_present(directory, unit)
}

/// `offset`, or the beginning of the next line where that is inside one.
fn line_start(file: &File, offset: u64) -> io::Result<u64> {
    if offset == 0 {
        return Ok(0);
    }
    let mut position = offset - 1;
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
        let file = File::open(files::log(directory, unit, *age))?;
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
    match files::log(directory, unit, 0).metadata() {
        Ok(metadata) => Ok((0, metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((0, 0)),
        Err(error) => Err(error),
    }
}
