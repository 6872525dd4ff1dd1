//! Stdout is data, stderr is everything else; this is the only place that writes to either.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::failure::Failure;

/// What a process ends with when the reader of its output has gone: 128 + SIGPIPE, as for any other tool.
const BROKEN_PIPE: u8 = 141;

/// The two streams.
#[derive(Debug)]
pub(super) struct Output {
    quiet: bool,
}

impl Output {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Data, as it is.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| {
                let mut failure = Failure::failed("cannot write to stdout").because(&error);
                if error.kind() == ErrorKind::BrokenPipe {
                    // Nobody reads any more; there is nothing to say, and nobody to say it to.
                    failure.rendered = Some(String::new());
                }
                failure
            })
    }

    /// A line of data.
    pub(super) fn line(&self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Data as JSON, on one line.
    pub(super) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::failed("cannot write JSON").because(&error))?;
        self.line(&text)
    }

    /// A line about what is being done.
    pub(super) fn status(&self, text: &str) {
        if !self.quiet {
            self.complain(&format!("{text}\n"));
        }
    }

    /// What is wrong, also for those who want to hear little.
    #[expect(clippy::unused_self, reason = "a method beside its siblings")]
    pub(super) fn complain(&self, text: &str) {
        // There is nobody left to tell when stderr is gone.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Prints a failure and says how the process ends.
    pub(super) fn finish(&self, result: Result<u8, Failure>) -> u8 {
        match result {
            Ok(code) => code,
            Err(failure) if failure.rendered.as_deref() == Some("") => BROKEN_PIPE,
            Err(failure) => {
                self.complain(&failure.render());
                failure.kind.exit_code()
            }
        }
    }

    /// Prints clap's help, version or complaint and says how the process ends.
    pub(super) fn usage(&self, error: &clap::Error) -> u8 {
        let text = error.render().to_string();
        if error.use_stderr() {
            self.complain(&text);
            2
        } else {
            self.finish(self.bytes(text.as_bytes()).map(|()| 0))
        }
    }
}
