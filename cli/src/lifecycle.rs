//! Starting and stopping whole boxes, idempotent, in every state a box can be in.

use std::time::{Duration, Instant};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::seed::{SEEDED, SEEDED_WITHOUT_HISTORY};
use futures_util::{StreamExt, TryFutureExt};
use tokio::time::timeout;

use crate::boxes::{BoxInfo, BoxState, label, name, private};
use crate::context::Context;
use crate::docker::{AttachedOutput, Channel, Docker, DockerError, RestartPolicy};
use crate::interrupt::{Interrupt, Stopped};
use crate::project_config;
use crate::seed;
use crate::spec;
use crate::supervisor_binary;

/// How long the supervisor may take to answer after a start.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// How much of a box's output is kept for the message when it does not get ready.
const KEPT_OUTPUT: usize = 4 * 1024;
/// What PID 1 says of a supervisor that the kernel, or somebody in the box, has killed.
const KILLED: &[u8] = b"the supervisor was ended by signal 9";
/// After how many of them nobody waits for another try.
const KILLS: usize = 3;
/// Which version of the supervisor a `start` put into the box, inside the private volume.
const REFRESHED: &str = "/var/lib/agentbox/private/supervisor-version";

/// Looks for the lines with which a box says how far it is. Those of stdout and of stderr come mixed, in pieces.
#[derive(Debug, Default)]
pub struct ReadyLine {
    /// The line of stdout that has not ended.
    stdout: Vec<u8>,
    /// The same of stderr.
    stderr: Vec<u8>,
    /// The last lines that have.
    kept: Vec<u8>,
    /// The project is in place.
    seeded: bool,
    /// It has no history, for want of a git.
    without_history: bool,
    /// The supervisor answers.
    ready: bool,
    /// How often the supervisor was killed.
    kills: usize,
}

impl ReadyLine {
    /// Takes output; tells whether the supervisor answers.
    pub fn feed(&mut self, channel: Channel, bytes: &[u8]) -> bool {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let pending = match channel {
                Channel::Stdout => &mut self.stdout,
                Channel::Stderr => &mut self.stderr,
            };
            pending.extend_from_slice(part);
            if pending.ends_with(b"\n") || pending.len() > KEPT_OUTPUT {
                let line = std::mem::take(pending);
                self.take(channel, &line);
            }
        }
        self.ready
    }

    fn take(&mut self, channel: Channel, line: &[u8]) {
        let text = line.trim_ascii_end();
        match channel {
            Channel::Stdout => {
                self.without_history |= text == SEEDED_WITHOUT_HISTORY.as_bytes();
                self.seeded |= self.without_history || text == SEEDED.as_bytes();
                self.ready |= text.starts_with(b"agentbox-ctl ") && text.ends_with(b": ready");
            }
            Channel::Stderr => {
                let is_kill = text.windows(KILLED.len()).any(|part| part == KILLED);
                self.kills += usize::from(is_kill);
            }
        }
        self.kept.extend_from_slice(line);
        if self.kept.len() > KEPT_OUTPUT {
            self.kept.drain(..self.kept.len() - KEPT_OUTPUT);
        }
    }

    /// Whether a new box has its project.
    pub fn is_seeded(&self) -> bool {
        self.seeded
    }

    /// Whether it has no history, for want of a git.
    pub fn is_without_history(&self) -> bool {
        self.without_history
    }

    /// Whether the supervisor is killed again and again, as it is where memory is too small for it.
    fn is_hopeless(&self) -> bool {
        self.kills >= KILLS
    }

    /// The last lines that came, without the empty ones.
    pub fn last_lines(&self) -> Vec<String> {
        let all = [self.kept.as_slice(), &self.stdout, b"\n", &self.stderr].concat();
        let text = String::from_utf8_lossy(&all);
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(10)..]
            .iter()
            .map(|line| (*line).to_owned())
            .collect()
    }
}

/// What the output of a box told.
enum Found {
    /// Its supervisor answers.
    Ready,
    /// Its supervisor is killed over and over.
    Killed,
    /// The box has ended.
    Ended,
}

