//! Writing a unit's log, with rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::files::{self, ROTATED};
use super::times::TimesWriter;
use crate::time::Timestamp;

/// Size at which a log is rotated, in bytes.
pub const LIMIT: u64 = 10 << 20;

/// The open log of one unit. Nothing is buffered: what was appended is in the file.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    unit: String,
    file: File,
    times: TimesWriter,
    size: u64,
    limit: u64,
}

impl LogWriter {
    /// Opens the log of `unit`, at its end.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(directory: &Path, unit: &str) -> io::Result<Self> {
        Self::with_limit(directory, unit, LIMIT)
    }

    /// The same with another size to rotate at.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn with_limit(directory: &Path, unit: &str, limit: u64) -> io::Result<Self> {
        files::check_name(unit)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(files::log(directory, unit, 0))?;
        let size = file.metadata()?.len();
        let times = TimesWriter::open(&files::times(directory, unit, 0), size)?;
        Ok(Self {
            directory: directory.to_owned(),
            unit: unit.to_owned(),
            file,
            times,
            size,
            limit,
        })
    }

    /// Appends bytes that came at `time`, rotating as often as it takes; between lines where there are any.
    ///
    /// # Errors
    /// Those of the file system; what was written before one stays written. The writer goes on working.
    pub fn append(&mut self, mut bytes: &[u8], time: Timestamp) -> io::Result<()> {
        self.notice_interference()?;
        while !bytes.is_empty() {
            let room = usize::try_from(self.limit.saturating_sub(self.size)).unwrap_or(usize::MAX);
            if bytes.len() <= room {
                return self.write(bytes, time);
            }
            let fits = bytes.get(..room).unwrap_or(bytes);
            let cut = fits
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(room, |at| at + 1);
            let (now, later) = bytes.split_at(cut);
            self.write(now, time)?;
            self.rotate()?;
            bytes = later;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], time: Timestamp) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        // Times only decorate the log: where they cannot be written, the bytes still may, and are not lost.
        let _ = self.times.note(self.size, time);
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.size += written as u64;
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// People empty logs (`> web.log`) and remove them; what comes next must still be found.
    fn notice_interference(&mut self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        if metadata.nlink() == 0 || metadata.len() < self.size {
            *self = Self::with_limit(&self.directory, &self.unit, self.limit)?;
        } else {
            self.size = metadata.len();
        }
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (0..ROTATED).rev() {
            for name in [files::times, files::log] {
                let (from, to) = (
                    name(&self.directory, &self.unit, age),
                    name(&self.directory, &self.unit, age + 1),
                );
                match std::fs::rename(from, to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        *self = Self::with_limit(&self.directory, &self.unit, self.limit)?;
        Ok(())
    }
}
