//! What a box needs of what it was asked about, as lines on the stdout of its PID 1.
//!
//! ```text
//! agentbox-ctl seed: needs 19990 3 7      19,990 not, then 3, then 7 not; the next line goes on with what it needs
//! agentbox-ctl seed: asked                that was all
//! ```
//!
//! Docker keeps these lines in the container's log, and most of a project is the same: so they tell lengths of runs.

use std::fmt::Write;

/// What a line with lengths begins with.
const NEEDS: &str = "agentbox-ctl seed: needs";
/// The line after the last of them.
const ASKED: &str = "agentbox-ctl seed: asked";
/// Most lengths in a line: each has at most ten digits, so a line stays below [`LONGEST`].
const IN_A_LINE: usize = 100;
/// Longest line that is looked at, in bytes.
const LONGEST: usize = 4096;
/// Most lengths that are kept: as many as two million scattered files need.
const MOST: usize = 1 << 22;

/// Answers, in the order of the questions: how many are no, then how many are yes, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs(Vec<u32>);

impl Default for Runs {
    fn default() -> Self {
        Self(vec![0])
    }
}

impl Runs {
    /// No answers, to any number of questions.
    fn none() -> Self {
        Self(vec![u32::MAX; 2])
    }

    /// Adds the answer to the next question.
    pub fn push(&mut self, needs: bool) {
        if self.0.len().is_multiple_of(2) != needs {
            self.0.push(0);
        }
        if let Some(last) = self.0.last_mut() {
            *last += 1;
        }
    }

    /// All of them as lines.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for lengths in self.0.chunks(IN_A_LINE) {
            text.push_str(NEEDS);
            for length in lengths {
                // A string takes everything.
                let _ = write!(text, " {length}");
            }
            text.push('\n');
        }
        text.push_str(ASKED);
        text.push('\n');
        text
    }

    /// The answers one by one; `None` where they are not exactly `count`.
    pub fn answers(&self, count: usize) -> Option<impl Iterator<Item = bool> + use<>> {
        let total: u64 = self.0.iter().map(|length| u64::from(*length)).sum();
        let runs = self.0.clone().into_iter().enumerate();
        (total == count as u64)
            .then(|| runs.flat_map(|(number, length)| std::iter::repeat_n(number % 2 == 1, length as usize)))
    }
}

/// Takes the lines out of what a box writes.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    lengths: Vec<u32>,
    is_done: bool,
}

impl Reader {
    /// Takes what came; gives the answers once they are complete, or so many that they are none. What is none of them is
    /// added to `others`.
    pub fn take(&mut self, bytes: &[u8], others: &mut Vec<u8>) -> Option<Runs> {
        if self.is_done {
            others.extend_from_slice(bytes);
            return None;
        }
        let mut answered = None;
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if !self.line.ends_with(b"\n") && self.line.len() <= LONGEST {
                continue;
            }
            let line = std::mem::take(&mut self.line);
            match std::str::from_utf8(&line).map(str::trim_end) {
                Ok(ASKED) if !self.is_done => {
                    self.is_done = true;
                    answered = Some(Runs(std::mem::take(&mut self.lengths)));
                }
                Ok(text) if !self.is_done && text.starts_with(NEEDS) => {
                    let lengths = text.split(' ').filter_map(|word| word.parse::<u32>().ok());
                    self.lengths.extend(lengths);
                    if self.lengths.len() > MOST {
                        self.is_done = true;
                        self.lengths = Vec::new();
                        answered = Some(Runs::none());
                    }
                }
                _ => others.extend_from_slice(&line),
            }
        }
        if self.is_done {
            others.append(&mut self.line);
        }
        answered
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn answers_come_back_whatever_they_are_cut_into(
            answers in prop::collection::vec(any::<bool>(), 0..1000),
            size in 1_usize..300,
        ) {
            let mut runs = Runs::default();
            for needs in &answers {
                runs.push(*needs);
            }
            let text = format!("before\n{}after", runs.text());
            prop_assert!(text.lines().all(|line| line.len() < LONGEST));
            let (mut reader, mut others, mut found) = (Reader::default(), Vec::new(), None);
            for part in text.as_bytes().chunks(size) {
                found = reader.take(part, &mut others).or(found);
            }
            let found = found.unwrap();
            prop_assert_eq!(&others, b"before\nafter");
            prop_assert_eq!(found.answers(answers.len()).unwrap().collect::<Vec<_>>(), answers.clone());
            prop_assert!(found.answers(answers.len() + 1).is_none());
        }
    }

    #[test]
    fn answers_without_end_are_none() {
        let (mut reader, mut others) = (Reader::default(), Vec::new());
        let line = format!("{NEEDS}{}\n", " 1".repeat(IN_A_LINE));
        let mut answered = None;
        let mut lines = 0;
        while answered.is_none() {
            answered = reader.take(line.as_bytes(), &mut others);
            lines += 1;
            assert!(lines * IN_A_LINE <= MOST + IN_A_LINE);
        }
        assert!(answered.unwrap().answers(lines * IN_A_LINE).is_none());
        assert_eq!(reader.take(line.as_bytes(), &mut others), None);
        assert!(reader.lengths.capacity() == 0 && others == line.as_bytes());
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let (mut reader, mut others) = (Reader::default(), Vec::new());
        for _ in 0..1000 {
            assert_eq!(reader.take(&[b'x'; 1000], &mut others), None);
            assert!(reader.line.len() <= LONGEST);
        }
    }
}
