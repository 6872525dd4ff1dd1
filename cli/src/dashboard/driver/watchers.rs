//! The tasks that watch boxes: one for each that is shown, as far as there are not too many.

use std::collections::HashMap;

use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::super::model::{Focus, Input, Model};
use super::watch::{Watch, Wish};
use crate::boxes::BoxInfo;
use crate::docker::Docker;
use crate::relay::Relay;

/// Most boxes that are watched at once. Each costs a process in the box and a connection to the engine.
const MOST: usize = 24;

pub(super) struct Watchers {
    docker: Docker,
    relay: Option<Relay>,
    sender: mpsc::Sender<Input>,
    by_id: HashMap<String, Watcher>,
    /// Counts how often somebody wanted everything asked again.
    refreshes: u64,
}

struct Watcher {
    info: watch::Sender<BoxInfo>,
    wish: watch::Sender<Option<Wish>>,
    task: AbortHandle,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watchers {
    pub(super) fn new(docker: Docker, relay: Option<Relay>, sender: mpsc::Sender<Input>) -> Self {
        Self {
            docker,
            relay,
            sender,
            by_id: HashMap::new(),
            refreshes: 0,
        }
    }

    /// From the next [`Self::follow`] on everything about the selected box is asked again.
    pub(super) fn refresh(&mut self) {
        self.refreshes += 1;
    }

    /// Watches what the model shows: the selected box closely, others as far as there is room.
    pub(super) fn follow(&mut self, model: &Model, tasks: &mut JoinSet<()>) {
        let focus = model.focus();
        let is_focused = |info: &BoxInfo| focus.is_some_and(|focus| focus.id == info.id);
        let others = model
            .boxes
            .iter()
            .map(|view| &view.info)
            .filter(|info| !is_focused(info));
        let focused = model
            .boxes
            .iter()
            .map(|view| &view.info)
            .filter(|info| is_focused(info));
        let wanted: Vec<&BoxInfo> = focused.chain(others).take(MOST).collect();
        self.by_id
            .retain(|id, _| wanted.iter().any(|info| info.id == *id));
        for info in wanted {
            let wish = focus.filter(|_| is_focused(info)).map(|focus| self.wish(focus));
            match self.by_id.get(&info.id) {
                Some(watcher) => {
                    watcher.info.send_if_modified(|known| replace(known, info));
                    watcher.wish.send_if_modified(|known| replace(known, &wish));
                }
                None => {
                    let watcher = self.begin(info, wish, tasks);
                    self.by_id.insert(info.id.clone(), watcher);
                }
            }
        }
    }

    fn wish(&self, focus: &Focus) -> Wish {
        Wish {
            unit: focus.unit.clone(),
            subscription: focus.subscription,
            refreshes: self.refreshes,
        }
    }

    fn begin(&self, info: &BoxInfo, wish: Option<Wish>, tasks: &mut JoinSet<()>) -> Watcher {
        let (info_sender, info) = watch::channel(info.clone());
        let (wish_sender, wish) = watch::channel(wish);
        let watch = Watch::new(
            self.docker.clone(),
            self.relay.clone(),
            info,
            wish,
            self.sender.clone(),
        );
        Watcher {
            info: info_sender,
            wish: wish_sender,
            task: tasks.spawn(watch.run()),
        }
    }
}

/// Whether `known` was something else than `now`, which it becomes.
fn replace<T: Clone + PartialEq>(known: &mut T, now: &T) -> bool {
    let differs = known != now;
    if differs {
        known.clone_from(now);
    }
    differs
}
