//! Writing a unit's log.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::times::TimesWriter;
use super::{KEPT, ROTATE_AT, is_unit_name, log_path, times_path};
use crate::time::Timestamp;

/// Appends to a unit's log and rotates it. One write for each chunk, and twelve bytes for its time.
///
/// At most one writer of a unit's log may exist.
#[derive(Debug)]
pub struct LogWriter {
    directory: PathBuf,
    unit: String,
    limit: u64,
    log: File,
    length: u64,
    /// `None` where it could not be opened: a log without times is better than none.
    times: Option<TimesWriter>,
}

/// Bytes that could not be written: a full disk, most often. Everything before them was.
#[derive(Debug)]
pub struct AppendError {
    /// How many bytes of the chunk are in the log.
    pub written: usize,
    /// Why not more.
    pub error: io::Error,
}

impl std::fmt::Display for AppendError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cannot write to the log")
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl LogWriter {
    /// Opens a unit's log at its end; makes it, and the directory, where they are missing.
    ///
    /// # Errors
    /// A name that is none, a directory or file that cannot be made.
    pub fn open(directory: &Path, unit: &str) -> io::Result<Self> {
        Self::with_limit(directory, unit, ROTATE_AT)
    }

    /// [`LogWriter::open`] with another size to rotate at, in bytes; at least 1.
    ///
    /// # Errors
    /// As [`LogWriter::open`].
    pub fn with_limit(directory: &Path, unit: &str, limit: u64) -> io::Result<Self> {
        if !is_unit_name(unit) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{unit}` is no unit's name"),
            ));
        }
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        finish_rotation(directory, unit);
        let (log, length) = open_log(directory, unit)?;
        let times = TimesWriter::open(&times_path(directory, unit, 0), length).ok();
        Ok(Self {
            directory: directory.to_owned(),
            unit: unit.to_owned(),
            limit: limit.max(1),
            log,
            length,
            times,
        })
    }

    /// The unit whose log this is.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Appends bytes that were read at `time`, across as many files as it takes.
    ///
    /// A file ends with a whole line where one fits.
    ///
    /// # Errors
    /// With the number of bytes that were written; the rest may be tried again or given up.
    pub fn append(&mut self, bytes: &[u8], time: Timestamp) -> Result<(), AppendError> {
        let mut written = 0;
        let failed = |written| move |error| AppendError { written, error };
        self.notice_interference().map_err(failed(0))?;
        while written < bytes.len() {
            let rest = &bytes[written..];
            let room = usize::try_from(self.limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
            let take = if rest.len() <= room {
                rest.len()
            } else {
                // Up to the last line's end that fits; a line longer than a whole file has to be cut.
                let line_end = rest[..room]
                    .iter()
                    .rposition(|byte| *byte == b'\n')
                    .map(|at| at + 1);
                match line_end {
                    Some(end) => end,
                    None if self.length == 0 => room,
                    None => 0,
                }
            };
            if take == 0 {
                self.rotate().map_err(failed(written))?;
                continue;
            }
            written += self.write(&rest[..take], time).map_err(failed(written))?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], time: Timestamp) -> io::Result<usize> {
        let count = loop {
            match self.log.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        };
        if let Some(times) = &mut self.times {
            // The bytes are what matters. Without this record they count as read with those before them.
            let _ = times.note(self.length, time);
        }
        self.length += count as u64;
        Ok(count)
    }

    /// People empty logs (`> web.log`) and remove them; what comes next must still be found.
    fn notice_interference(&mut self) -> io::Result<()> {
        let metadata = self.log.metadata()?;
        if metadata.nlink() == 0 {
            let (log, length) = open_log(&self.directory, &self.unit)?;
            (self.log, self.length) = (log, length);
        } else if metadata.len() != self.length {
            self.length = metadata.len();
        } else {
            return Ok(());
        }
        self.times = TimesWriter::open(&times_path(&self.directory, &self.unit, 0), self.length).ok();
        Ok(())
    }

    /// Moves every file one number up, the oldest out, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        for generation in (0..KEPT).rev() {
            for path in [log_path, times_path] {
                let from = path(&self.directory, &self.unit, generation);
                match fs::rename(from, path(&self.directory, &self.unit, generation + 1)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        let (log, length) = open_log(&self.directory, &self.unit)?;
        (self.log, self.length) = (log, length);
        self.times = TimesWriter::open(&times_path(&self.directory, &self.unit, 0), length).ok();
        Ok(())
    }
}

fn open_log(directory: &Path, unit: &str) -> io::Result<(File, u64)> {
    let path = log_path(directory, unit, 0);
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .open(path)?;
    let length = log.metadata()?.len();
    Ok((log, length))
}

/// A crash between the two renames of a rotation leaves times without their log: they belong to the next one.
fn finish_rotation(directory: &Path, unit: &str) {
    for generation in (0..KEPT).rev() {
        let times = times_path(directory, unit, generation);
        if times.exists()
            && !log_path(directory, unit, generation).exists()
            && log_path(directory, unit, generation + 1).exists()
        {
            // Where it fails, times are unknown and nothing else.
            let _ = fs::rename(times, times_path(directory, unit, generation + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }

    fn files(directory: &Path) -> Vec<(String, String)> {
        let mut files: Vec<_> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.file_name().unwrap().to_str().unwrap().starts_with('.'))
            .map(|path| {
                let content = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
                (path.file_name().unwrap().to_str().unwrap().to_owned(), content)
            })
            .collect();
        files.sort();
        files
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, content)| ((*name).to_owned(), (*content).to_owned()))
            .collect()
    }

    #[test]
    fn files_end_with_whole_lines_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::with_limit(directory.path(), "web", 10).unwrap();
        writer.append(b"one\ntwo\nthree\nfo", now()).unwrap();
        writer.append(b"ur\n0123456789abc\n", now()).unwrap();
        let expected = [
            ("web.log", "abc\n"),
            ("web.log.1", "0123456789"),
            ("web.log.2", "ur\n"),
            ("web.log.3", "three\nfo"),
            ("web.log.4", "one\ntwo\n"),
        ];
        assert_eq!(files(directory.path()), pairs(&expected));
        for _ in 0..3 {
            writer.append(b"0123456789", now()).unwrap();
        }
        assert_eq!(files(directory.path()).len(), 6);
        assert_eq!(
            files(directory.path())[5],
            ("web.log.5".to_owned(), "ur\n".to_owned())
        );
    }

    #[test]
    fn is_appended_to_across_starts() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("made/by/it");
        LogWriter::open(&directory, "web")
            .unwrap()
            .append(b"one\n", now())
            .unwrap();
        LogWriter::open(&directory, "web")
            .unwrap()
            .append(b"two\n", now())
            .unwrap();
        assert_eq!(files(&directory), pairs(&[("web.log", "one\ntwo\n")]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (mode(&directory), mode(&directory.join("web.log"))),
            (0o755, 0o644)
        );
    }

    #[test]
    fn survives_people() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path(), "web").unwrap();
        writer.append(b"one\n", now()).unwrap();
        fs::remove_file(directory.path().join("web.log")).unwrap();
        writer.append(b"two\n", now()).unwrap();
        assert_eq!(files(directory.path()), pairs(&[("web.log", "two\n")]));
        fs::write(directory.path().join("web.log"), "").unwrap();
        writer.append(b"three\n", now()).unwrap();
        assert_eq!(files(directory.path()), pairs(&[("web.log", "three\n")]));
    }

    #[test]
    fn a_full_disk_is_an_error_that_counts() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", directory.path().join("web.log")).unwrap();
        let mut writer = LogWriter::open(directory.path(), "web").unwrap();
        let error = writer.append(b"one\n", now()).unwrap_err();
        assert_eq!(
            (error.written, error.error.kind()),
            (0, io::ErrorKind::StorageFull)
        );
    }

    #[test]
    fn names_that_leave_the_directory_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["../x", "a/b", "", ".", "x y"] {
            assert!(LogWriter::open(directory.path(), name).is_err(), "{name}");
        }
    }
}