/// Waits until the supervisor answers; `line` has taken the output so far.
///
/// # Errors
/// A box that ends first, with its last output; one whose supervisor is killed over and over, or takes too long.
pub async fn wait_ready(
    docker: &Docker,
    container: &str,
    name: &str,
    output: &mut AttachedOutput,
    line: &mut ReadyLine,
) -> Result<(), Failure> {
    if line.ready {
        return Ok(());
    }
    let found = timeout(READY_DEADLINE, async {
        while let Some(part) = output.next().await {
            let (channel, bytes) = part?;
            if line.feed(channel, &bytes) {
                return Ok::<_, DockerError>(Found::Ready);
            }
            if line.is_hopeless() {
                return Ok(Found::Killed);
            }
        }
        Ok(Found::Ended)
    })
    .await;
    match found {
        Ok(Ok(Found::Ready)) => Ok(()),
        Ok(Ok(Found::Killed)) => Err(Failure::failed(format!(
            "the supervisor of box `{name}` is killed whenever it starts"
        ))
        .cause(
            "the kernel does that where a box's memory is too small; carried secrets take their part of it",
        )
        .hint("agentbox create with a higher --memory")),
        Ok(Ok(Found::Ended)) => Err(ended_at_start(docker, container, name, line).await),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => {
            let failure = Failure::timeout(format!(
                "the supervisor of box `{name}` did not answer within {} s",
                READY_DEADLINE.as_secs()
            ));
            Err(line.last_lines().into_iter().fold(failure, Failure::cause))
        }
    }
}

/// The failure for a box that ended before its supervisor answered, with what it said last.
pub async fn ended_at_start(docker: &Docker, container: &str, name: &str, line: &ReadyLine) -> Failure {
    let mut failure = Failure::failed(format!("the supervisor of box `{name}` ended at its start"));
    if let Ok(details) = docker.inspect_container(container).await {
        if details.out_of_memory {
            failure = failure
                .cause("it ran out of memory")
                .hint("agentbox create with a higher --memory");
        } else if let Some(code) = details.exit_code {
            failure = failure.cause(format!("exit code {code}"));
        }
    }
    line.last_lines().into_iter().fold(failure, Failure::cause)
}

/// What a start found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It ran already.
    Running,
    /// It was frozen and is thawed.
    Thawed,
    /// It was stopped and is started.
    Started,
}

/// Starts a box, whatever state it is in. A box that is stopped must have a valid `agentbox.yaml`.
///
/// # Errors
/// Mistakes in the box's file (2), a box that is dead, a supervisor that does not come up, those of the engine.
pub async fn start(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    interrupt: &mut Interrupt,
) -> Result<Started, Stopped> {
    match info.state {
        BoxState::Running => Ok(Started::Running),
        BoxState::Paused => {
            unpause(docker, info).await?;
            Ok(Started::Thawed)
        }
        BoxState::Dead => Err(dead(info).into()),
        BoxState::Stopped => {
            let step = context.ui.step(&format!("starting box `{}`", info.name));
            let container = &info.container_id;
            let ((config, attached), policy) = interrupt
                .guard(async {
                    tokio::try_join!(
                        look(context, docker, info),
                        docker.inspect_container(container).map_err(Failure::from)
                    )
                })
                .await?;
            check(config.as_deref(), &attached)?;
            interrupt.guard(attached.apply(context, docker, info)).await?;
            interrupt.guard(refresh(context, docker, info)).await?;
            let mut attached = docker.attach(container, false).await?;
            interrupt
                .guard(async {
                    docker.start_container(container).await?;
                    let mut line = ReadyLine::default();
                    wait_ready(docker, container, &info.name, &mut attached.output, &mut line).await
                })
                .await?;
            // A `create` that was killed between its last two steps left it out.
            if policy.restart != RestartPolicy::UnlessStopped {
                docker.restart_unless_stopped(container).await?;
            }
            step.finish("");
            Ok(Started::Started)
        }
    }
}

