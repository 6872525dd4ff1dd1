//! Steps of work under way: spinners on a terminal, plain lines elsewhere, nothing with `--quiet`. A step that copies has
//! a [`Meter`], shown at the right end of its line.

use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ui;
use super::meter::{Meter, Reading};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(100);

/// All spinners of a process.
pub(super) struct Progress {
    enabled: bool,
    bars: OnceLock<MultiProgress>,
}

impl Progress {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            bars: OnceLock::new(),
        }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Runs `write` while no spinner is on the screen.
    pub(super) fn suspended<T>(&self, write: impl FnOnce() -> T) -> T {
        match self.bars.get() {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }

    fn spinner(&self) -> Option<ProgressBar> {
        if !self.enabled {
            return None;
        }
        let bars = self
            .bars
            .get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        let bar = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(TICK);
        Some(bar)
    }
}

/// One step under way. Dropped without [`Step::finish`] it leaves the terminal as it was.
#[derive(Debug)]
pub struct Step<'a> {
    ui: &'a Ui,
    text: String,
    bar: Option<ProgressBar>,
}

impl<'a> Step<'a> {
    pub(super) fn start(ui: &'a Ui, text: &str) -> Self {
        let bar = ui.progress.spinner();
        match &bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => ui.status(text),
        }
        Self {
            ui,
            text: text.to_owned(),
            bar,
        }
    }

    /// Says how far it is. Shown on a terminal only.
    pub fn update(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {detail}", self.text));
        }
    }

    /// Shows another text in its place. On a terminal only.
    pub fn replace(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        if let Some(bar) = &self.bar {
            bar.set_message(text.to_owned());
        }
    }

    /// Counts files and bytes from now on, and shows them on a terminal. The meter may outlive the step.
    pub fn meter(&self) -> Meter {
        let meter = Meter::new();
        if let Some(bar) = &self.bar
            && let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {meter}")
        {
            bar.set_style(style.with_key("meter", Reading::of(meter.clone())));
        }
        meter
    }

    /// Ends the step with a line that stays; none where the text is empty.
    pub fn finish(mut self, text: &str) {
        self.clear();
        if !text.is_empty() {
            self.ui.status(text);
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}
