//! A unit's log as one stream: the kept files one after the other, and on as they grow and rotate.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::times::Times;
use super::{KEPT, log_path, times_path};
use crate::time::Timestamp;

/// Bytes that the search for the last lines reads at once.
const TAIL_BLOCK: usize = 64 * 1024;

/// A position in a unit's output that moves forward. It holds its file open, so a rotation does not disturb it.
#[derive(Debug)]
pub(super) struct Chain {
    directory: PathBuf,
    unit: String,
    current: Option<OpenLog>,
    /// Drop what is left of a line that began before the position.
    skip_line: bool,
}

#[derive(Debug)]
struct OpenLog {
    file: File,
    id: FileId,
    offset: u64,
    times: Option<Times>,
}

type FileId = (u64, u64);

fn id_of(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Where a reader begins: how many generations back, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Start {
    generation: u32,
    offset: u64,
}

impl Start {
    /// The one nearer to the end.
    fn later(self, other: Self) -> Self {
        let key = |start: Self| (KEPT - start.generation, start.offset);
        if key(self) >= key(other) { self } else { other }
    }
}

impl Chain {
    /// A reader of all that is kept, or of the last `tail` lines, or of lines from `since` on, or of both at once.
    pub(super) fn open(
        directory: &Path,
        unit: &str,
        tail: Option<u64>,
        since: Option<Timestamp>,
    ) -> io::Result<Self> {
        let mut chain = Self {
            directory: directory.to_owned(),
            unit: unit.to_owned(),
            current: None,
            skip_line: false,
        };
        let Some(oldest) = chain.oldest()? else {
            return Ok(chain);
        };
        let mut start = Start {
            generation: oldest,
            offset: 0,
        };
        if let Some(since) = since {
            let found = chain.find_since(oldest, since)?;
            chain.skip_line = found.1;
            start = found.0;
        }
        if let Some(tail) = tail {
            let last_lines = chain.find_tail(oldest, tail)?;
            if last_lines.later(start) == last_lines {
                start = last_lines;
                chain.skip_line = false;
            }
        }
        chain.current = chain.open_log(start.generation, start.offset)?;
        Ok(chain)
    }

    /// Whether there is any output yet, or was any file.
    pub(super) fn exists(&self) -> bool {
        self.current.is_some()
    }

    /// Reads bytes that came at one time, at most a buffer full; 0 at the end of what there is now.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Option<Timestamp>)> {
        self.read_up_to(buffer, true)
    }

    /// Reads whatever came, with the time of the first byte.
    pub(super) fn read_mixed(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Option<Timestamp>)> {
        self.read_up_to(buffer, false)
    }

    fn read_up_to(&mut self, buffer: &mut [u8], one_time: bool) -> io::Result<(usize, Option<Timestamp>)> {
        loop {
            let Some(log) = &mut self.current else {
                // No file so far: from the first on that appears.
                match self.oldest()? {
                    Some(generation) => self.current = self.open_log(generation, 0)?,
                    None => return Ok((0, None)),
                }
                if self.current.is_none() {
                    return Ok((0, None));
                }
                continue;
            };
            let (time, until) = log
                .times
                .as_mut()
                .map_or((None, u64::MAX), |times| times.at(log.offset));
            let room = match usize::try_from(until - log.offset) {
                Ok(room) if one_time => room.min(buffer.len()),
                _ => buffer.len(),
            };
            let count = log.file.read_at(&mut buffer[..room], log.offset)?;
            if count == 0 {
                if self.go_on()? {
                    continue;
                }
                return Ok((0, None));
            }
            log.offset += count as u64;
            if !self.skip_line {
                return Ok((count, time));
            }
            if let Some(end) = buffer[..count].iter().position(|byte| *byte == b'\n') {
                log.offset -= (count - end - 1) as u64;
                self.skip_line = false;
            }
        }
    }

    /// At the end of the current file: goes on to what came after it. `false` where nothing has.
    fn go_on(&mut self) -> io::Result<bool> {
        let Some(log) = &mut self.current else {
            return Ok(false);
        };
        let newest = metadata(&log_path(&self.directory, &self.unit, 0))?;
        if let Some(newest) = newest.filter(|newest| id_of(newest) == log.id) {
            if newest.len() == log.offset {
                return Ok(false);
            }
            // Emptied by somebody: from the start. Or longer than what our descriptor shows: on an overlay, a file
            // that has been copied up since we opened it.
            let offset = if newest.len() < log.offset { 0 } else { log.offset };
            self.current = self.open_log(0, offset)?;
            return Ok(self.current.as_ref().is_some_and(|log| log.offset < newest.len()));
        }
        // Rotated. What was written between our last read and the rotation is still to be read.
        if log.file.metadata()?.len() > log.offset {
            return Ok(true);
        }
        let id = log.id;
        let place = |chain: &Self| -> io::Result<Option<u32>> {
            for generation in 1..=KEPT {
                let found = metadata(&log_path(&chain.directory, &chain.unit, generation))?;
                if found.is_some_and(|found| id_of(&found) == id) {
                    return Ok(Some(generation));
                }
            }
            Ok(None)
        };
        for _ in 0..KEPT {
            let before = place(self)?;
            let next = match before {
                Some(generation) => Some(generation - 1),
                // Rotated out of what is kept: a reader this slow goes on with the oldest there is.
                None => self.oldest()?,
            };
            let opened = match next {
                Some(generation) => self.open_log(generation, 0)?,
                None => None,
            };
            // Another rotation meanwhile has moved every file by one.
            if place(self)? == before {
                let Some(opened) = opened else {
                    return Ok(false);
                };
                self.current = Some(opened);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The number of the oldest file there is.
    fn oldest(&self) -> io::Result<Option<u32>> {
        for generation in (0..=KEPT).rev() {
            if metadata(&log_path(&self.directory, &self.unit, generation))?.is_some() {
                return Ok(Some(generation));
            }
        }
        Ok(None)
    }

    fn open_log(&self, generation: u32, offset: u64) -> io::Result<Option<OpenLog>> {
        let path = log_path(&self.directory, &self.unit, generation);
        if metadata(&path)?.is_none() {
            return Ok(None);
        }
        let file = File::open(path)?;
        let id = id_of(&file.metadata()?);
        let times = Times::open(&times_path(&self.directory, &self.unit, generation));
        Ok(Some(OpenLog {
            file,
            id,
            offset,
            times,
        }))
    }

    /// The start of the last `lines` lines; what follows the last line's end counts as one.
    fn find_tail(&self, oldest: u32, lines: u64) -> io::Result<Start> {
        let mut block = vec![0; TAIL_BLOCK];
        let mut missing = lines;
        let mut at_end = true;
        for generation in 0..=oldest {
            let Some(log) = self.open_log(generation, 0)? else {
                continue;
            };
            let mut end = log.file.metadata()?.len();
            if lines == 0 {
                return Ok(Start {
                    generation,
                    offset: end,
                });
            }
            while end > 0 {
                let count = end.min(TAIL_BLOCK as u64);
                let part = &mut block[..count as usize];
                log.file.read_exact_at(part, end - count)?;
                // The very last byte ends a line or belongs to one; either way it opens none.
                let mut look = part.len();
                if at_end {
                    look -= 1;
                    at_end = false;
                }
                while let Some(newline) = part[..look].iter().rposition(|byte| *byte == b'\n') {
                    missing -= 1;
                    if missing == 0 {
                        return Ok(Start {
                            generation,
                            offset: end - count + newline as u64 + 1,
                        });
                    }
                    look = newline;
                }
                end -= count;
            }
        }
        Ok(Start {
            generation: oldest,
            offset: 0,
        })
    }

    /// The first byte that came at or after `since`, and whether it is in the middle of a line.
    fn find_since(&self, oldest: u32, since: Timestamp) -> io::Result<(Start, bool)> {
        let mut ends_line = true;
        for generation in (0..=oldest).rev() {
            let Some(mut log) = self.open_log(generation, 0)? else {
                continue;
            };
            let metadata = log.file.metadata()?;
            let found = match &log.times {
                Some(times) => times.first_since(since),
                // Without times, only the file's own tells anything.
                None => metadata
                    .modified()
                    .ok()
                    .filter(|time| Timestamp::from(*time) >= since)
                    .map(|_| 0),
            };
            if let Some(offset) = found.filter(|offset| *offset < metadata.len()) {
                let middle = match offset {
                    0 => !ends_line,
                    _ => byte_at(&mut log.file, offset - 1)? != Some(b'\n'),
                };
                return Ok((Start { generation, offset }, middle));
            }
            if metadata.len() > 0 {
                ends_line = byte_at(&mut log.file, metadata.len() - 1)? == Some(b'\n');
            }
            if generation == 0 {
                return Ok((
                    Start {
                        generation,
                        offset: metadata.len(),
                    },
                    !ends_line,
                ));
            }
        }
        Ok((
            Start {
                generation: 0,
                offset: 0,
            },
            false,
        ))
    }
}

fn byte_at(file: &mut File, offset: u64) -> io::Result<Option<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut byte = [0];
    Ok((file.read(&mut byte)? == 1).then_some(byte[0]))
}

/// Metadata of a regular file; `None` for anything else and for nothing. What is read may come out of a box, where a
/// link could lead anywhere and a pipe would block for ever.
fn metadata(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata).filter(Metadata::is_file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
