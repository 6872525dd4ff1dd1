//! The command that runs at an event.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, one_line};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::interrupt::Interrupt;
use crate::ui;

/// How long a command may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(5);

/// How a run of the command ended.
#[derive(Debug)]
pub enum Ending {
    /// By itself.
    Exited(ExitStatus),
    /// It was never started.
    NotStarted(io::Error),
    /// Somebody wants all of it to end; the command has.
    Interrupted,
}

/// A program with its arguments; no shell is between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handler {
    program: OsString,
    arguments: Vec<OsString>,
}

impl Handler {
    /// The program, then its arguments; `None` of nothing.
    pub fn new(words: &[OsString]) -> Option<Self> {
        let (program, arguments) = words.split_first()?;
        Some(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
        })
    }

    /// The program as messages name it.
    pub fn name(&self) -> String {
        one_line(&self.program.to_string_lossy()).into_owned()
    }

    /// Runs it for an event, and waits until it has ended. It gets a process group of its own, so that all of it can be
    /// ended.
    ///
    /// # Errors
    /// An event that JSON has no form for, a system that cannot wait for a process.
    pub async fn run(&self, event: &Event, interrupt: &mut Interrupt) -> Result<Ending, Failure> {
        let mut line = ui::json(event)?;
        line.push('\n');
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .process_group(0);
        for (name, value) in environment(event) {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Ok(Ending::NotStarted(error)),
        };
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A command need not read it.
                let _ = stdin.write_all(line.as_bytes()).await;
            }
            std::future::pending::<()>().await;
        };
        let status = tokio::select! {
            status = child.wait() => Some(status),
            _ = interrupt.received() => None,
            () = feed => None,
        };
        match status {
            Some(status) => status.map(Ending::Exited).map_err(|error| {
                Failure::failed(format!("cannot wait for `{}`", self.name())).because(&error)
            }),
            None => {
                end(&mut child).await;
                Ok(Ending::Interrupted)
            }
        }
    }
}

/// Asks a command's group to end, and ends it where it does not.
async fn end(child: &mut Child) {
    let group = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(Pid::from_raw);
    let Some(group) = group else { return };
    // A group that is gone needs no signal.
    let _ = kill_process_group(group, Signal::TERM);
    if timeout(GRACE, child.wait()).await.is_err() {
        let _ = kill_process_group(group, Signal::KILL);
        let _ = child.wait().await;
    }
}

/// The exit code that a shell would give for this status.
pub(super) fn exit_code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    u8::try_from(code).unwrap_or(1)
}

/// The variables that describe an event; those of what it does not have are taken away. Names and states are a box's
/// words: what could do something to a terminal is left out of them.
fn environment(event: &Event) -> [(&'static str, Option<String>); 9] {
    let text = |text: &Option<String>| text.as_deref().map(|text| one_line(text).into_owned());
    [
        ("AGENTBOX_EVENT_BOX", text(&event.box_name)),
        ("AGENTBOX_EVENT_SEQ", event.seq.map(|seq| seq.to_string())),
        ("AGENTBOX_EVENT_TIME", Some(event.time.to_string())),
        ("AGENTBOX_EVENT_KIND", Some(event.kind.as_str().to_owned())),
        ("AGENTBOX_EVENT_UNIT", text(&event.unit)),
        ("AGENTBOX_EVENT_FROM", text(&event.from)),
        ("AGENTBOX_EVENT_TO", text(&event.to)),
        ("AGENTBOX_EVENT_PID", event.pid.map(|pid| pid.to_string())),
        (
            "AGENTBOX_EVENT_EXIT_CODE",
            event.exit_code.map(|code| code.to_string()),
        ),
    ]
}

impl Ending {
    /// The exit code that stands for this ending: the command's own, 127 it is not there, 126 it cannot be executed.
    pub fn code(&self) -> u8 {
        match self {
            Self::Exited(status) => exit_code(*status),
            Self::NotStarted(error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::NotStarted(_) => 126,
            Self::Interrupted => crate::interrupt::EXIT.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::report::EventKind;
    use agentbox_ctl::time::Timestamp;

    use super::*;

    fn event() -> Event {
        Event {
            seq: Some(7),
            time: Timestamp::from_millis(1_700_000_000_123),
            box_name: Some("b".to_owned()),
            kind: EventKind::ServiceState,
            unit: Some("we\0b\u{1b}[31m".to_owned()),
            from: None,
            to: Some("backoff".to_owned()),
            pid: None,
            exit_code: Some(3),
        }
    }

    #[test]
    fn the_environment_says_what_the_event_says() {
        let environment = environment(&event());
        let text: Vec<String> = environment
            .iter()
            .map(|(name, value)| match value {
                Some(value) => format!("{name}={value}"),
                None => format!("no {name}"),
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        AGENTBOX_EVENT_BOX=b
        AGENTBOX_EVENT_SEQ=7
        AGENTBOX_EVENT_TIME=2023-11-14T22:13:20.123Z
        AGENTBOX_EVENT_KIND=service-state
        AGENTBOX_EVENT_UNIT=web
        no AGENTBOX_EVENT_FROM
        AGENTBOX_EVENT_TO=backoff
        no AGENTBOX_EVENT_PID
        AGENTBOX_EVENT_EXIT_CODE=3
        ");
    }

    fn code(words: &[&str]) -> u8 {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let handler = Handler::new(&words).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let ending = runtime.block_on(async {
            let mut interrupt = Interrupt::new().unwrap();
            handler.run(&event(), &mut interrupt).await.unwrap()
        });
        ending.code()
    }

    #[test]
    fn the_code_is_the_commands_own_or_says_why_there_is_none() {
        assert_eq!(code(&["sh", "-c", "exit 9"]), 9);
        assert_eq!(code(&["sh", "-c", "kill -9 $$"]), 137);
        assert_eq!(code(&["/no/such/program"]), 127);
        assert_eq!(code(&["/"]), 126);
        assert_eq!(
            code(&[
                "sh",
                "-c",
                "read line; case $line in '{\"seq\":7,'*) exit 5;; esac"
            ]),
            5
        );
    }
}
