//! The part of the dashboard that does things: reads keys and signals, watches boxes, draws, acts.
//!
//! One thread for everything but reading keys. Tasks send [`Input`]s through one bounded channel, so that a box that
//! floods us waits, and nobody else.

mod act;
mod details;
mod observer;
mod output;
mod watch;
mod watchers;

use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use self::watchers::Watchers;
use super::keyboard::{self, Key};
use super::model::{Effect, Input, Job, Model, Scope};
use super::screen::Screen;
use super::view::{self, Theme};
use crate::Exit;
use crate::boxes::BoxInfo;
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt;
use crate::relay::Relay;
use crate::session::{Notice, Signals};
use crate::terminal;

/// Time from one frame to the next, at least.
const FRAME: Duration = Duration::from_millis(50);
/// How often what counts time is counted.
const TICK: Duration = Duration::from_secs(1);
/// Inputs that may wait, and how many are taken before anything else is looked at.
const WAITING: usize = 64;
const AT_ONCE: usize = 64;

/// What a dashboard begins with.
#[derive(Debug)]
pub struct Begin {
    /// The engine.
    pub docker: Docker,
    /// Which boxes are shown.
    pub scope: Scope,
    /// Id of the box to select.
    pub selected: Option<String>,
    /// The boxes there are.
    pub boxes: Vec<BoxInfo>,
}

/// Shows the dashboard until somebody ends it.
///
/// # Errors
/// A terminal that cannot be drawn on.
pub async fn run(context: &Context, begin: Begin) -> Result<Exit, Failure> {
    let mut signals = Signals::listen(true)?;
    let mut continued = continued()?;
    let mut model = Model::new(begin.scope, begin.selected, terminal::size(), Timestamp::now());
    let mut screen = Screen::take(context.ui.look().stdout_color)?;
    let theme = Theme::new(context.ui.look().stdout_color);
    let mut keys = keyboard::listen();
    let (sender, mut inputs) = mpsc::channel(WAITING);
    let relay = Relay::of(context, &begin.docker);
    let mut driver = Driver {
        docker: begin.docker.clone(),
        quiet: Arc::new(act::quiet(context)),
        observe_now: Arc::default(),
        watchers: Watchers::new(begin.docker, relay, sender.clone()),
        tasks: JoinSet::new(),
        sender,
    };
    driver.tasks.spawn(observer::observe(
        driver.docker.clone(),
        Arc::clone(&driver.observe_now),
        driver.sender.clone(),
    ));
    // The first look has no effects.
    let _ = model.update(Input::Boxes(begin.boxes));
    driver.watchers.follow(&model, &mut driver.tasks);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_frame = Instant::now();
    let mut stale = true;
    loop {
        stale |= model.take_changed();
        let effects = tokio::select! {
            // Persons come first, and a frame that is due before more of what it would show.
            biased;
            notice = signals.next() => match notice {
                Notice::Resized => model.update(Input::Resize(terminal::size())),
                Notice::Suspend => vec![Effect::Suspend],
                Notice::Signal(2 | 3 | 15 | 1) => return Ok(interrupt::EXIT),
                Notice::Signal(_) => Vec::new(),
            },
            // Whoever stopped us by other means may have used the terminal.
            _ = continued.recv() => {
                screen.resume()?;
                model.update(Input::Resize(terminal::size()))
            }
            typed = keys.recv() => match typed {
                Some(typed) => type_all(&mut model, &typed),
                // The terminal is gone.
                None => return Ok(interrupt::EXIT),
            },
            () = sleep_until(next_frame), if stale => {
                model.prepare(Timestamp::now());
                screen.draw(|frame| view::draw(frame, &model, theme))?;
                next_frame = Instant::now() + FRAME;
                stale = false;
                continue;
            }
            Some(ended) = driver.tasks.join_next() => {
                pass_on(ended);
                continue;
            }
            _ = tick.tick() => {
                // That is found out as it is drawn.
                stale |= !screen.is_ours();
                model.update(Input::Tick(Timestamp::now()))
            }
            input = inputs.recv() => take_some(&mut model, input, &mut inputs),
        };
        for effect in effects {
            match effect {
                Effect::Quit => return Ok(Exit::SUCCESS),
                Effect::Suspend => {
                    screen.suspend()?;
                    stale = true;
                    // It may have another size by now.
                    let _ = model.update(Input::Resize(terminal::size()));
                }
                Effect::Redraw => screen.resume()?,
                Effect::Act(job) => driver.act(*job),
                Effect::Refresh => {
                    driver.watchers.refresh();
                    driver.observe_now.notify_one();
                }
            }
        }
        driver.watchers.follow(&model, &mut driver.tasks);
    }
}

struct Driver {
    docker: Docker,
    quiet: Arc<Context>,
    observe_now: Arc<Notify>,
    watchers: Watchers,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Input>,
}

impl Driver {
    /// Has a job done, and its outcome told.
    fn act(&mut self, job: Job) {
        let (context, docker) = (Arc::clone(&self.quiet), self.docker.clone());
        let (sender, observe_now) = (self.sender.clone(), Arc::clone(&self.observe_now));
        self.tasks.spawn(async move {
            let number = job.number;
            let (news, outcome) = match act::act(&context, docker, job).await {
                Ok(done) => (done.news, Ok(done.text)),
                Err(failure) => (None, Err(failure)),
            };
            // What is told is to be seen, too: the next key may be for what it made of the unit or box. Nobody is left to
            // tell once the dashboard ends.
            if let Some(news) = news {
                let _ = sender.send(news).await;
            }
            let _ = sender.send(Input::Outcome(number, outcome)).await;
            observe_now.notify_one();
        });
    }
}

fn type_all(model: &mut Model, keys: &[Key]) -> Vec<Effect> {
    keys.iter()
        .flat_map(|key| model.update(Input::Key(*key)))
        .collect()
}

/// Takes what has come, in bounds.
fn take_some(model: &mut Model, first: Option<Input>, inputs: &mut mpsc::Receiver<Input>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut next = first;
    for _ in 0..AT_ONCE {
        let Some(input) = next else {
            break;
        };
        effects.extend(model.update(input));
        next = inputs.try_recv().ok();
    }
    effects
}

/// A task that has panicked is a panic of ours; one that was called off is none.
fn pass_on(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

fn continued() -> Result<tokio::signal::unix::Signal, Failure> {
    let number = rustix::process::Signal::CONT.as_raw();
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(number))
        .map_err(|error| Failure::failed("cannot listen for signals").because(&error))
}
