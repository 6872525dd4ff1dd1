//! When the bytes of a log file came: records of `offset: u32 LE | milliseconds since the epoch: u64 LE`.
//!
//! A record says that the bytes from its offset on, up to the next record's, were read at its time. A record cut
//! short by a crash is not looked at, and overwritten by the next one. The bytes of a log come first and their
//! record after them, so what a crash can lose is a time, never output.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::time::Timestamp;

/// Bytes of a record.
const RECORD: u64 = 12;
/// Records kept at full precision; from here on, chunks that come within a second share one.
const FINE_RECORDS: u64 = 64 * 1024;
/// From here on, chunks within a minute share one. So a file stays near 1.5 MiB.
const COARSE_RECORDS: u64 = 128 * 1024;
/// Records read at once while searching.
const BLOCK_RECORDS: u64 = 1024;

type Record = (u64, Timestamp);

fn decode(bytes: &[u8]) -> Option<Record> {
    let (offset, time) = bytes.split_at_checked(4)?;
    let offset = u32::from_le_bytes(offset.try_into().ok()?);
    let time = u64::from_le_bytes(time.try_into().ok()?);
    Some((u64::from(offset), Timestamp::from_millis(time)))
}

/// The writing side.
#[derive(Debug)]
pub(super) struct TimesWriter {
    file: File,
    records: u64,
    last: Option<Timestamp>,
}

impl TimesWriter {
    /// Opens or makes the file; records that speak of bytes beyond `log_length` are dropped.
    pub(super) fn open(path: &Path, log_length: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(path)?;
        let times = Times {
            records: file.metadata()?.len() / RECORD,
            file,
            block: Vec::new(),
        };
        let records = times.count_before(|(offset, _)| offset < log_length);
        let last = records
            .checked_sub(1)
            .and_then(|last| times.record(last))
            .map(|(_, time)| time);
        times.file.set_len(records * RECORD)?;
        Ok(Self {
            file: times.file,
            records,
            last,
        })
    }

    /// Notes that what lies at `offset` came at `time`, unless the last record says so already.
    pub(super) fn note(&mut self, offset: u64, time: Timestamp) -> io::Result<()> {
        let precision = match self.records {
            0..FINE_RECORDS => 1,
            FINE_RECORDS..COARSE_RECORDS => 1_000,
            _ => 60_000,
        };
        // A clock that was set back starts anew.
        if let Some(last) = self.last
            && time >= last
            && time.as_millis() - last.as_millis() < precision
        {
            return Ok(());
        }
        let Ok(offset) = u32::try_from(offset) else {
            return Ok(());
        };
        let mut record = [0; RECORD as usize];
        record[..4].copy_from_slice(&offset.to_le_bytes());
        record[4..].copy_from_slice(&time.as_millis().to_le_bytes());
        // At its place rather than at the end: this repairs a record that a full disk cut short.
        self.file.write_all_at(&record, self.records * RECORD)?;
        self.records += 1;
        self.last = Some(time);
        Ok(())
    }
}

/// The reading side; the file may grow meanwhile.
#[derive(Debug)]
pub(super) struct Times {
    file: File,
    records: u64,
    /// Records around the last place asked for, so that going through a log costs no call for each record.
    block: Vec<Record>,
}

