//! The person at the terminal, asked with dialoguer.
//!
//! Each question is asked on a thread of its own, which blocks in the terminal, while this one waits for its answer or
//! a signal. Whichever it is, the terminal is put back as it was: cursor shown, echo on.

use std::io::{self, Write};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::one_line;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{MultiSelect, Select};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::runtime::Runtime;

use super::ask::Person;
use crate::interrupt::{Interrupt, Stopped};
use crate::terminal;
use crate::ui::Ui;

/// Columns that a prompt puts before an item, and one to spare: a line that wraps is not erased again.
const MARGIN: usize = 8;
/// How long a prompt takes at most to draw itself.
const SETTLING: Duration = Duration::from_millis(50);
/// Largest edited file that is read back, in bytes.
const LIMIT: u64 = agentbox_ctl::config::SIZE_LIMIT as u64;

/// A person in front of the terminal on stdin and stderr.
pub(crate) struct AtTerminal<'ui> {
    ui: &'ui Ui,
    runtime: Runtime,
    interrupt: Interrupt,
    before: Option<Termios>,
}

impl<'ui> AtTerminal<'ui> {
    /// Takes signals from now on, so that none ends the process while the terminal is not itself.
    ///
    /// # Errors
    /// A system that refuses handlers.
    pub(crate) fn new(ui: &'ui Ui) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?;
        let interrupt = {
            let _guard = runtime.enter();
            Interrupt::new()?
        };
        Ok(Self {
            ui,
            runtime,
            interrupt,
            before: tcgetattr(io::stdin()).ok(),
        })
    }

    /// Runs `prompt` on a thread of its own until it has an answer or a signal comes.
    fn ask<T: Send + 'static>(
        &mut self,
        prompt: impl FnOnce(&dyn Theme) -> dialoguer::Result<T> + Send + 'static,
    ) -> Result<T, Stopped> {
        let color = self.ui.look().stderr_color;
        let (sender, mut receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let answer = if color {
                prompt(&ColorfulTheme::default())
            } else {
                prompt(&SimpleTheme)
            };
            // Nobody waits for it where a signal came first.
            let _ = sender.send(answer);
        });
        let interrupt = &mut self.interrupt;
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                answer = &mut receiver => Some(answer),
                _ = interrupt.received() => None,
            }
        });
        let stopped = match answer {
            Some(Ok(Ok(answer))) => return Ok(answer),
            // Ctrl-C, which is a signal to this process besides.
            Some(Ok(Err(dialoguer::Error::IO(error)))) if error.kind() == io::ErrorKind::Interrupted => {
                Stopped::Interrupted
            }
            Some(Ok(Err(dialoguer::Error::IO(error)))) => {
                Stopped::Failed(Failure::failed("cannot read the answer").because(&error))
            }
            Some(Err(_)) => Stopped::Failed(Failure::failed("cannot read the answer")),
            None => {
                // A prompt that is just drawing itself would undo what is restored here: it is given the time to come
                // to where it waits for a key.
                let settled = async { tokio::time::timeout(SETTLING, receiver).await };
                let _ = self.runtime.block_on(settled);
                Stopped::Interrupted
            }
        };
        self.restore();
        Err(stopped)
    }

    /// Cursor shown, echo on, at the beginning of a line.
    fn restore(&self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no restoring.
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
        self.ui.report_bytes(b"\x1b[?25h\r\n");
    }

    fn items(items: impl Iterator<Item = String>) -> Vec<String> {
        let width = usize::from(terminal::size().columns)
            .saturating_sub(MARGIN)
            .max(20);
        items
            .map(|item| {
                let item = one_line(&item).into_owned();
                if item.chars().count() <= width {
                    return item;
                }
                let mut short: String = item.chars().take(width - 1).collect();
                short.push('…');
                short
            })
            .collect()
    }
}

impl Person for AtTerminal<'_> {
    fn several(&mut self, question: &str, items: &[(String, bool)]) -> Result<Option<Vec<usize>>, Stopped> {
        let checked: Vec<bool> = items.iter().map(|(_, checked)| *checked).collect();
        let items = Self::items(items.iter().map(|(item, _)| item.clone()));
        self.show(&format!(
            "{question}\n(space: on or off, enter: go on, escape: leave)"
        ));
        let count = items.len();
        let chosen = self.ask(move |theme| {
            MultiSelect::with_theme(theme)
                .items_checked(items.into_iter().zip(checked))
                .interact_opt()
        })?;
        if let Some(chosen) = &chosen {
            self.show(&format!("{} of {count} chosen\n", chosen.len()));
        }
        Ok(chosen)
    }

    fn one(&mut self, question: &str, items: &[String], default: usize) -> Result<Option<usize>, Stopped> {
        let items = Self::items(items.iter().cloned());
        // The themes put a mark of their own after it.
        let question = question.trim_end_matches(['?', '.']).to_owned();
        self.ask(move |theme| {
            Select::with_theme(theme)
                .with_prompt(question)
                .items(items)
                .default(default)
                .interact_opt()
        })
    }

    fn edit(&mut self, text: &str) -> Result<Option<String>, Stopped> {
        let cannot = |error: &io::Error| Failure::failed("cannot make a file to edit").because(error);
        let mut file = tempfile::Builder::new()
            .prefix("agentbox-")
            .suffix(".yaml")
            .tempfile()
            .map_err(|error| cannot(&error))?;
        file.write_all(text.as_bytes()).map_err(|error| cannot(&error))?;
        let editor = ["VISUAL", "EDITOR"]
            .iter()
            .find_map(|name| std::env::var(name).ok().filter(|value| !value.trim().is_empty()))
            .unwrap_or_else(|| "vi".to_owned());
        // By a shell, as git does it: `EDITOR="code --wait"` is meant to work.
        let status = Command::new("sh")
            .args(["-c", &format!("{editor} \"$@\""), &editor])
            .arg(file.path())
            .status();
        // Ctrl-C was the editor's business meanwhile.
        self.interrupt = {
            let _guard = self.runtime.enter();
            Interrupt::new()?
        };
        match status {
            Ok(status) if status.success() => {}
            Ok(status) if was_interrupted(status) => {
                self.restore();
                return Err(Stopped::Interrupted);
            }
            Ok(_) | Err(_) => {
                self.ui.warning(&format!(
                    "the editor `{}` did not end well: the file is as it was before",
                    one_line(&editor)
                ));
                self.ui.hint("set EDITOR to an editor that is there");
                return Ok(None);
            }
        }
        match read_back(file.path()) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                self.ui
                    .warning(&format!("the edited file cannot be read: {error}"));
                Ok(None)
            }
        }
    }

    fn show(&mut self, text: &str) {
        self.ui
            .report_bytes(format!("{}\n", crate::ui::strip_controls(text)).as_bytes());
    }
}

/// Ended by Ctrl-C, itself or by the shell around it.
fn was_interrupted(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    const SIGINT: i32 = 2;
    status.signal() == Some(SIGINT) || status.code() == Some(128 + SIGINT)
}

/// By its path: editors put a new file in the place of the old one.
fn read_back(path: &std::path::Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > LIMIT {
        return Err(io::Error::other("it is too large"));
    }
    std::fs::read_to_string(path)
}
