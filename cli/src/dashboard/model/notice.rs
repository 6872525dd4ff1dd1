//! What is told at the bottom of the screen.

use agentbox_ctl::failure::Failure;

use super::super::plain::{clean, wrap};
use super::{Mode, Model};

/// Most lines that it takes.
const LINES: usize = 3;

/// Which sort of news it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Something was done.
    Done,
    /// Something to know.
    Warning,
    /// Something did not work.
    Failure,
}

/// What is told, until another key is pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which sort.
    pub kind: NoticeKind,
    /// In one line.
    pub text: String,
}

impl Notice {
    pub(super) fn done(text: &str) -> Self {
        Self::new(NoticeKind::Done, clean(text))
    }

    pub(super) fn warning(text: &str) -> Self {
        Self::new(NoticeKind::Warning, clean(text))
    }

    /// A failure with its first cause and its hints.
    pub(super) fn failure(failure: &Failure) -> Self {
        let mut text = match &failure.rendered {
            Some(rendered) => {
                let first = rendered.lines().next().unwrap_or_default();
                clean(first.strip_prefix("error: ").unwrap_or(first))
            }
            None => clean(&failure.message),
        };
        if let Some(cause) = failure.causes.first() {
            text.push_str(&format!(": {}", clean(cause)));
        }
        if !failure.hints.is_empty() {
            let hints: Vec<String> = failure.hints.iter().map(|hint| clean(hint)).collect();
            text.push_str(&format!("; hint: {}", hints.join(", or ")));
        }
        Self::new(NoticeKind::Failure, text)
    }

    fn new(kind: NoticeKind, text: String) -> Self {
        Self { kind, text }
    }
}

impl Model {
    /// What is told now, in lines as wide as the terminal: a question or the filter before any news, and news before what
    /// is under way.
    pub fn notice_lines(&self) -> Vec<String> {
        let text = match (&self.mode, &self.notice) {
            (Mode::Confirm(question), _) => format!("{} [y/N]", question.text()),
            (Mode::Filter(_), _) => format!("/{}", self.logs.view.filter),
            (_, Some(notice)) => match notice.kind {
                NoticeKind::Failure => format!("error: {}", notice.text),
                NoticeKind::Done | NoticeKind::Warning => notice.text.clone(),
            },
            (_, None) if !self.jobs.is_empty() => {
                let jobs: Vec<String> = self.jobs.iter().map(|job| job.under_way()).collect();
                jobs.join(", ")
            }
            _ => return Vec::new(),
        };
        let mut lines = wrap(&text, usize::from(self.size.columns));
        lines.truncate(LINES.min(usize::from(self.size.rows / 3).max(1)));
        lines
    }
}
