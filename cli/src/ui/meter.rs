//! How far a copy is: files, bytes, rate, and how much is left where the total is known.
//!
//! ```text
//! producing thread ─► Meter (atomics) ◄─ Reading, at each tick of the spinner ─► the line's right end
//! ```
//!
//! Whoever copies only adds numbers; the spinner's own thread reads them ten times a second, and without a terminal
//! nobody does.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressState;
use indicatif::style::ProgressTracker;

use super::size::{count, files_and_bytes, size};

/// The rate is that of this last stretch of time.
const WINDOW: Duration = Duration::from_secs(3);
/// No rate is shown before this much time: it would jump about.
const SETTLING: Duration = Duration::from_millis(500);
/// Cells of the bar between its brackets.
const BAR: u64 = 20;

/// Counts what is copied. Clones count together, from any thread. Costs an atomic addition, whoever looks on.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    files: AtomicU64,
    bytes: AtomicU64,
    /// 0 where nobody knows.
    total: AtomicU64,
}

impl Meter {
    /// A meter that no step shows.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more file has been copied, or begun.
    pub fn file(&self) {
        self.0.files.fetch_add(1, Ordering::Relaxed);
    }

    /// This many more bytes of content have been copied.
    pub fn bytes(&self, number: u64) {
        self.0.bytes.fetch_add(number, Ordering::Relaxed);
    }

    /// Says how many bytes there will be in all. Can be said late, and again.
    pub fn expect(&self, bytes: u64) {
        self.0.total.store(bytes, Ordering::Relaxed);
    }

    /// Files so far.
    pub fn files_so_far(&self) -> u64 {
        self.0.files.load(Ordering::Relaxed)
    }

    /// Bytes so far.
    pub fn bytes_so_far(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// What has been copied: `20,000 files, 180 MiB`.
    pub fn summary(&self) -> String {
        files_and_bytes(self.files_so_far(), self.bytes_so_far())
    }
}

/// What the spinner shows of a meter.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    meter: Meter,
    /// When, and bytes until then; the oldest first.
    samples: VecDeque<(Instant, u64)>,
}

impl Reading {
    pub(super) fn of(meter: Meter) -> Self {
        Self {
            meter,
            samples: VecDeque::new(),
        }
    }

    fn sample(&mut self, now: Instant) {
        while self.samples.len() > 1
            && self
                .samples
                .front()
                .is_some_and(|(then, _)| now.duration_since(*then) > WINDOW)
        {
            self.samples.pop_front();
        }
        self.samples.push_back((now, self.meter.bytes_so_far()));
    }

    /// Bytes a second, once enough time has passed to tell.
    fn rate(&self) -> Option<u64> {
        let ((first, before), (last, after)) = (self.samples.front()?, self.samples.back()?);
        let passed = last.duration_since(*first);
        (passed >= SETTLING).then(|| ((after - before) as f64 / passed.as_secs_f64()) as u64)
    }

    fn text(&self) -> String {
        let files = self.meter.files_so_far();
        let bytes = self.meter.bytes_so_far();
        let total = self.meter.0.total.load(Ordering::Relaxed);
        let rate = self.rate();
        let mut text = String::new();
        // A total that was exceeded was none: files grew meanwhile.
        let left = total.checked_sub(bytes).filter(|_| total > 0);
        if let Some(left) = left {
            let done = usize::try_from((total - left).saturating_mul(BAR) / total).unwrap_or_default();
            text.push_str(&format!("[{:-<width$}] ", "#".repeat(done), width = BAR as usize));
        }
        let noun = if files == 1 { "file" } else { "files" };
        text.push_str(&format!("{} {noun}, {}", count(files), size(bytes)));
        if left.is_some() {
            text.push_str(&format!(" of {}", size(total)));
        }
        if let Some(rate) = rate {
            text.push_str(&format!(", {}/s", size(rate)));
            if let Some(seconds) = left.and_then(|left| left.checked_div(rate)) {
                text.push_str(&format!(", {} left", duration(seconds)));
            }
        }
        text
    }
}

impl ProgressTracker for Reading {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, _: &ProgressState, now: Instant) {
        self.sample(now);
    }

    fn reset(&mut self, _: &ProgressState, _: Instant) {
        self.samples.clear();
    }

    fn write(&self, _: &ProgressState, output: &mut dyn fmt::Write) {
        // It writes into memory, which does not fail.
        let _ = output.write_str(&self.text());
    }
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_count_together_from_any_thread() {
        let meter = Meter::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let meter = meter.clone();
                scope.spawn(move || {
                    for _ in 0..5000 {
                        meter.file();
                        meter.bytes(1 << 10);
                    }
                });
            }
        });
        assert_eq!(meter.summary(), "20,000 files, 19.5 MiB");
    }

    #[test]
    fn rate_and_rest_are_those_of_the_last_seconds() {
        let meter = Meter::new();
        let mut reading = Reading::of(meter.clone());
        let begin = Instant::now();
        reading.sample(begin);
        assert_eq!(reading.text(), "0 files, 0 B");
        // A slow beginning is forgotten.
        for second in 1..=10_u32 {
            meter.file();
            meter.bytes(if second < 5 { 1 << 10 } else { 1 << 20 });
            reading.sample(begin + Duration::from_secs(second.into()));
        }
        assert_eq!(reading.text(), "10 files, 6 MiB, 1 MiB/s");
        meter.expect(12 << 20);
        assert_eq!(
            reading.text(),
            "[##########----------] 10 files, 6 MiB of 12 MiB, 1 MiB/s, 5s left"
        );
        meter.expect(1 << 20);
        assert_eq!(reading.text(), "10 files, 6 MiB, 1 MiB/s");
        assert!(reading.samples.len() < 6);
    }

    #[test]
    fn a_copy_that_stands_still_has_no_end_in_sight() {
        let meter = Meter::new();
        meter.expect(1 << 20);
        let mut reading = Reading::of(meter);
        let begin = Instant::now();
        reading.sample(begin);
        reading.sample(begin + Duration::from_secs(1));
        assert_eq!(
            reading.text(),
            "[--------------------] 0 files, 0 B of 1 MiB, 0 B/s"
        );
        assert_eq!([5, 65, 3700].map(duration).join(" "), "5s 1m 05s 1h 01m");
    }
}
