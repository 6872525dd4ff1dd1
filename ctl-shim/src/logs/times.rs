//! When bytes of a log came: records of an offset and a time, 16 bytes each, little endian.
//!
//! A record says that what begins at its offset came at its time; it holds up to the next record. Records are few: one
//! per piece read at the most, and none while less than [`SPACING`] bytes have come within [`SPAN`] ms.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::files;
use crate::time::Timestamp;

/// Bytes of a record.
const RECORD: u64 = 16;
/// A record comes sooner than [`SPAN`] only after this many bytes.
const SPACING: u64 = 64;
/// Milliseconds within which a trickle of output shares a record.
const SPAN: u64 = 20;

/// Records at this precision; from here on, a second shares one, however much comes in it.
const FINE_RECORDS: u64 = 64 * 1024;
/// From here on, a minute shares one: a file of single bytes, one each second, still has bounded times.
const COARSE_RECORDS: u64 = 80 * 1024;

/// Writes the records of one log file.
#[derive(Debug)]
pub(super) struct TimesWriter {
    file: File,
    records: u64,
    last: Option<(u64, u64)>,
}

impl TimesWriter {
    /// Opens or creates the file. A record that a crash cut short is dropped, and what speaks of bytes beyond the log's
    /// `length`: the log has been emptied since, or its bytes were never written.
    pub(super) fn open(path: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)?;
        let mut records = file.metadata()?.len() / RECORD;
        while let Some(last) = records.checked_sub(1) {
            let mut offset = [0; 8];
            file.read_exact_at(&mut offset, last * RECORD)?;
            if u64::from_le_bytes(offset) < length {
                break;
            }
            records = last;
        }
        file.set_len(records * RECORD)?;
        Ok(Self {
            file,
            records,
            last: None,
        })
    }

    /// Says that what is written from `offset` on came at `time`.
    pub(super) fn note(&mut self, offset: u64, time: Timestamp) -> io::Result<()> {
        let time = time.as_millis();
        if let Some((last_offset, last_time)) = self.last {
            let apart = time.abs_diff(last_time);
            let soon = match self.records {
                0..FINE_RECORDS => apart < SPAN && offset.saturating_sub(last_offset) < SPACING,
                FINE_RECORDS..COARSE_RECORDS => apart < 1_000,
                _ => apart < 60_000,
            };
            if apart == 0 || soon {
                return Ok(());
            }
        }
        let mut record = [0; RECORD as usize];
        record[..8].copy_from_slice(&offset.to_le_bytes());
        record[8..].copy_from_slice(&time.to_le_bytes());
        // At its place rather than at the end: the next record repairs one that a full disk cut short.
        self.file.write_all_at(&record, self.records * RECORD)?;
        self.records += 1;
        self.last = Some((offset, time));
        Ok(())
    }
}

/// Reads the records of one log file along with the log. The file may grow meanwhile, or be missing.
#[derive(Debug)]
pub(super) struct TimesReader {
    reader: Option<BufReader<File>>,
    partial: Vec<u8>,
    current: Option<Timestamp>,
    next: Option<(u64, Timestamp)>,
}

impl TimesReader {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let reader = files::open(path)?.map(|file| BufReader::with_capacity(4096, file));
        Ok(Self {
            reader,
            partial: Vec::new(),
            current: None,
            next: None,
        })
    }

    fn record(&mut self) -> io::Result<Option<(u64, Timestamp)>> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let missing = RECORD - self.partial.len() as u64;
        reader.take(missing).read_to_end(&mut self.partial)?;
        let Some((offset, time)) = self.partial.split_first_chunk::<8>() else {
            return Ok(None);
        };
        let Some((time, [])) = time.split_first_chunk::<8>() else {
            return Ok(None);
        };
        let record = (
            u64::from_le_bytes(*offset),
            Timestamp::from_millis(u64::from_le_bytes(*time)),
        );
        self.partial.clear();
        Ok(Some(record))
    }

    /// When the byte at `offset` came. Offsets must not go back.
    pub(super) fn at(&mut self, offset: u64) -> io::Result<Option<Timestamp>> {
        loop {
            if self.next.is_none() {
                self.next = self.record()?;
            }
            match self.next {
                Some((begin, time)) if begin <= offset => {
                    self.current = Some(time);
                    self.next = None;
                }
                _ => return Ok(self.current),
            }
        }
    }

    /// The offset of the first byte that came at `since` or later; `None` where all came before.
    pub(super) fn first_since(mut self, since: Timestamp) -> io::Result<Option<u64>> {
        while let Some((offset, time)) = self.record()? {
            if time >= since {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }
}
