//! The person's terminal while the dashboard has it: taken as a whole, and always given back.

use std::io::{self, Stdout, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agentbox_ctl::failure::Failure;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::style::force_color_output;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal};

use crate::terminal::{RawMode, stop_self};

type PanicHook = Box<dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send>;

/// The terminal, drawn on. Given back on drop, and before a panic is told.
pub struct Screen {
    raw: RawMode,
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// Whether the terminal is ours.
    taken: Arc<AtomicBool>,
    former_hook: Arc<PanicHook>,
}

impl Screen {
    /// Takes the terminal: raw mode, the alternate screen, no cursor.
    ///
    /// # Errors
    /// A terminal that refuses.
    pub fn take(color: bool) -> Result<Self, Failure> {
        let raw = RawMode::enter()?;
        let taken = Arc::new(AtomicBool::new(false));
        let former_hook = Arc::new(std::panic::take_hook());
        let (hook_taken, hook, restore) = (Arc::clone(&taken), Arc::clone(&former_hook), raw.restorer());
        std::panic::set_hook(Box::new(move |info| {
            give_back(&hook_taken);
            restore();
            hook(info);
        }));
        // What is drawn has no colour where none is wanted; where some is, NO_COLOR was overruled.
        force_color_output(color);
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout())).map_err(|error| cannot(&error));
        let terminal = match terminal {
            Ok(terminal) => terminal,
            Err(failure) => {
                unhook(&former_hook);
                return Err(failure);
            }
        };
        let mut screen = Self {
            raw,
            terminal,
            taken,
            former_hook,
        };
        screen.show()?;
        Ok(screen)
    }

    /// Draws a frame; only what differs from the last one is written.
    ///
    /// # Errors
    /// A terminal that is gone, or was given back for a panic of a task.
    pub fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), Failure> {
        if !self.is_ours() {
            return Err(Failure::failed("a part of the dashboard has come to a bad end"));
        }
        self.terminal
            .draw(draw)
            .map(|_| ())
            .map_err(|error| cannot(&error))
    }

    /// Whether the terminal was not given back.
    pub fn is_ours(&self) -> bool {
        self.taken.load(Ordering::SeqCst)
    }

    /// Gives the terminal back, stops this process as the shell's job control would, and takes the terminal again once it
    /// is continued. The next frame is written whole.
    ///
    /// # Errors
    /// A terminal that refuses.
    pub fn suspend(&mut self) -> Result<(), Failure> {
        give_back(&self.taken);
        self.raw.suspend();
        stop_self();
        self.resume()
    }

    /// Takes the terminal again: somebody else may have had it.
    ///
    /// # Errors
    /// A terminal that refuses.
    pub fn resume(&mut self) -> Result<(), Failure> {
        self.raw.resume()?;
        self.show()?;
        // As for another size: all is written anew. To clear it would ask the terminal where its cursor is, on our stdin.
        let size = self.terminal.size().map_err(|error| cannot(&error))?;
        let area = Rect::new(0, 0, size.width, size.height);
        self.terminal.resize(area).map_err(|error| cannot(&error))
    }

    fn show(&mut self) -> Result<(), Failure> {
        self.taken.store(true, Ordering::SeqCst);
        execute!(io::stdout(), EnterAlternateScreen, Hide).map_err(|error| cannot(&error))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back(&self.taken);
        // Raw mode goes with its guard.
        if !std::thread::panicking() {
            unhook(&self.former_hook);
        }
    }
}

/// Puts back the panic hook that was there before.
fn unhook(former: &Arc<PanicHook>) {
    let former = Arc::clone(former);
    std::panic::set_hook(Box::new(move |info| former(info)));
}

/// Leaves the alternate screen and shows the cursor, once.
fn give_back(taken: &AtomicBool) {
    if taken.swap(false, Ordering::SeqCst) {
        // A terminal that is gone needs no restoring.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
        let _ = io::stdout().flush();
    }
}

fn cannot(error: &io::Error) -> Failure {
    Failure::failed("cannot draw on the terminal").because(error)
}
