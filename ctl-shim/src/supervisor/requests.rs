//! Requests that take as long as units take: begun at once, answered when the machine says so.

use tokio::sync::oneshot;

use super::attached::is_attached;
use super::docker::is_daemon;
use super::engine::{Engine, unknown_unit};
use super::machine::{Key, Verdict};
use super::shared::Ask;
use crate::failure::Failure;
use crate::process::reap::Exit;
use crate::protocol::message::{Answer, ReloadStep, UnitOutcome};
use crate::report::UnitState;
use crate::time::Timestamp;

/// A request that has begun and is not answered.
#[derive(Debug)]
pub(super) struct Open {
    goal: Goal,
    reply: oneshot::Sender<Result<Answer, Failure>>,
}

#[derive(Debug)]
enum Goal {
    Start(Vec<Target>),
    Stop(Vec<Target>),
    Restart(Vec<Target>),
    Task(Key),
    Reload {
        steps: Vec<ReloadStep>,
        ending: Vec<Target>,
    },
    Wait(Vec<Key>),
}

/// A unit, and how it was when the request came.
#[derive(Debug)]
struct Target {
    key: Key,
    name: String,
    generation: u64,
    state: UnitState,
}

impl Engine {
    pub(super) fn ask(&mut self, ask: Ask, reply: oneshot::Sender<Result<Answer, Failure>>) {
        if self.machine.is_shutting_down() && !matches!(ask, Ask::Stop(_)) {
            // Whoever asked and left gets no answer.
            let _ = reply.send(Err(
                Failure::failed("the box is stopping").hint("agentbox start BOX")
            ));
            return;
        }
        match self.goal_of(ask) {
            Ok(goal) => {
                self.open.push(Open { goal, reply });
                self.answer_open();
            }
            Err(failure) => drop(reply.send(Err(failure))),
        }
    }

    /// Begins what is asked.
    fn goal_of(&mut self, ask: Ask) -> Result<Goal, Failure> {
        match ask {
            Ask::Start(names) => {
                let targets = self.targets(&names)?;
                for target in &targets {
                    self.look_for_remains(target.key);
                    let effects = self.machine.start(target.key, self.clock.now(), Timestamp::now());
                    self.carry_out(effects);
                }
                Ok(Goal::Start(targets))
            }
            Ask::Stop(names) => {
                let targets = self.targets(&names)?;
                for target in &targets {
                    self.look_for_remains(target.key);
                    let effects = self.machine.stop(target.key, self.clock.now(), Timestamp::now());
                    self.carry_out(effects);
                }
                Ok(Goal::Stop(targets))
            }
            Ask::Restart(names) => {
                let targets = self.targets(&names)?;
                for target in &targets {
                    self.look_for_remains(target.key);
                    let effects = self
                        .machine
                        .restart(target.key, self.clock.now(), Timestamp::now());
                    self.carry_out(effects);
                }
                Ok(Goal::Restart(targets))
            }
            Ask::RunTask { task, force } => {
                let Some(slot) = self.machine.find(&task) else {
                    return Err(self.unknown(&task));
                };
                if slot.unit.is_service() {
                    return Err(Failure::usage(format!("\"{task}\" is a service, not a task"))
                        .hint(format!("agentbox start BOX {task}")));
                }
                let key = slot.key;
                self.look_for_remains(key);
                let effects = self
                    .machine
                    .run_task(key, force, self.clock.now(), Timestamp::now());
                self.carry_out(effects);
                Ok(Goal::Task(key))
            }
            Ask::Reload => self.reload(),
            Ask::Wait(names) => {
                if !self.config_errors.is_empty()
                    && self.machine.slots().all(|slot| is_attached(&slot.unit.name))
                {
                    let mut failure = Failure::failed("the box has no units: its agentbox.yaml has errors");
                    failure.causes.clone_from(&self.config_errors);
                    return Err(failure.hint("mend /workspace/agentbox.yaml, then agentbox reload BOX"));
                }
                if names.is_empty() {
                    Ok(Goal::Wait(self.machine.self_starting()))
                } else {
                    Ok(Goal::Wait(
                        self.targets(&names)?
                            .into_iter()
                            .map(|target| target.key)
                            .collect(),
                    ))
                }
            }
        }
    }

    fn look_for_remains(&mut self, key: Key) {
        if self
            .machine
            .slot(key)
            .is_some_and(|slot| slot.is_final() && slot.generation > 0)
            && self.launcher.has_processes(key)
        {
            self.machine.note_lingering(key);
        }
    }