impl Times {
    /// Opens the file; `None` where there is none, or something else.
    pub(super) fn open(path: &Path) -> Option<Self> {
        if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            return None;
        }
        let file = File::open(path).ok()?;
        let mut times = Self {
            file,
            records: 0,
            block: Vec::new(),
        };
        times.refresh();
        Some(times)
    }

    /// Takes notice of records that were added.
    pub(super) fn refresh(&mut self) {
        self.records = self.file.metadata().map_or(0, |metadata| metadata.len() / RECORD);
    }

    fn record(&self, index: u64) -> Option<Record> {
        let mut bytes = [0; RECORD as usize];
        self.file.read_exact_at(&mut bytes, index * RECORD).ok()?;
        decode(&bytes)
    }

    /// How many records at the front satisfy a condition that, once false, stays false.
    fn count_before(&self, condition: impl Fn(Record) -> bool) -> u64 {
        let (mut low, mut high) = (0, self.records);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(middle) {
                Some(record) if condition(record) => low = middle + 1,
                _ => high = middle,
            }
        }
        low
    }

    /// When the byte at `offset` came, and up to which offset that holds (`u64::MAX`: as far as is known).
    pub(super) fn at(&mut self, offset: u64) -> (Option<Timestamp>, u64) {
        if let Some(answer) = self.at_in_block(offset) {
            return answer;
        }
        self.refresh();
        let first = self.count_before(|(start, _)| start <= offset).saturating_sub(1);
        let mut bytes = vec![0; (BLOCK_RECORDS.min(self.records.saturating_sub(first)) * RECORD) as usize];
        self.block.clear();
        if self.file.read_exact_at(&mut bytes, first * RECORD).is_ok() {
            self.block
                .extend(bytes.chunks_exact(RECORD as usize).filter_map(decode));
        }
        let count = self.block.partition_point(|(start, _)| *start <= offset);
        let time = count
            .checked_sub(1)
            .and_then(|index| self.block.get(index))
            .map(|(_, time)| *time);
        (time, self.block.get(count).map_or(u64::MAX, |(start, _)| *start))
    }

    /// The answer where the block has both the record that holds at `offset` and the one after it.
    fn at_in_block(&self, offset: u64) -> Option<(Option<Timestamp>, u64)> {
        let count = self.block.partition_point(|(start, _)| *start <= offset);
        let (_, time) = self.block.get(count.checked_sub(1)?)?;
        Some((Some(*time), self.block.get(count)?.0))
    }

    /// Offset of the first bytes that came at or after `since`. From front to back: a clock that was set back
    /// leaves the times out of order.
    pub(super) fn first_since(&self, since: Timestamp) -> Option<u64> {
        let mut block = vec![0; (BLOCK_RECORDS * RECORD) as usize];
        let mut next = 0;
        while next < self.records {
            let count = BLOCK_RECORDS.min(self.records - next);
            let bytes = block.get_mut(..(count * RECORD) as usize)?;
            self.file.read_exact_at(bytes, next * RECORD).ok()?;
            let found = bytes
                .chunks_exact(RECORD as usize)
                .filter_map(decode)
                .find(|(_, time)| *time >= since);
            if let Some((offset, _)) = found {
                return Some(offset);
            }
            next += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn each_offset_has_the_time_of_its_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("times");
        let mut writer = TimesWriter::open(&path, 0).unwrap();
        for (offset, at) in [(0, 5), (10, 5), (20, 6), (30, 100)] {
            writer.note(offset, time(at)).unwrap();
        }
        let mut times = Times::open(&path).unwrap();
        assert_eq!(times.records, 3, "one millisecond, one record");
        assert_eq!(times.at(0), (Some(time(5)), 20));
        assert_eq!(times.at(19), (Some(time(5)), 20));
        assert_eq!(times.at(20), (Some(time(6)), 30));
        assert_eq!(times.at(1000), (Some(time(100)), u64::MAX));
        assert_eq!(times.first_since(time(0)), Some(0));
        assert_eq!(times.first_since(time(6)), Some(20));
        assert_eq!(times.first_since(time(7)), Some(30));
        assert_eq!(times.first_since(time(101)), None);
    }

    #[test]
    fn a_torn_record_and_one_beyond_the_log_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("times");
        let mut writer = TimesWriter::open(&path, 0).unwrap();
        writer.note(0, time(0)).unwrap();
        writer.note(50, time(1)).unwrap();
        drop(writer);
        let length = std::fs::metadata(&path).unwrap().len();
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(length - 5)
            .unwrap();
        assert_eq!(Times::open(&path).unwrap().at(60), (Some(time(0)), u64::MAX));
        let mut writer = TimesWriter::open(&path, 60).unwrap();
        writer.note(60, time(9)).unwrap();
        assert_eq!(Times::open(&path).unwrap().at(60), (Some(time(9)), u64::MAX));
        assert_eq!(TimesWriter::open(&path, 60).unwrap().records, 1);
    }

    #[test]
    fn precision_falls_before_size_grows() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = TimesWriter::open(&directory.path().join("times"), 0).unwrap();
        for step in 0..FINE_RECORDS + 5_000 {
            writer.note(step, time(step)).unwrap();
        }
        assert_eq!(writer.records, FINE_RECORDS + 5);
        // A clock set back by years is not mistaken for the same moment.
        writer
            .note(1_000_000, Timestamp::from_millis(1_600_000_000_000))
            .unwrap();
        assert_eq!(writer.records, FINE_RECORDS + 6);
    }
}
