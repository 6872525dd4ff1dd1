//! Medians and rows of the table.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a row aims at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Aim {
    /// Our figure is at most this.
    AtMost(f64),
    /// Our figure is at least this.
    AtLeast(f64),
    /// Our figure over theirs is at most this.
    Ratio(f64),
    /// Our figure less theirs is at most this.
    Beyond(f64),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    what: String,
    unit: &'static str,
    ours: f64,
    theirs: Option<f64>,
    aim: Aim,
}

impl Row {
    /// A figure on its own, in `unit`.
    pub(crate) fn alone(what: &str, unit: &'static str, ours: f64, at_most: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit,
            ours,
            theirs: None,
            aim: Aim::AtMost(at_most),
        }
    }

    /// A figure on its own, in `unit`, of which more is better.
    pub(crate) fn at_least(what: &str, unit: &'static str, ours: f64, least: f64) -> Self {
        Self {
            aim: Aim::AtLeast(least),
            ..Self::alone(what, unit, ours, 0.0)
        }
    }

    /// A time against another's time, both in milliseconds.
    pub(crate) fn against(what: &str, ours: f64, theirs: f64, ratio: f64) -> Self {
        Self {
            what: what.to_owned(),
            unit: "ms",
            ours,
            theirs: Some(theirs),
            aim: Aim::Ratio(ratio),
        }
    }

    /// What a time has beyond another, both in milliseconds.
    pub(crate) fn beyond(what: &str, ours: f64, theirs: f64, at_most: f64) -> Self {
        Self {
            aim: Aim::Beyond(at_most),
            ..Self::against(what, ours, theirs, 0.0)
        }
    }

    /// Whether the aim is reached.
    pub(crate) fn reached(&self) -> bool {
        match (self.aim, self.theirs) {
            (Aim::AtMost(limit), _) => self.ours <= limit,
            (Aim::AtLeast(limit), _) => self.ours >= limit,
            (Aim::Ratio(limit), Some(theirs)) => self.ours <= limit * theirs,
            (Aim::Beyond(more), Some(theirs)) => self.ours - theirs <= more,
            (Aim::Ratio(_) | Aim::Beyond(_), None) => false,
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: f64| format!("{value:.2} {}", self.unit);
        let theirs = self.theirs.map(number).unwrap_or_default();
        let ratio = self
            .theirs
            .map(|theirs| format!("{:.2}", self.ours / theirs))
            .unwrap_or_default();
        let aim = match self.aim {
            Aim::AtMost(limit) => format!("<= {limit} {}", self.unit),
            Aim::AtLeast(limit) => format!(">= {limit} {}", self.unit),
            Aim::Ratio(limit) => format!("<= {limit} times"),
            Aim::Beyond(more) => format!("<= {more} {} more", self.unit),
        };
        let verdict = if self.reached() { "" } else { "  MISSED" };
        write!(
            formatter,
            "{:<58} {:>12} {theirs:>12} {ratio:>8}  {aim}{verdict}",
            self.what,
            number(self.ours)
        )
    }
}

/// The middle of a set of figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    assert!(!figures.is_empty(), "a median needs a figure");
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Milliseconds of a duration.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Runs a command to its end with its output thrown away; gives milliseconds.
pub(crate) fn timed(mut command: Command) -> f64 {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    let output = command.output().expect("the command can be started");
    let elapsed = start.elapsed();
    assert!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    milliseconds(elapsed)
}

/// Medians of two measurements that take turns, so that what disturbs the machine disturbs both. Each begins every
/// second round, so that what one leaves behind meets both alike.
pub(crate) fn alternate(
    rounds: usize,
    mut ours: impl FnMut() -> f64,
    mut theirs: impl FnMut() -> f64,
) -> (f64, f64) {
    // One of each in advance, to fill caches.
    ours();
    theirs();
    let (first, second) = (0..rounds)
        .map(|round| {
            if round % 2 == 0 {
                let first = ours();
                (first, theirs())
            } else {
                let second = theirs();
                (ours(), second)
            }
        })
        .unzip();
    (median(first), median(second))
}

/// Median of repeated measurements, after one to fill caches.
pub(crate) fn repeat(rounds: usize, mut measure: impl FnMut() -> f64) -> f64 {
    measure();
    median((0..rounds).map(|_| measure()).collect())
}
