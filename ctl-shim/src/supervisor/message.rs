//! What the supervisor's own tasks and threads tell the [engine](super::engine).

use super::engine::Engine;
use super::machine::{Decision, Input, Key};

/// What tasks of the supervisor tell the engine.
#[derive(Debug)]
pub(super) enum Message {
    /// A container has started.
    ContainerStarted {
        /// The unit.
        key: Key,
        /// The run.
        pid: u32,
    },
    /// A container runs again that had ended.
    ContainerReturned {
        /// The unit.
        key: Key,
    },
    /// A probe passed.
    ProbePassed {
        /// The unit.
        key: Key,
        /// The run.
        pid: u32,
    },
    /// The success of a task could not be remembered.
    NotMarked {
        /// The task.
        unit: String,
        /// Why.
        reason: String,
    },
    /// `run_once` has been looked at.
    Decided {
        /// The task.
        key: Key,
        /// What it says.
        decision: Decision,
    },
}

impl Engine {
    /// Hands it to the machine, or to whoever else it is for.
    pub(super) fn message(&mut self, message: Message) {
        let input = match message {
            Message::ContainerStarted { key, pid } => Input::ContainerStarted { key, pid },
            Message::ContainerReturned { key } => Input::ContainerReturned { key },
            Message::ProbePassed { key, pid } => Input::ProbePassed { key, pid },
            Message::Decided { key, decision } => Input::Decided { key, decision },
            Message::NotMarked { unit, reason } => return self.launcher.note_unmarked(&unit, &reason),
        };
        self.input(input);
    }
}
