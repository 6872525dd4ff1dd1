//! What the dashboard knows and what it shows of that. Everything here is pure: inputs come in, effects go out.

mod actions;
mod boxes;
mod events;
mod keys;
mod logs;
mod needs;
mod notice;
mod units;

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, UnitsReport};
use agentbox_ctl::time::Timestamp;

pub use self::actions::{Action, BoxVerb, Job, Question, UnitVerb};
pub use self::boxes::{BoxView, Scope, Summary};
pub use self::logs::{LogLine, LogView, Logs};
pub use self::needs::{Mark, NeedLine, mark, tree};
pub use self::notice::{Notice, NoticeKind};
pub use self::units::{UnitRow, has_failed, is_well, rows};
use super::keyboard::Key;
use super::layout::{self, Layout};
use crate::boxes::BoxInfo;
use crate::terminal::Size;
use crate::timeline::Needs;

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key was pressed.
    Key(Key),
    /// The terminal has this size.
    Resize(Size),
    /// Time has passed.
    Tick(Timestamp),
    /// These boxes are there, of all projects.
    Boxes(Vec<BoxInfo>),
    /// The engine does not answer.
    Engine(Failure),
    /// Something about the box with this id.
    Box(String, News),
    /// Output, or what became of it, for this subscription.
    Logs(u64, LogNews),
    /// What became of a job.
    Outcome(u64, Result<String, Failure>),
}

/// What is new about a box.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Its units: as they are, or, of a box that does not run, as last recorded.
    Units(UnitsReport),
    /// All events that are kept, oldest first.
    Events(Vec<Event>),
    /// One more.
    Event(Event),
    /// What is known of its present start.
    Details(Details),
    /// It cannot be asked.
    Trouble(Failure),
}

/// What is known of a box's present start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// When the engine started it.
    pub started_at: Option<Timestamp>,
    /// When it stopped, where it does not run.
    pub finished_at: Option<Timestamp>,
    /// Who needs whom; else why nobody knows.
    pub needs: Option<Result<HashMap<String, Needs>, String>>,
}

/// What is new about output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogNews {
    /// It begins, once more: what came before is void.
    Begin,
    /// Some of it.
    Output {
        /// Whose.
        unit: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// Something to know about it.
    Note(String),
}

/// What somebody else has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// End.
    Quit,
    /// Give the terminal back for a while.
    Suspend,
    /// Draw everything anew: somebody else may have written on the screen.
    Redraw,
    /// Do this and tell the outcome.
    Act(Box<Job>),
    /// Ask for everything about the selected box again.
    Refresh,
}

/// The part of the screen that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// The list of boxes.
    #[default]
    Boxes,
    /// The units of the selected box.
    Units,
    /// Logs, needs or timeline.
    Lower,
}

/// What the lower pane shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// Output.
    #[default]
    Logs,
    /// Who needs whom.
    Needs,
    /// How the box came up.
    Timeline,
}

impl Tab {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 3] = [Self::Logs, Self::Needs, Self::Timeline];

    /// The word users see.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Needs => "needs",
            Self::Timeline => "timeline",
        }
    }
}

/// What keys mean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Mode {
    /// Commands.
    #[default]
    Normal,
    /// The help is shown; any key ends that.
    Help,
    /// Text of the filter for log lines; with the one that there was before.
    Filter(String),
    /// An answer to whether this is to be done.
    Confirm(Question),
}

/// What the driver has to follow closely: the selected box, and whose output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    /// The box's id.
    pub id: String,
    /// Only this unit's output.
    pub unit: Option<String>,
    /// Number of the subscription: output of former ones is dropped.
    pub subscription: u64,
}

/// Everything.
#[derive(Debug)]
pub struct Model {
    /// Which boxes are shown.
    pub scope: Scope,
    /// The boxes in the order of `list`.
    pub boxes: Vec<BoxView>,
    /// Whether the engine was asked for boxes at all.
    pub observed: bool,
    /// Id of the selected box.
    selected: Option<String>,
    /// Where keys go.
    pub pane: Pane,
    /// What the lower pane shows.
    pub tab: Tab,
    /// What keys mean.
    pub mode: Mode,
    /// Output.
    pub logs: Logs,
    /// First line of needs and timeline that is shown, and first column of any tab.
    pub offset: (usize, usize),
    /// What to tell.
    pub notice: Option<Notice>,
    /// Why the engine does not answer.
    pub engine: Option<Failure>,
    /// What is being done, by number.
    pub jobs: Vec<Job>,
    next_job: u64,
    /// Whether somebody was told that ending now leaves something half done.
    quit_warned: bool,
    focus: Option<Focus>,
    /// Size of the terminal.
    pub size: Size,
    /// The present.
    pub now: Timestamp,
    changed: bool,
}

impl Model {
    /// A dashboard of the boxes in `scope`, with `selected` (an id) selected, once there is one.
    pub fn new(scope: Scope, selected: Option<String>, size: Size, now: Timestamp) -> Self {
        Self {
            scope,
            boxes: Vec::new(),
            observed: false,
            selected,
            pane: Pane::default(),
            tab: Tab::default(),
            mode: Mode::default(),
            logs: Logs::default(),
            offset: (0, 0),
            notice: None,
            engine: None,
            jobs: Vec::new(),
            next_job: 0,
            quit_warned: false,
            focus: None,
            size,
            now,
            changed: true,
        }
    }

    /// Takes an input.
    #[must_use]
    pub fn update(&mut self, input: Input) -> Vec<Effect> {
        let effects = match input {
            Input::Key(key) => self.key(key),
            other => {
                self.take(other);
                Vec::new()
            }
        };
        self.refocus();
        effects
    }

    /// Whether something is to be drawn since the last call.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The selected box.
    pub fn selected(&self) -> Option<&BoxView> {
        let id = self.selected.as_ref()?;
        self.boxes.iter().find(|view| view.info.id == *id)
    }

    fn selected_mut(&mut self) -> Option<&mut BoxView> {
        let id = self.selected.as_ref()?;
        self.boxes.iter_mut().find(|view| view.info.id == *id)
    }

    /// What is to be followed closely.
    pub fn focus(&self) -> Option<&Focus> {
        self.focus.as_ref()
    }

    /// Where everything goes.
    pub fn layout(&self) -> Layout {
        let units = self.selected().map_or(0, BoxView::unit_count);
        let notice = self.notice_lines().len();
        layout::layout(self.size, self.pane, (self.boxes.len(), units), notice)
    }

    /// Makes what is expensive and needed for drawing.
    pub fn prepare(&mut self, now: Timestamp) {
        self.now = now;
        if self.tab == Tab::Timeline
            && let Some(view) = self.selected_mut()
        {
            view.prepare_timeline(now);
        }
    }
}
