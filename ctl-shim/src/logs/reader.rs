//! Reading logs: one unit as it is, several merged by time in whole lines.

use std::collections::VecDeque;
use std::io;
use std::path::Path;

use super::cursor::{Cursor, PIECE, Piece};
use crate::protocol::message::{LogChunk, LogRange};
use crate::time::Timestamp;

/// Reads the logs of some units. After the last chunk it can be asked again, once a log has grown.
#[derive(Debug)]
pub struct LogReader {
    sources: Vec<Source>,
    /// One unit without times: bytes are handed on as they are.
    raw: bool,
    timestamps: bool,
    follow: bool,
    /// The source in the middle of a line too long to be held; it goes on until that ends.
    exclusive: Option<usize>,
}

#[derive(Debug)]
struct Source {
    unit: String,
    cursor: Cursor,
    lines: VecDeque<Line>,
    /// The line that has not ended, and when it began.
    open: Vec<u8>,
    open_time: Option<Timestamp>,
}

#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    time: Option<Timestamp>,
}

impl LogReader {
    /// A reader of the logs in `directory`. A unit that has not written anything has none, which is no error.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(directory: &Path, units: &[String], range: &LogRange) -> io::Result<Self> {
        let sources = units.iter().map(|unit| {
            let cursor = Cursor::open(directory, unit, range)?;
            Ok(Source {
                unit: unit.clone(),
                cursor,
                lines: VecDeque::new(),
                open: Vec::new(),
                open_time: None,
            })
        });
        let sources = sources.collect::<io::Result<Vec<_>>>()?;
        let raw = sources.len() == 1 && !range.timestamps;
        Ok(Self {
            sources,
            raw,
            timestamps: range.timestamps,
            follow: range.follow,
            exclusive: None,
        })
    }

    /// The next chunk, about 64 KiB at most; `None` while there is none.
    ///
    /// # Errors
    /// Those of the file system.
    #[expect(
        clippy::should_implement_trait,
        reason = "it may fail, and may go on after None"
    )]
    pub fn next(&mut self) -> io::Result<Option<(LogChunk, Vec<u8>)>> {
        if self.raw {
            let Some(source) = self.sources.first_mut() else {
                return Ok(None);
            };
            let piece = source.cursor.read()?;
            return Ok(piece.map(|piece| {
                (
                    LogChunk {
                        unit: source.unit.clone(),
                        time: None,
                    },
                    piece.bytes,
                )
            }));
        }
        let Some(index) = self.earliest()? else {
            return Ok(None);
        };
        let (mut bytes, mut time) = (Vec::new(), None);
        // Lines of one unit that follow each other go together, those of one time where times are wanted.
        while bytes.len() < PIECE {
            let Some(source) = self.sources.get_mut(index) else {
                break;
            };
            let Some(line) = source.lines.front() else { break };
            if !bytes.is_empty() && self.timestamps && line.time != time {
                break;
            }
            time = line.time;
            let Some(line) = source.lines.pop_front() else {
                break;
            };
            bytes.extend_from_slice(&line.bytes);
            self.exclusive = (!line.bytes.ends_with(b"\n")).then_some(index);
            if self.earliest()? != Some(index) {
                break;
            }
        }
        let unit = self
            .sources
            .get(index)
            .map(|source| source.unit.clone())
            .unwrap_or_default();
        Ok(Some((LogChunk { unit, time }, bytes)))
    }

    /// The source whose next line is the oldest. A line of unknown time goes first.
    fn earliest(&mut self) -> io::Result<Option<usize>> {
        for source in &mut self.sources {
            source.fill(self.follow)?;
        }
        if let Some(index) = self.exclusive {
            let goes_on = self
                .sources
                .get(index)
                .is_some_and(|source| !source.lines.is_empty());
            if goes_on || self.follow {
                return Ok(goes_on.then_some(index));
            }
            self.exclusive = None;
        }
        let heads = self.sources.iter().enumerate();
        let heads = heads.filter_map(|(index, source)| Some((source.lines.front()?.time, index)));
        Ok(heads.min().map(|(_, index)| index))
    }
}

impl Source {
    /// Makes sure that there is a line, if there can be one.
    fn fill(&mut self, follow: bool) -> io::Result<()> {
        while self.lines.is_empty() {
            let Some(piece) = self.cursor.read()? else {
                // Without following, the end of the log ends its last line.
                if !follow && !self.open.is_empty() {
                    self.close();
                }
                return Ok(());
            };
            self.split(&piece)?;
        }
        Ok(())
    }

    fn split(&mut self, piece: &Piece) -> io::Result<()> {
        let mut at = 0;
        for part in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.open.is_empty() {
                self.open_time = self.cursor.time(piece, at)?;
            }
            at += part.len();
            self.open.extend_from_slice(part);
            if part.ends_with(b"\n") || self.open.len() >= PIECE {
                self.close();
            }
        }
        Ok(())
    }

    fn close(&mut self) {
        self.lines.push_back(Line {
            bytes: std::mem::take(&mut self.open),
            time: self.open_time,
        });
    }
}
