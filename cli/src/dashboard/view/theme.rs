//! Colours, or none.

use agentbox_ctl::report::{ServiceState, TaskState, UnitState};
use ratatui::style::{Color, Modifier, Style};

use crate::boxes::BoxState;
use crate::dashboard::model::{Mark, NoticeKind};

/// How things are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    color: bool,
}

impl Theme {
    /// With colour or without.
    pub fn new(color: bool) -> Self {
        Self { color }
    }

    fn colored(self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }

    pub(super) fn good(self) -> Style {
        self.colored(Color::Green)
    }

    pub(super) fn attention(self) -> Style {
        self.colored(Color::Yellow)
    }

    pub(super) fn bad(self) -> Style {
        self.colored(Color::Red).add_modifier(Modifier::BOLD)
    }

    pub(super) fn hint(self) -> Style {
        self.colored(Color::Cyan)
    }

    pub(super) fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub(super) fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Of the row that is selected; weaker where keys go elsewhere.
    pub(super) fn selected(self, has_keys: bool) -> Style {
        match has_keys {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// Of a pane's frame.
    pub(super) fn frame(self, has_keys: bool) -> Style {
        match has_keys {
            true => self.hint().add_modifier(Modifier::BOLD),
            false => self.dim(),
        }
    }

    /// The same for the same index: tells units apart.
    pub(super) fn indexed(self, index: usize) -> Style {
        const COLORS: [Color; 6] = [
            Color::Cyan,
            Color::Yellow,
            Color::Green,
            Color::Magenta,
            Color::Blue,
            Color::Red,
        ];
        self.colored(COLORS[index % COLORS.len()])
    }

    pub(super) fn box_state(self, state: BoxState) -> Style {
        match state {
            BoxState::Running => self.good(),
            BoxState::Paused => self.attention(),
            BoxState::Stopped => self.dim(),
            BoxState::Dead => self.bad(),
        }
    }

    pub(super) fn unit_state(self, state: UnitState) -> Style {
        match state {
            UnitState::Service(state) => match state {
                ServiceState::Ready | ServiceState::Running => self.good(),
                ServiceState::Pending | ServiceState::Stopped => self.dim(),
                ServiceState::Crashed => self.bad(),
                ServiceState::Waiting
                | ServiceState::Starting
                | ServiceState::Unhealthy
                | ServiceState::Backoff
                | ServiceState::Stopping => self.attention(),
            },
            UnitState::Task(state) => match state {
                TaskState::Done => self.good(),
                TaskState::Pending | TaskState::Stopped => self.dim(),
                TaskState::Failed | TaskState::Skipped => self.bad(),
                TaskState::Waiting | TaskState::Running => self.attention(),
            },
        }
    }

    pub(super) fn mark(self, mark: Mark) -> Style {
        match mark {
            Mark::Well => self.good(),
            Mark::Coming => self.attention(),
            Mark::Rest => self.dim(),
            Mark::Failed | Mark::Unknown => self.bad(),
        }
    }

    pub(super) fn notice(self, kind: NoticeKind) -> Style {
        match kind {
            NoticeKind::Done => self.good(),
            NoticeKind::Warning => self.attention(),
            NoticeKind::Failure => self.bad(),
        }
    }

    pub(super) fn style(self) -> crate::ui::Style {
        crate::ui::Style::new(self.color)
    }
}
