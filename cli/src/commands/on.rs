//! `agentbox on`.

use std::ffi::OsString;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::report::{Event, EventKind};

use super::on_runtime;
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::events::Follower;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::on::{Ending, Handler, Pattern};
use crate::target::Target;
use crate::ui::one_line;
use crate::units;

/// Arguments of `on`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "agentbox on [OPTIONS] [BOX] UNIT:STATE... -- COMMAND [ARGUMENT]...",
    after_help = "Follows the box, through stops and restarts, until it is destroyed. The command runs once per event, one after the
other, without a shell. It has the event as a line of JSON on its stdin, and in AGENTBOX_EVENT_BOX, _SEQ, _TIME, _KIND,
_UNIT, _FROM, _TO, _PID and _EXIT_CODE. UNIT can be *; crashed is every unexpected exit, those that are tried again included.

Examples:
  agentbox on web:crashed -- notify-send \"web has crashed\"
  agentbox on mybox '*:crashed' '*:failed' -- sh -c 'echo \"$AGENTBOX_EVENT_UNIT\" >> failures'
  agentbox on mybox web:ready --once -- true"
)]
pub struct Arguments {
    /// End after the first run, with the command's exit code
    #[arg(long)]
    once: bool,
    /// The box (name, index or id; else the project's only one), then which events
    #[arg(value_name = "BOX UNIT:STATE", required = true)]
    words: Vec<String>,
    /// What to run
    #[arg(value_name = "COMMAND", last = true, required = true)]
    command: Vec<OsString>,
}

/// Runs a command at each event that is meant.
///
/// # Errors
/// What is no event (2), no such box or unit, a box that is gone (3), a supervisor that does not answer (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (name, patterns) = split(&arguments.words)?;
    let handler = Handler::new(&arguments.command).ok_or_else(|| Failure::usage("no command to run"))?;
    on_runtime(async {
        let mut interrupt = Interrupt::new()?;
        let begin = async {
            let target = Target::resolve(context, name).await?;
            let last = begin(&target, &patterns).await?;
            Ok::<_, Failure>((target, last))
        };
        let (target, last) = match interrupt.guard(begin).await {
            Ok(begun) => begun,
            Err(Stopped::Interrupted) => return Ok(interrupt::EXIT),
            Err(Stopped::Failed(failure)) => return Err(failure),
        };
        let box_name = target.info.name.clone();
        context.ui.status(&format!("following box `{box_name}`"));
        let mut follower = Follower::new(context, target, Some(last));
        let mut reporter = Reporter {
            context,
            handler: &handler,
            has_run: false,
        };
        loop {
            let mut event = match interrupt.guard(follower.next()).await {
                Ok(event) => event,
                Err(Stopped::Interrupted) => return Ok(interrupt::EXIT),
                Err(Stopped::Failed(failure)) => return Err(failure),
            };
            if event.kind == EventKind::Gap {
                let gap = format!("box `{box_name}` no longer has some of its events: they were missed");
                context.ui.warning(&gap);
            }
            if !patterns.iter().any(|pattern| pattern.matches(&event)) {
                continue;
            }
            // A box does not decide which one it is.
            event.box_name = Some(box_name.clone());
            let ending = handler.run(&event, &mut interrupt).await?;
            if matches!(ending, Ending::Interrupted) {
                return Ok(interrupt::EXIT);
            }
            reporter.tell(&event, &ending);
            if arguments.once {
                return Ok(Exit(ending.code()));
            }
        }
    })
}

/// Says which runs went wrong.
struct Reporter<'a> {
    context: &'a Context,
    handler: &'a Handler,
    has_run: bool,
}

impl Reporter<'_> {
    fn tell(&mut self, event: &Event, ending: &Ending) {
        let name = self.handler.name();
        let first = !std::mem::replace(&mut self.has_run, true);
        let ui = &self.context.ui;
        let event = format!(
            "{}:{}",
            one_line(event.unit.as_deref().unwrap_or_default()),
            one_line(event.to.as_deref().unwrap_or_default())
        );
        match ending {
            Ending::Exited(status) if !status.success() => {
                ui.warning(&format!("`{name}` at {event}: {status}"));
            }
            Ending::NotStarted(error) if first => {
                let failure = Failure::failed(format!("cannot run `{name}` at {event}"))
                    .because(error)
                    .hint("the command runs here, without a shell; a shell's own words need `sh -c '…'`");
                ui.failure(&failure);
            }
            Ending::NotStarted(error) => ui.warning(&format!("cannot run `{name}` at {event}: {error}")),
            Ending::Exited(_) | Ending::Interrupted => {}
        }
    }
}

/// The number of the box's newest event. Every unit that is waited for has to be there.
async fn begin(target: &Target, patterns: &[Pattern]) -> Result<u64, Failure> {
    let (events, report) = if target.info.state == BoxState::Running {
        let channel = target.own_channel().await?;
        let events = channel.events().await?;
        (events, channel.units().await?)
    } else {
        (target.recorded_events().await?, target.recorded().await?)
    };
    let wanted = patterns.iter().filter_map(|pattern| pattern.unit.clone());
    let wanted: Vec<String> = wanted.filter(|unit| unit != paths::DOCKER_DAEMON).collect();
    // A box that never ran does not know its units yet.
    if target.info.state == BoxState::Running || !report.names().is_empty() {
        units::check(&target.info.name, &wanted, &report)?;
    }
    Ok(events.iter().filter_map(|event| event.seq).max().unwrap_or(0))
}

/// Which words are the box and which the events: a first word without a colon is the box.
fn split(words: &[String]) -> Result<(Option<&str>, Vec<Pattern>), Failure> {
    let (name, words) = match words.split_first() {
        Some((first, rest)) if !first.contains(':') => (Some(first.as_str()), rest),
        _ => (None, words),
    };
    if words.is_empty() {
        return Err(Failure::usage("no event to wait for")
            .hint("agentbox on [BOX] UNIT:STATE -- COMMAND, for example web:crashed"));
    }
    let patterns = words.iter().map(|word| word.parse());
    let patterns: Result<Vec<Pattern>, String> = patterns.collect();
    let patterns = patterns.map_err(|error| Failure::usage(error).hint("agentbox on --help"))?;
    Ok((name, patterns))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<(Option<String>, Vec<String>), Failure> {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let (name, patterns) = split(&words)?;
        let patterns = patterns.iter().map(ToString::to_string).collect();
        Ok((name.map(str::to_owned), patterns))
    }

    #[test]
    fn the_box_comes_first_or_is_left_out() {
        assert_eq!(
            parse(&["b", "web:ready", "*:failed"]),
            Ok((
                Some("b".to_owned()),
                vec!["web:ready".to_owned(), "*:failed".to_owned()]
            ))
        );
        assert_eq!(parse(&["web:ready"]), Ok((None, vec!["web:ready".to_owned()])));
        for wrong in [&["b"][..], &["web:ready", "b"], &["web:gone"], &["b", ":ready"]] {
            assert_eq!(parse(wrong).unwrap_err().kind.exit_code(), 2, "{wrong:?}");
        }
    }
}
