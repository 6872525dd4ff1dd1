//! `run_once`: whether a task has something to do, and that it has done it.

use tokio::sync::mpsc;

use super::super::machine::{Decision, Key};
use super::super::message::Message;
use super::super::run_once::Question;
use super::{Launcher, aside};
use crate::config::model::{RunOnce, Unit};

impl Launcher {
    /// Looks at a task's `run_once`. `None`: the answer comes as a message.
    pub(in crate::supervisor) fn decide(
        &mut self,
        key: Key,
        unit: &Unit,
        messages: &mpsc::UnboundedSender<Message>,
    ) -> Option<Decision> {
        if let Some(RunOnce::Check(check)) = unit.task().and_then(|task| task.run_once.as_ref()) {
            return Some(match self.spawn(key, unit, check) {
                Ok(pid) => Decision::Checking(pid),
                Err(reason) => Decision::Failed(format!("run_once check: {reason}")),
            });
        }
        match self.question(unit) {
            Ok(Some(question)) => {
                let messages = messages.clone();
                let deciding = aside(Box::new(move || {
                    let decision = question.decide();
                    let _ = messages.send(Message::Decided { key, decision });
                }));
                deciding.err().map(Decision::Failed)
            }
            Ok(None) => Some(Decision::Run),
            Err(reason) => Some(Decision::Failed(reason)),
        }
    }

    /// Remembers a task's success, where it has `run_once`. What goes wrong comes as a message.
    pub(in crate::supervisor) fn mark_done(
        &mut self,
        unit: &Unit,
        messages: &mpsc::UnboundedSender<Message>,
    ) {
        let name = unit.name.clone();
        let messages = messages.clone();
        let result = match self.question(unit) {
            // Inputs may be large; reading them must not hold up the supervisor.
            Ok(Some(question)) => aside(Box::new(move || {
                if let Err(reason) = question.mark() {
                    let _ = messages.send(Message::NotMarked { unit: name, reason });
                }
            })),
            Ok(None) => Ok(()),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = result {
            self.note_unmarked(&unit.name, &reason);
        }
    }

    /// Shows that a task's success could not be remembered.
    pub(in crate::supervisor) fn note_unmarked(&mut self, unit: &str, reason: &str) {
        self.troubles
            .insert(unit.to_owned(), format!("run_once of {unit}: {reason}"));
    }

    fn question(&self, unit: &Unit) -> Result<Option<Question>, String> {
        let (inputs, creates) = match unit.task().and_then(|task| task.run_once.as_ref()) {
            Some(RunOnce::Marker { inputs, creates }) => (inputs, creates),
            Some(RunOnce::Ever(marker)) => {
                return Ok(Some(Question {
                    directory: self.options.run_once(),
                    task: marker.clone(),
                    definition: Vec::new(),
                    workspace: self.options.workspace.clone(),
                    inputs: Vec::new(),
                    creates: Vec::new(),
                }));
            }
            Some(RunOnce::Check(_)) | None => return Ok(None),
        };
        let resolved = self.resolve(unit, &unit.launch)?;
        let user = resolved
            .credentials
            .as_ref()
            .map(|credentials| credentials.name.clone());
        let definition = format!(
            "{:?}\n{:?}\n{:?}\n{user:?}",
            unit.launch, resolved.cwd, resolved.own
        );
        Ok(Some(Question {
            directory: self.options.run_once(),
            task: unit.name.clone(),
            definition: definition.into_bytes(),
            workspace: self.options.workspace.clone(),
            inputs: inputs.clone(),
            creates: creates.clone(),
        }))
    }
}
