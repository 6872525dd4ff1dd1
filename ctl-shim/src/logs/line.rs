//! The output of one unit line by line, each with the time its first byte came.

use std::collections::VecDeque;
use std::io;

use super::chain::Chain;
use super::reader::CHUNK;
use crate::time::Timestamp;

/// Bytes read at once; there is one such source for each unit of a merged view.
const READ: usize = 16 * 1024;

/// A line, or a part of one that is longer than [`CHUNK`], at the front of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Front {
    /// Bytes, its newline included.
    pub(super) length: usize,
    /// When its first byte came; of a part that continues a line, the same.
    pub(super) time: Option<Timestamp>,
    /// Whether it begins a line.
    pub(super) begins: bool,
    /// Whether it ends with a newline.
    pub(super) ends: bool,
}

/// Lines of a unit.
#[derive(Debug)]
pub(super) struct Lines {
    chain: Chain,
    buffer: VecDeque<u8>,
    /// For each stretch of the buffer that came at one time: its length and that time.
    stretches: VecDeque<(usize, Option<Timestamp>)>,
    /// How much of the buffer is known to hold no newline.
    searched: usize,
    /// The line at the front has begun in a part that was taken already; its time.
    continued: Option<Option<Timestamp>>,
}

impl Lines {
    pub(super) fn new(chain: Chain) -> Self {
        Self {
            chain,
            buffer: VecDeque::new(),
            stretches: VecDeque::new(),
            searched: 0,
            continued: None,
        }
    }

    /// Whether the last part taken left its line unfinished.
    pub(super) fn is_mid_line(&self) -> bool {
        self.continued.is_some()
    }

    /// What comes next: a whole line, or [`CHUNK`] bytes of a longer one, or where the output has come to its end
    /// what there is of a line. `None` where nothing is left.
    pub(super) fn front(&mut self) -> io::Result<Option<Front>> {
        loop {
            let newline = self
                .buffer
                .iter()
                .skip(self.searched)
                .position(|byte| *byte == b'\n');
            let end = newline.map(|at| self.searched + at + 1);
            self.searched = end.map_or(self.buffer.len(), |end| end - 1);
            if end.is_none() && self.buffer.len() < CHUNK && self.fill()? {
                continue;
            }
            let length = end.unwrap_or(self.buffer.len()).min(CHUNK);
            let Some((_, first)) = self.stretches.front().filter(|_| length > 0) else {
                return Ok(None);
            };
            return Ok(Some(Front {
                length,
                time: self.continued.unwrap_or(*first),
                begins: self.continued.is_none(),
                ends: end == Some(length),
            }));
        }
    }

    /// Takes what [`Lines::front`] showed.
    pub(super) fn take(&mut self, front: Front, into: &mut Vec<u8>) {
        into.extend(self.buffer.drain(..front.length));
        let mut rest = front.length;
        while let Some((length, _)) = self.stretches.front_mut() {
            if *length > rest {
                *length -= rest;
                break;
            }
            rest -= *length;
            self.stretches.pop_front();
        }
        self.searched = self.searched.saturating_sub(front.length);
        self.continued = if front.ends { None } else { Some(front.time) };
    }

    /// Reads more; `false` at the end of what there is now.
    fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; READ];
        let (count, time) = self.chain.read(&mut bytes)?;
        if count == 0 {
            return Ok(false);
        }
        self.buffer.extend(&bytes[..count]);
        self.stretches.push_back((count, time));
        Ok(true)
    }
}
