//! The question, asked so that Ctrl-C ends the command in order, whatever else in this process takes signals.

use std::io;

use agentbox_ctl::failure::{Failure, Kind};

use crate::interrupt::Interrupt;
use crate::ui::Ui;

/// Asks a yes-or-no question on stderr. Anything but `y` or `yes` is no. Not for async code.
///
/// # Errors
/// A signal ([`Kind::Interrupted`]), a stdin that cannot be read.
pub(super) fn confirm(ui: &Ui, question: &str) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?;
    runtime.block_on(async {
        let mut interrupt = Interrupt::new()?;
        ui.report_bytes(format!("{question} [y/N] ").as_bytes());
        let (sender, receiver) = tokio::sync::oneshot::channel();
        // A thread of its own: it may sit in its read for ever, and only the end of the process ends that.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let read = io::stdin().read_line(&mut answer).map(|_| answer);
            // Nobody waits for it where a signal came first.
            let _ = sender.send(read);
        });
        let answer = tokio::select! {
            biased;
            _ = interrupt.received() => {
                ui.report_bytes(b"\n");
                return Err(Failure::new(Kind::Interrupted, "interrupted: nothing was made"));
            }
            answer = receiver => answer,
        };
        let answer = answer
            .unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()))
            .map_err(|error| Failure::failed("cannot read the answer").because(&error))?;
        if !answer.ends_with('\n') {
            // The end of input leaves the cursor behind the question.
            ui.report_bytes(b"\n");
        }
        Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    })
}