    fn reload(&mut self) -> Result<Goal, Failure> {
        let read = self.read_config();
        self.config_errors = read.errors;
        let Some(config) = read.config else {
            let mut failure = Failure::usage("agentbox.yaml has errors; the units are as before");
            failure.rendered = Some(self.config_errors.join("\n"));
            return Err(failure.hint("mend the file, then agentbox reload"));
        };
        // What an ended task has left behind must not stand beside its next run, nor outlive its removal.
        self.note_lingering();
        let (steps, ending, effects) = self.machine.reload(config, self.clock.now(), Timestamp::now());
        let ending = ending.into_iter().filter_map(|key| self.target(key)).collect();
        self.publish_names();
        self.carry_out(effects);
        Ok(Goal::Reload { steps, ending })
    }

    fn targets(&self, names: &[String]) -> Result<Vec<Target>, Failure> {
        names
            .iter()
            .map(|name| {
                let slot = self.machine.find(name).filter(|_| !is_daemon(name));
                let key = slot.map(|slot| slot.key);
                key.and_then(|key| self.target(key))
                    .ok_or_else(|| self.unknown(name))
            })
            .collect()
    }

    fn target(&self, key: Key) -> Option<Target> {
        let slot = self.machine.slot(key)?;
        Some(Target {
            key,
            name: slot.unit.name.clone(),
            generation: slot.generation,
            state: slot.state(),
        })
    }

    fn unknown(&self, name: &str) -> Failure {
        unknown_unit(name, self.machine.slots().map(|slot| slot.unit.name.as_str()))
    }

    /// Answers the requests that can be answered now.
    pub(super) fn answer_open(&mut self) {
        let mut index = 0;
        while let Some(open) = self.open.get(index) {
            if open.reply.is_closed() {
                self.open.swap_remove(index);
            } else if let Some(answer) = self.verdict(&open.goal) {
                let open = self.open.swap_remove(index);
                // The check above makes a lost answer unlikely, and it would be nobody's loss.
                let _ = open.reply.send(answer);
            } else {
                index += 1;
            }
        }
    }

    fn verdict(&self, goal: &Goal) -> Option<Result<Answer, Failure>> {
        match goal {
            Goal::Start(targets) => self.all(targets, |target| {
                // What ran already, or was being started, is joined.
                self.machine.start_verdict(target.key, target.generation)
            }),
            Goal::Stop(targets) => self.all(targets, |target| {
                self.machine.stop_verdict(target.key, target.generation)
            }),
            Goal::Restart(targets) => self.all(targets, |target| {
                self.machine.restart_verdict(target.key, target.generation)
            }),
            Goal::Task(key) => match self.machine.run_verdict(*key) {
                Verdict::Open => None,
                Verdict::Lost(failure) => Some(Err(failure)),
                Verdict::Met => self.task_answer(*key),
            },
            Goal::Reload { steps, ending } => {
                let ended = ending
                    .iter()
                    .all(|target| self.machine.stop_verdict(target.key, target.generation) == Verdict::Met);
                ended.then(|| Ok(Answer::Reload(steps.clone())))
            }
            Goal::Wait(keys) => {
                let mut open = false;
                for key in keys {
                    match self.machine.wait_verdict(*key) {
                        Verdict::Lost(failure) => return Some(Err(failure)),
                        Verdict::Open => open = true,
                        Verdict::Met => {}
                    }
                }
                (!open).then(|| Ok(Answer::Waited(self.report())))
            }
        }
    }

    fn all(
        &self,
        targets: &[Target],
        verdict: impl Fn(&Target) -> Verdict,
    ) -> Option<Result<Answer, Failure>> {
        let verdicts: Vec<Verdict> = targets.iter().map(verdict).collect();
        if let Some(Verdict::Lost(failure)) = verdicts
            .iter()
            .find(|verdict| matches!(verdict, Verdict::Lost(_)))
        {
            return Some(Err(failure.clone()));
        }
        if verdicts.contains(&Verdict::Open) {
            return None;
        }
        let outcomes = targets.iter().map(|target| {
            let slot = self.machine.slot(target.key);
            UnitOutcome {
                unit: target.name.clone(),
                state: slot.map_or_else(|| "removed".to_owned(), |slot| slot.state().to_string()),
                changed: slot
                    .is_none_or(|slot| slot.generation != target.generation || slot.state() != target.state),
            }
        });
        Some(Ok(Answer::Units(outcomes.collect())))
    }

    fn task_answer(&self, key: Key) -> Option<Result<Answer, Failure>> {
        let slot = self.machine.slot(key)?;
        let UnitState::Task(state) = slot.state() else {
            return None;
        };
        let (exit_code, signal) = match slot.outcome {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(number)) => (None, Some(super::machine::signal_name(number))),
            None => (None, None),
        };
        Some(Ok(Answer::Task {
            state,
            exit_code,
            signal,
            reason: slot.reason.clone(),
        }))
    }
}