/// What a box that is about to start has: its `agentbox.yaml`, and what is attached to it.
///
/// # Errors
/// Those of the engine.
pub async fn look(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
) -> Result<(Option<Vec<u8>>, spec::Look), Failure> {
    let container = &info.container_id;
    let (config, attached) = tokio::join!(
        docker.read_file(container, paths::CONFIG, project_config::LIMIT as usize),
        docker.read_file(container, paths::ATTACHED, private::LIMIT),
    );
    Ok((config?, spec::look(context, info, attached?.as_deref())))
}

/// Checks that a box with this file, and this attached to it, can start.
///
/// # Errors
/// Mistakes of the file, needs on service specs that are not attached (2).
pub fn check(config: Option<&[u8]>, attached: &spec::Look) -> Result<(), Failure> {
    let Some(bytes) = config else {
        return Ok(());
    };
    let config = project_config::validate(bytes, paths::CONFIG)?;
    attached.check_needs(&config, bytes, paths::CONFIG)
}

/// Puts this program's supervisor into a stopped box whose own is older. Never the other way round.
///
/// # Errors
/// Those of the engine.
pub async fn refresh(context: &Context, docker: &Docker, info: &BoxInfo) -> Result<(), Failure> {
    // The label says which one the box was made with, and it only ever got newer ones.
    if !supervisor_binary::is_newer_than(&info.version) {
        return Ok(());
    }
    let container = &info.container_id;
    let refreshed = docker.read_file(container, REFRESHED, 256).await?;
    if let Some(version) = refreshed
        && !supervisor_binary::is_newer_than(String::from_utf8_lossy(&version).trim())
    {
        return Ok(());
    }
    let archive = seed::refresh(REFRESHED)
        .map_err(|error| Failure::failed("cannot pack the supervisor").because(&error))?;
    let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
    docker.upload(container, stream).await?;
    context.ui.status(&format!(
        "box `{}` has the supervisor {} now",
        info.name,
        supervisor_binary::VERSION
    ));
    Ok(())
}

/// Stops a box that runs or is frozen. `false` where it was stopped already.
///
/// # Errors
/// Those of the engine.
pub async fn stop(context: &Context, docker: &Docker, info: &BoxInfo) -> Result<bool, Failure> {
    match info.state {
        BoxState::Stopped => return Ok(false),
        BoxState::Dead => return Err(dead(info)),
        BoxState::Paused => {
            unpause(docker, info).await?;
            context.ui.status(&format!("thawed box `{}`", info.name));
        }
        BoxState::Running => {}
    }
    let step = context.ui.step(&format!("stopping box `{}`", info.name));
    let container = &info.container_id;
    // A file of an insane size or kind is a file with mistakes.
    let time = match docker
        .read_file(container, paths::CONFIG, project_config::LIMIT as usize)
        .await
    {
        Ok(bytes) => project_config::stop_time_of(bytes.as_deref()),
        Err(DockerError::Unreachable { address, cause }) => {
            return Err(DockerError::Unreachable { address, cause }.into());
        }
        Err(_) => project_config::stop_time_of(Some(b"[")),
    };
    docker.stop_container(container, time).await?;
    step.finish("");
    Ok(true)
}

/// Thaws a box. One that was thawed meanwhile is no error.
///
/// # Errors
/// Those of the engine.
pub async fn unpause(docker: &Docker, info: &BoxInfo) -> Result<(), Failure> {
    match docker.unpause_container(&info.container_id).await {
        Err(error) if error.cause().message.contains("not paused") => Ok(()),
        result => Ok(result?),
    }
}

/// How long an engine may be kept from removing a box, and how often it is asked again.
const REMOVING: Duration = Duration::from_secs(5);
const REMOVING_PAUSE: Duration = Duration::from_millis(100);
/// How long another process may take to remove a box that two remove at once.
const REMOVAL_LIMIT: Duration = Duration::from_secs(30);
/// Time between two looks at whether it has.
const REMOVAL_PAUSE: Duration = Duration::from_millis(50);

