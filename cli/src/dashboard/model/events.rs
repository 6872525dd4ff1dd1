//! Inputs that are no keys.

use agentbox_ctl::time::Timestamp;

use super::{BoxView, Focus, Input, LogNews, Model, News, Notice, Tab};
use crate::boxes::{BoxInfo, BoxState};

impl Model {
    pub(super) fn take(&mut self, input: Input) {
        match input {
            Input::Key(_) => {}
            Input::Resize(size) => {
                self.size = size;
                self.changed = true;
            }
            Input::Tick(now) => self.tick(now),
            Input::Boxes(boxes) => self.observe(boxes),
            Input::Engine(failure) => {
                self.changed |= self.engine.as_ref() != Some(&failure);
                self.engine = Some(failure);
            }
            Input::Box(id, news) => self.news(&id, news),
            Input::Logs(subscription, news) => {
                if self.focus.as_ref().map(|focus| focus.subscription) == Some(subscription) {
                    self.changed |= self.tab == Tab::Logs;
                    match news {
                        LogNews::Begin => self.logs.clear(),
                        LogNews::Output { unit, bytes } => self.logs.push(&unit, &bytes),
                        LogNews::Note(text) => self.logs.note(&text),
                    }
                }
            }
            Input::Outcome(number, result) => {
                self.jobs.retain(|job| job.number != number);
                self.quit_warned &= !self.jobs.is_empty();
                self.notice = Some(match result {
                    Ok(text) => Notice::done(&text),
                    Err(failure) => Notice::failure(&failure),
                });
                self.changed = true;
            }
        }
    }

    /// What is drawn changes with time only where something is counted: a boot that goes on.
    fn tick(&mut self, now: Timestamp) {
        self.now = now;
        let tab = self.tab;
        let counts = self.selected_mut().is_some_and(|view| {
            let counts = tab == Tab::Timeline && view.info.state == BoxState::Running && !view.is_settled();
            if counts {
                view.void_timeline();
            }
            counts
        });
        self.changed |= counts;
    }

    fn observe(&mut self, all: Vec<BoxInfo>) {
        let wanted: Vec<BoxInfo> = all.into_iter().filter(|info| self.scope.has(info)).collect();
        let same = self.observed
            && self.engine.is_none()
            && self.boxes.iter().map(|view| &view.info).eq(wanted.iter());
        if same {
            return;
        }
        self.changed = true;
        self.engine = None;
        self.observed = true;
        let mut former = std::mem::take(&mut self.boxes);
        let place = former
            .iter()
            .position(|view| Some(&view.info.id) == self.selected.as_ref());
        for info in wanted {
            let known = former.iter().position(|view| view.info.id == info.id);
            self.boxes.push(match known {
                Some(index) => former.swap_remove(index).observed(info),
                None => BoxView::new(info),
            });
        }
        if self.selected().is_some() {
            return;
        }
        if let Some(gone) = former
            .iter()
            .find(|view| Some(&view.info.id) == self.selected.as_ref())
        {
            self.notice = Some(Notice::warning(&format!("box `{}` is gone", gone.info.name)));
        }
        // Its neighbour takes its place.
        let last = self.boxes.len().saturating_sub(1);
        let next = self.boxes.get(place.unwrap_or(0).min(last));
        self.selected = next.map(|view| view.info.id.clone());
        self.offset = (0, 0);
    }

    fn news(&mut self, id: &str, news: News) {
        let is_selected = self.selected.as_deref() == Some(id);
        let Some(view) = self.boxes.iter_mut().find(|view| view.info.id == id) else {
            return;
        };
        let changed = match news {
            News::Units(units) => view.report(units),
            News::Events(events) => {
                view.replace_events(events);
                is_selected && self.tab == Tab::Timeline
            }
            News::Event(event) => {
                view.add_event(event);
                is_selected && self.tab == Tab::Timeline
            }
            News::Details(details) => view.detail(details) && is_selected,
            News::Trouble(failure) => view.fail(&failure),
        };
        self.changed |= changed;
    }

    /// Decides what is to be followed closely. Who selects another box, or other output, begins a new subscription.
    pub(super) fn refocus(&mut self) {
        let all = self.logs.view.all;
        let wanted = self.selected().map(|view| {
            let unit = view.unit_name().filter(|_| !all).map(str::to_owned);
            (view.info.id.clone(), unit)
        });
        let now = self.focus.as_ref().map(|focus| (&focus.id, &focus.unit));
        if wanted.as_ref().map(|(id, unit)| (id, unit)) == now {
            return;
        }
        let box_changed = wanted.as_ref().map(|(id, _)| id) != now.map(|(id, _)| id);
        if box_changed {
            let id = wanted.as_ref().map(|(id, _)| id.clone());
            for view in self
                .boxes
                .iter_mut()
                .filter(|view| Some(&view.info.id) != id.as_ref())
            {
                view.forget();
            }
        }
        let subscription = self.logs.restart();
        self.focus = wanted.map(|(id, unit)| Focus {
            id,
            unit,
            subscription,
        });
        self.changed = true;
    }
}
