//! `agentbox run-task`.

use agentbox_ctl::client::Part;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, Request};
use agentbox_ctl::report::TaskState;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::target::Target;
use crate::ui::one_line;

/// Arguments of `run-task`.
#[derive(Debug, clap::Args)]
#[command(override_usage = "agentbox run-task [OPTIONS] [BOX] TASK")]
#[command(after_help = "Unmet needs are started first; a run in progress is joined.
Exit codes: 0 the task succeeded, 1 it did not.

Examples:
  agentbox run-task install
  agentbox run-task mybox seed --force")]
pub struct Arguments {
    /// The box, then the task; the task alone where the project has one box
    #[arg(value_name = "[BOX] TASK", required = true, num_args = 1..=2)]
    words: Vec<String>,
    /// Run it even where run_once would pass it over
    #[arg(long)]
    force: bool,
}

/// Runs a task again and streams its output.
///
/// # Errors
/// A task that failed (1), no such box or task (3).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, task) = match arguments.words.as_slice() {
        [name, task] => (Some(name.as_str()), task.as_str()),
        [task] => (None, task.as_str()),
        _ => return Err(Failure::usage("one task is run at a time").hint("agentbox run-task --help")),
    };
    on_runtime(async {
        let target = Target::resolve_settled(context, name).await?;
        target.require_running()?;
        let channel = target.own_channel().await?;
        let request = Request::RunTask {
            task: task.to_owned(),
            force: arguments.force,
        };
        let mut call = channel.call(&request).await?;
        loop {
            match call.next().await.map_err(|failure| channel.explain(failure))? {
                Part::Data(bytes) => context.ui.data_bytes(&bytes)?,
                Part::Item(_) => {}
                Part::Done(answer) => return outcome(context, &target.info.name, task, answer),
            }
        }
    })
}

fn outcome(context: &Context, name: &str, task: &str, answer: Answer) -> Result<Exit, Failure> {
    let Answer::Task {
        state,
        exit_code,
        signal,
        reason,
    } = answer
    else {
        return Err(Failure::failed(
            "the supervisor answered something else than the task's end",
        ));
    };
    let reason = reason.map(|reason| one_line(&reason).into_owned());
    if state == TaskState::Done {
        if let Some(reason) = reason {
            context.ui.status(&format!("task `{task}` was not run: {reason}"));
            context
                .ui
                .hint(&format!("agentbox run-task {name} {task} --force"));
        }
        return Ok(Exit::SUCCESS);
    }
    let mut failure = Failure::failed(format!("task `{task}` ended {state}"));
    if let Some(reason) = reason {
        failure = failure.cause(reason);
    } else if let Some(signal) = signal {
        failure = failure.cause(format!("ended by {}", one_line(&signal)));
    } else if let Some(code) = exit_code {
        failure = failure.cause(format!("exited with code {code}"));
    }
    Err(failure.hint(format!("agentbox status {name}")))
}