/// Removes everything of a box: its container, running or not, and its volumes.
///
/// # Errors
/// Those of the engine.
pub async fn remove(docker: &Docker, container: &str, id: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + REMOVING;
    while let Err(error) = docker.remove_container(container).await {
        // Who reads files of the box at this moment keeps the engine from removing its root; it can be asked again.
        let is_busy = error.cause().message.contains("failed to remove root filesystem");
        if !is_busy || Instant::now() >= deadline {
            return Err(error.into());
        }
        tokio::time::sleep(REMOVING_PAUSE).await;
    }
    remove_volumes(docker, id).await
}

/// Removes what there is of a box that was half-made when it was looked at and whose maker was gone then; `false` where
/// there is no such container any more. Its maker may have finished between the two looks: then it is a box, under a
/// name of its own, and left alone with everything it has. So it is removed by the name that only half-made ones have.
///
/// # Errors
/// Those of the engine.
pub async fn remove_half_made(docker: &Docker, id: &str) -> Result<bool, Failure> {
    let was_there = docker.remove_container(&name::temporary(id)).await?;
    if was_there {
        remove_volumes(docker, id).await?;
    }
    Ok(was_there)
}

async fn remove_volumes(docker: &Docker, id: &str) -> Result<(), Failure> {
    let own = format!("{}={id}", label::ID);
    let limit = Instant::now() + REMOVAL_LIMIT;
    for volume in docker.list_volumes(&own, false).await? {
        // Where another process is removing the container too (two `prune`, or one beside a `create`), the engine
        // tells us no more than that, and the volume is in use until it is done.
        loop {
            match docker.remove_volume(&volume.name).await {
                Err(error) if error.is_conflict() && Instant::now() < limit => {
                    tokio::time::sleep(REMOVAL_PAUSE).await;
                }
                result => break result?,
            }
        }
    }
    Ok(())
}

/// What to say about a box that the engine could not end.
pub fn dead(info: &BoxInfo) -> Failure {
    Failure::failed(format!(
        "box `{}` is dead: the engine could not end it",
        info.name
    ))
    .hint(format!("agentbox destroy {}", info.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_found_in_pieces_and_only_as_a_whole() {
        let mut line = ReadyLine::default();
        assert!(!line.feed(Channel::Stdout, b"echo agentbox-ctl 1: ready\nagentbox-ct"));
        // What comes in between belongs to another line.
        assert!(!line.feed(Channel::Stderr, b"agentbox-ctl: a warning with"));
        assert!(!line.feed(Channel::Stdout, b"l 0.1.0: rea"));
        assert!(!line.feed(Channel::Stderr, b"out end"));
        assert!(line.feed(Channel::Stdout, b"dy\n"));
        insta::assert_snapshot!(line.last_lines().join("\n"), @r"
        echo agentbox-ctl 1: ready
        agentbox-ctl 0.1.0: ready
        agentbox-ctl: a warning without end
        ");
    }

    #[test]
    fn what_stderr_says_is_no_news_of_the_project() {
        let mut line = ReadyLine::default();
        line.feed(Channel::Stderr, format!("{SEEDED}\n").as_bytes());
        assert!(!line.is_seeded());
        line.feed(Channel::Stdout, format!("{SEEDED_WITHOUT_HISTORY}\n").as_bytes());
        assert!(line.is_seeded() && line.is_without_history());
    }

    #[test]
    fn a_supervisor_that_is_killed_over_and_over_is_given_up() {
        let mut line = ReadyLine::default();
        let told = [b"agentbox-ctl init: ", KILLED, b"; next start in 100 ms\n"].concat();
        for _ in 1..KILLS {
            line.feed(Channel::Stderr, &told);
            assert!(!line.is_hopeless());
        }
        line.feed(Channel::Stderr, &told[..30]);
        line.feed(Channel::Stderr, &told[30..]);
        assert!(line.is_hopeless());
    }

    #[test]
    fn output_without_end_is_kept_in_bounds() {
        let mut line = ReadyLine::default();
        for _ in 0..1000 {
            assert!(!line.feed(Channel::Stdout, &[b'x'; 1024]));
        }
        assert!(line.kept.len() <= KEPT_OUTPUT && line.stdout.len() <= KEPT_OUTPUT + 1024);
    }
}
