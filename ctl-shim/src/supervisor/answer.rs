//! One request: asks the engine what only it knows, reads events and logs itself.

use std::rc::Rc;

use tokio::sync::oneshot;

use super::shared::{Ask, Command, Shared};
use super::stream::Stream;
use super::{describe, dial, launch, ports};
use crate::failure::Failure;
use crate::logs::reader::LogReader;
use crate::paths::DOCKER_DAEMON;
use crate::protocol::message::{Answer, Item, LogRange, Request};
use crate::time::Timestamp;

/// Answers `request`, streaming on `stream` meanwhile.
pub(super) async fn answer(
    request: Request,
    stream: &Stream,
    shared: &Rc<Shared>,
) -> Result<Answer, Failure> {
    match request {
        Request::Hello => Ok(Answer::Hello {
            protocol: crate::protocol::VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: shared.started_at,
        }),
        Request::Status => {
            let (reply, report) = oneshot::channel();
            shared
                .commands
                .send(Command::Status(reply))
                .await
                .map_err(|_| stopping())?;
            report.await.map(Answer::Status).map_err(|_| stopping())
        }
        Request::Start { units } => ask(shared, Ask::Start(units)).await,
        Request::Stop { units } => ask(shared, Ask::Stop(units)).await,
        Request::Restart { units } => ask(shared, Ask::Restart(units)).await,
        Request::Reload => ask(shared, Ask::Reload).await,
        Request::RunTask { task, force } => run_task(task, force, stream, shared).await,
        Request::Wait { units, progress } => wait(units, progress, stream, shared).await,
        Request::Events { after, since, follow } => {
            events(after.unwrap_or(0), since, follow, stream, shared).await?;
            Ok(Answer::Nothing)
        }
        Request::Ports => ports(shared).await,
        Request::Describe { units } => describe::describe(units, shared).await,
        Request::Enable { units, enabled } => ask(shared, Ask::Enable { units, enabled }).await,
        Request::Dial { port } => dial::dial(port, stream, shared).await,
        Request::Logs { units, range } => logs(units, &range, stream, shared).await,
    }
}

async fn ask(shared: &Shared, ask: Ask) -> Result<Answer, Failure> {
    let (reply, answer) = oneshot::channel();
    shared
        .commands
        .send(Command::Ask(ask, reply))
        .await
        .map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())?
}

/// Going through `/proc` takes a while: not on the thread that everything else runs on.
async fn ports(shared: &Shared) -> Result<Answer, Failure> {
    let (reply, handles) = oneshot::channel();
    shared
        .commands
        .send(Command::Handles(reply))
        .await
        .map_err(|_| stopping())?;
    let units = handles.await.map_err(|_| stopping())?;
    let (reply, found) = oneshot::channel();
    // A client that has gone needs no answer.
    launch::aside(Box::new(move || drop(reply.send(ports::look(&units))))).map_err(Failure::failed)?;
    found.await.map_err(|_| stopping())?.map(Answer::Ports)
}

pub(super) fn stopping() -> Failure {
    Failure::failed("the supervisor is stopping")
}

/// Events after `after`, as they are or as they come.
async fn events(
    mut after: u64,
    since: Option<Timestamp>,
    follow: bool,
    stream: &Stream,
    shared: &Shared,
) -> Result<(), Failure> {
    loop {
        // Registered before reading, so that an event in between wakes us.
        let told = shared.event_told.notified();
        let batch = shared.journal.borrow().after(after, since);
        let batch =
            batch.map_err(|error| Failure::failed("cannot read the event journal").because(&error))?;
        if batch.is_empty() {
            if !follow {
                return Ok(());
            }
            told.await;
        }
        for event in batch {
            after = event.seq.unwrap_or(after);
            stream.item(Item::Event(event)).await?;
        }
    }
}

async fn wait(
    units: Vec<String>,
    progress: bool,
    stream: &Stream,
    shared: &Shared,
) -> Result<Answer, Failure> {
    let waiting = ask(shared, Ask::Wait(units));
    if !progress {
        return waiting.await;
    }
    let after = shared.journal.borrow().last();
    tokio::select! {
        // What has been told is shown before the answer.
        biased;
        result = events(after, None, true, stream, shared) => result.map(|()| Answer::Nothing),
        answer = waiting => answer,
    }
}

async fn run_task(task: String, force: bool, stream: &Stream, shared: &Shared) -> Result<Answer, Failure> {
    let range = LogRange {
        tail: Some(0),
        follow: true,
        ..LogRange::default()
    };
    let mut reader = open(std::slice::from_ref(&task), &range, shared)?;
    let running = ask(shared, Ask::RunTask { task, force });
    tokio::pin!(running);
    let answer = loop {
        let grown = shared.log_grown.notified();
        while send_one(&mut reader, stream).await? {}
        tokio::select! {
            answer = &mut running => break answer,
            () = grown => {}
        }
    };
    // All of a task's output is in its log before its end is known.
    while send_one(&mut reader, stream).await? {}
    answer
}

async fn logs(
    units: Vec<String>,
    range: &LogRange,
    stream: &Stream,
    shared: &Shared,
) -> Result<Answer, Failure> {
    let known = shared.unit_names.borrow().clone();
    let units = if units.is_empty() { known.clone() } else { units };
    // A unit that has been removed is still known by its log.
    let is_unknown =
        |unit: &&String| !known.contains(unit) && !crate::logs::is_kept(&shared.log_directory, unit);
    if units == [DOCKER_DAEMON] {
        // It may be asked for even where the box is without it now.
    } else if let Some(unknown) = units.iter().find(is_unknown) {
        return Err(super::engine::unknown_unit(
            unknown,
            known.iter().map(String::as_str),
        ));
    }
    let mut reader = open(&units, range, shared)?;
    loop {
        let grown = shared.log_grown.notified();
        while send_one(&mut reader, stream).await? {}
        if !range.follow {
            return Ok(Answer::Nothing);
        }
        grown.await;
    }
}

fn open(units: &[String], range: &LogRange, shared: &Shared) -> Result<LogReader, Failure> {
    LogReader::open(&shared.log_directory, units, range)
        .map_err(|error| Failure::failed("cannot read the logs").because(&error))
}

/// Sends the next piece of a log, if there is one now.
async fn send_one(reader: &mut LogReader, stream: &Stream) -> Result<bool, Failure> {
    let next = reader
        .next()
        .map_err(|error| Failure::failed("cannot read the logs").because(&error))?;
    let Some((chunk, bytes)) = next else {
        return Ok(false);
    };
    stream.item(Item::Log(chunk)).await?;
    stream.data(bytes).await?;
    Ok(true)
}
