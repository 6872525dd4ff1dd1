//! The only place that writes to the terminal: stdout is data, stderr is everything else.
//!
//! Write errors on stdout end a command (a reader that has gone is no error to talk about, see
//! [`Ui::is_broken`]); those on stderr are ignored, since there is nobody left to tell.

mod meter;
mod progress;
mod size;
mod style;

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::is_unwanted;
pub use agentbox_ctl::report::{one_line, strip_controls};
use serde::Serialize;

pub use self::meter::Meter;
use self::progress::Progress;
pub use self::progress::Step;
pub use self::size::{count, duration, files_and_bytes, size};
pub use self::style::{ColorChoice, Style};
use crate::commands::GlobalArguments;
use crate::interrupt::{Interrupt, Stopped};

/// Output, and questions to the person in front of it. Shared by reference; safe to use from several threads.
pub struct Ui {
    stdout: Mutex<Box<dyn Write + Send>>,
    stderr: Mutex<Box<dyn Write + Send>>,
    look: Look,
    broken: AtomicBool,
    progress: Progress,
}

/// What is known about the terminal and what the flags ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    /// Stdin is a terminal.
    pub stdin_terminal: bool,
    /// Stdout is a terminal.
    pub stdout_terminal: bool,
    /// Stderr is a terminal.
    pub stderr_terminal: bool,
    /// Colour on stdout.
    pub stdout_color: bool,
    /// Colour on stderr.
    pub stderr_color: bool,
    /// Data and errors only.
    pub quiet: bool,
    /// Details too.
    pub verbose: bool,
}

impl fmt::Debug for Ui {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Ui")
            .field("look", &self.look)
            .finish_non_exhaustive()
    }
}

impl Ui {
    /// On the process's own streams.
    pub fn for_terminal(global: &GlobalArguments) -> Self {
        let is_dumb = style::is_dumb(std::env::var_os("TERM").as_deref());
        let no_color = is_dumb || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let stdout_terminal = io::stdout().is_terminal();
        let stderr_terminal = io::stderr().is_terminal();
        let look = Look {
            stdin_terminal: io::stdin().is_terminal(),
            stdout_terminal,
            stderr_terminal,
            stdout_color: global.color.applies(stdout_terminal, no_color),
            stderr_color: global.color.applies(stderr_terminal, no_color),
            quiet: global.quiet,
            verbose: global.verbose,
        };
        let mut ui = Self::new(Box::new(io::stdout()), Box::new(io::stderr()), look);
        if is_dumb {
            ui.progress = Progress::new(false);
        }
        ui
    }

    /// On any two writers.
    pub fn new(stdout: Box<dyn Write + Send>, stderr: Box<dyn Write + Send>, look: Look) -> Self {
        Self {
            stdout: Mutex::new(stdout),
            stderr: Mutex::new(stderr),
            look,
            broken: AtomicBool::new(false),
            progress: Progress::new(look.stderr_terminal && !look.quiet),
        }
    }

    /// What is known about the terminal.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Whether a question can be asked: a person sees it and can answer.
    pub fn is_interactive(&self) -> bool {
        self.look.stdin_terminal && self.look.stderr_terminal
    }

    /// Styles for text on stdout.
    pub fn stdout_style(&self) -> Style {
        Style::new(self.look.stdout_color)
    }

    /// Styles for text on stderr.
    pub fn stderr_style(&self) -> Style {
        Style::new(self.look.stderr_color)
    }

