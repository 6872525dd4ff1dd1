//! What keys can have done.

use agentbox_ctl::report::UnitState;

use super::super::plain::clean;
use super::units::can_stop;
use super::{Effect, Mode, Model, Notice};
use crate::boxes::{BoxInfo, BoxState};

/// What to do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitVerb {
    /// Start it, with what it needs.
    Start,
    /// End it.
    Stop,
    /// End it and start it.
    Restart,
}

/// What to do with a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoxVerb {
    /// Start it, or thaw it.
    Start,
    /// Stop it.
    Stop,
    /// Stop it and start it.
    Restart,
    /// Freeze it.
    Pause,
    /// Thaw it.
    Unpause,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Something with a unit.
    Unit(UnitVerb, String),
    /// Something with the box.
    Box(BoxVerb),
    /// Open its URL.
    Open,
}

/// Something to do with a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// By which its outcome is known.
    pub number: u64,
    /// The box as it was shown.
    pub info: BoxInfo,
    /// What.
    pub action: Action,
}

/// Something that a person is asked about first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Id of the box.
    id: String,
    /// Its name.
    name: String,
    /// What would be done.
    verb: BoxVerb,
}

impl Question {
    /// The question.
    pub fn text(&self) -> String {
        let name = clean(&self.name);
        match self.verb {
            BoxVerb::Restart => format!("restart box `{name}` with all its units?"),
            BoxVerb::Stop => format!("stop box `{name}`?"),
            BoxVerb::Pause => format!("pause box `{name}`?"),
            BoxVerb::Start => format!("start box `{name}`?"),
            BoxVerb::Unpause => format!("thaw box `{name}`?"),
        }
    }
}

impl Job {
    /// What is being done.
    pub fn under_way(&self) -> String {
        let name = clean(&self.info.name);
        match &self.action {
            Action::Unit(verb, unit) => {
                let verb = match verb {
                    UnitVerb::Start => "starting",
                    UnitVerb::Stop => "stopping",
                    UnitVerb::Restart => "restarting",
                };
                format!("{verb} {} of box `{name}` …", clean(unit))
            }
            Action::Box(verb) => {
                let verb = match verb {
                    BoxVerb::Start => "starting",
                    BoxVerb::Stop => "stopping",
                    BoxVerb::Restart => "restarting",
                    BoxVerb::Pause => "pausing",
                    BoxVerb::Unpause => "thawing",
                };
                format!("{verb} box `{name}` …")
            }
            Action::Open => format!("opening the URL of box `{name}` …"),
        }
    }
}

impl Model {
    pub(super) fn restart_unit(&mut self) -> Vec<Effect> {
        self.with_unit(|_| UnitVerb::Restart)
    }

    pub(super) fn toggle_unit(&mut self) -> Vec<Effect> {
        self.with_unit(|state| match can_stop(state) {
            true => UnitVerb::Stop,
            false => UnitVerb::Start,
        })
    }

    fn with_unit(&mut self, verb: impl Fn(UnitState) -> UnitVerb) -> Vec<Effect> {
        let Some(view) = self.selected() else {
            return self.refuse("there is no box");
        };
        let (name, state) = (view.info.name.clone(), view.info.state);
        let unit = view
            .unit()
            .map(|row| Action::Unit(verb(row.state), row.name.clone()));
        match (state, unit) {
            (BoxState::Running, Some(action)) => self.act(action),
            (BoxState::Running, None) => self.refuse(&format!("box `{name}` has no units")),
            (state, _) => {
                let hint = match state {
                    BoxState::Paused => "p thaws it",
                    BoxState::Dead => "agentbox destroy removes it",
                    _ => "S starts it",
                };
                self.refuse(&format!("box `{name}` is {state}: {hint}"))
            }
        }
    }

    /// Stops a box that is there and starts one that is not.
    pub(super) fn toggle_box(&mut self) -> Vec<Effect> {
        match self.selected().map(|view| view.info.state) {
            Some(BoxState::Running | BoxState::Paused) => self.ask(BoxVerb::Stop),
            Some(BoxState::Stopped | BoxState::Dead) => self.act(Action::Box(BoxVerb::Start)),
            None => self.refuse("there is no box"),
        }
    }

    pub(super) fn restart_box(&mut self) -> Vec<Effect> {
        match self.selected() {
            Some(_) => self.ask(BoxVerb::Restart),
            None => self.refuse("there is no box"),
        }
    }

    pub(super) fn toggle_pause(&mut self) -> Vec<Effect> {
        match self.selected().map(|view| view.info.state) {
            Some(BoxState::Running) => self.ask(BoxVerb::Pause),
            // The command says what helps a box that is neither.
            Some(_) => self.act(Action::Box(BoxVerb::Unpause)),
            None => self.refuse("there is no box"),
        }
    }

    pub(super) fn open(&mut self) -> Vec<Effect> {
        match self.selected() {
            Some(_) => self.act(Action::Open),
            None => self.refuse("there is no box"),
        }
    }

    fn ask(&mut self, verb: BoxVerb) -> Vec<Effect> {
        if let Some(view) = self.selected() {
            self.mode = Mode::Confirm(Question {
                id: view.info.id.clone(),
                name: view.info.name.clone(),
                verb,
            });
        }
        Vec::new()
    }

    /// Yes. The box may have gone meanwhile, and another one be selected.
    pub(super) fn confirm(&mut self, question: &Question) -> Vec<Effect> {
        if self.selected().is_some_and(|view| view.info.id == question.id) {
            return self.act(Action::Box(question.verb));
        }
        self.refuse(&format!("box `{}` is no longer selected", question.name))
    }

    fn refuse(&mut self, why: &str) -> Vec<Effect> {
        self.notice = Some(Notice::warning(why));
        Vec::new()
    }

    /// Has something done to the selected box; the same thing only once at a time.
    pub(super) fn act(&mut self, action: Action) -> Vec<Effect> {
        let Some(view) = self.selected() else {
            return self.refuse("the box is gone");
        };
        let info = view.info.clone();
        let is_same = |job: &&Job| job.info.id == info.id && job.action == action;
        if let Some(job) = self.jobs.iter().find(is_same) {
            let text = format!("already {}", job.under_way());
            return self.refuse(&text);
        }
        self.next_job += 1;
        let job = Job {
            number: self.next_job,
            info,
            action,
        };
        self.jobs.push(job.clone());
        vec![Effect::Act(Box::new(job))]
    }
}