    /// Whether the reader of stdout has gone. The command ends quietly then.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Writes data to stdout as it is, in one piece, and flushes it.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn data(&self, text: &str) -> Result<(), Failure> {
        self.data_bytes(text.as_bytes())
    }

    /// As [`Self::data`], with a line end.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn line(&self, text: &str) -> Result<(), Failure> {
        self.data(&format!("{text}\n"))
    }

    /// Writes bytes to stdout as they are and flushes them.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn data_bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let result = self.progress.suspended(|| {
            let mut stdout = lock(&self.stdout);
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        result.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                self.broken.store(true, Ordering::Relaxed);
            }
            Failure::failed("cannot write to standard output").because(&error)
        })
    }

    /// Writes one value as one line of JSON to stdout.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.line(&json(value)?)
    }

    /// A line about what happens, on stderr; nothing with `--quiet`.
    pub fn status(&self, text: &str) {
        if !self.look.quiet {
            self.report(&format!("{text}\n"));
        }
    }

    /// A line on stderr that only `--verbose` shows.
    pub fn detail(&self, text: &str) {
        if self.look.verbose && !self.look.quiet {
            self.report(&format!("{text}\n"));
        }
    }

    /// A `warning:` line on stderr, with `--quiet` too.
    pub fn warning(&self, text: &str) {
        let label = self.stderr_style().yellow("warning:");
        self.report(&format!("{label} {text}\n"));
    }

    /// A `hint:` line on stderr; nothing with `--quiet`.
    pub fn hint(&self, text: &str) {
        let label = self.stderr_style().cyan("hint:");
        self.status(&format!("{label} {text}"));
    }

    /// Prints a failure. It may carry text from a box, so control characters are removed.
    pub fn failure(&self, failure: &Failure) {
        let text = failure.render();
        let text = strip_controls(&text);
        self.report(&self.stderr_style().labels(&text));
    }

    /// Whether steps are spinners that can be redrawn, and not lines.
    pub fn draws_progress(&self) -> bool {
        self.progress.is_enabled()
    }

    /// Starts a step of the work: a spinner on a terminal, a plain line elsewhere.
    pub fn step(&self, text: &str) -> Step<'_> {
        Step::start(self, text)
    }

    /// Asks a yes-or-no question on stderr. Anything but `y` or `yes` is no.
    ///
    /// # Errors
    /// No terminal to ask on, or a stdin that cannot be read.
    pub fn confirm(&self, question: &str) -> Result<bool, Failure> {
        self.ask(question)?;
        read_answer()
    }

    /// As [`Self::confirm`], for a command that takes signals: one ends the question.
    ///
    /// # Errors
    /// As [`Self::confirm`], and the signal.
    pub async fn confirm_unless(&self, question: &str, interrupt: &mut Interrupt) -> Result<bool, Stopped> {
        self.ask(question)?;
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A read of a terminal cannot be called off: the thread ends with the process.
        std::thread::spawn(move || sender.send(read_answer()));
        let answer = interrupt
            .guard(async { receiver.await.unwrap_or(Ok(false)) })
            .await;
        if matches!(answer, Err(Stopped::Interrupted)) {
            self.report("\n");
        }
        answer
    }

    fn ask(&self, question: &str) -> Result<(), Failure> {
        if !self.is_interactive() {
            return Err(Failure::usage(format!(
                "cannot ask without a terminal: {question}"
            )));
        }
        self.report(&format!("{question} [y/N] "));
        Ok(())
    }

    /// Writes to stderr as it is.
    fn report(&self, text: &str) {
        self.report_bytes(text.as_bytes());
    }

    /// Writes bytes to stderr as they are: the stderr of a command in a box.
    pub fn report_bytes(&self, bytes: &[u8]) {
        self.progress.suspended(|| {
            let mut stderr = lock(&self.stderr);
            // Nobody is left to tell that stderr is gone.
            let _ = stderr.write_all(bytes).and_then(|()| stderr.flush());
        });
    }
}

/// One value as one line of JSON, without a line end.
///
/// # Errors
/// A value that JSON has no form for.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value)
        .map_err(|error| Failure::failed("cannot encode the answer as JSON").because(&error))?;
    // JSON leaves C1 controls and bidirectional overrides as they are; they may come from a box.
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unwanted(character) {
            safe.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            safe.push(character);
        }
    }
    Ok(safe)
}

fn read_answer() -> Result<bool, Failure> {
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Failure::failed("cannot read the answer").because(&error))?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// A number with its word: `1 path`, `2 paths`.
pub fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

fn lock(stream: &Mutex<Box<dyn Write + Send>>) -> std::sync::MutexGuard<'_, Box<dyn Write + Send>> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::captured;
    use super::*;

    #[test]
    fn quiet_keeps_data_warnings_and_errors() {
        let (ui, stdout, stderr) = captured(Look {
            quiet: true,
            ..Look::default()
        });
        ui.line("data").unwrap();
        ui.status("status");
        ui.detail("detail");
        ui.warning("careful");
        ui.failure(&Failure::failed("broken \u{1b}[2Jscreen").hint("agentbox doctor"));
        assert_eq!(stdout.text(), "data\n");
        assert_eq!(
            stderr.text(),
            "warning: careful\nerror: broken screen\nhint: agentbox doctor\n"
        );
    }

    #[test]
    fn a_reader_that_has_gone_is_remembered() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let ui = Ui::new(Box::new(Gone), Box::new(Vec::new()), Look::default());
        assert!(!ui.is_broken());
        assert!(ui.line("data").is_err());
        assert!(ui.is_broken());
    }

    #[test]
    fn steps_are_plain_lines_without_a_terminal() {
        let (ui, stdout, stderr) = captured(Look::default());
        let step = ui.step("uploading the project");
        step.update("3 files");
        let meter = step.meter();
        meter.file();
        meter.bytes(3 << 10);
        step.finish(&format!("uploaded {}", meter.summary()));
        drop(ui.step("starting"));
        assert_eq!(
            stderr.text(),
            "uploading the project\nuploaded 1 file, 3 KiB\nstarting\n"
        );
        assert_eq!(stdout.text(), "");
    }
}
