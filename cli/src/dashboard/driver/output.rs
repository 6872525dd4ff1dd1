//! Output of units, for one subscription.

use std::time::Duration;

use agentbox_ctl::client::{Client, Part, connection_lost};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::logs::reader::LogReader;
use agentbox_ctl::protocol::message::{Item, LogRange, Request};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::super::model::{Input, LogNews};
use super::watch::{Deaf, Stop};
use crate::target::Target;

/// Lines of each unit that are shown from before.
const TAIL: u64 = 1_000;
/// What may come in one second. Nobody reads more; a part of what is more is passed over.
const RATE: usize = 4 << 20;
const SECOND: Duration = Duration::from_secs(1);
/// Largest log directory of a box that does not run that is copied to be shown, in bytes.
const LARGEST: u64 = 256 << 20;

/// A subscription under way; dropping it ends it.
pub(super) struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows the output of `units` (none: all).
pub(super) fn follow(
    client: Client,
    units: Vec<String>,
    subscription: u64,
    sender: mpsc::Sender<Input>,
) -> Task {
    Task(tokio::spawn(async move {
        let teller = Teller { subscription, sender };
        let range = LogRange {
            tail: Some(TAIL),
            follow: true,
            ..LogRange::default()
        };
        let request = Request::Logs { units, range };
        if teller.tell(LogNews::Begin).await.is_err() {
            return;
        }
        loop {
            match stream(&client, &request, &teller).await {
                // The next one begins with what is newest by then.
                Ok(End::TooFast) => {}
                Ok(End::Over) | Err(Stop::Deaf) => return,
                Err(Stop::Failed(failure)) => {
                    // What became of the box is told by who watches it.
                    if failure.message != connection_lost().message {
                        let _ = teller.tell(LogNews::Note(failure.message)).await;
                    }
                    return;
                }
            }
        }
    }))
}

enum End {
    Over,
    TooFast,
}

/// Passes on one stream, until it brings more than can be shown.
async fn stream(client: &Client, request: &Request, teller: &Teller) -> Result<End, Stop> {
    let mut call = client.call(request).await?;
    let mut unit = None;
    let (mut second, mut bytes_in_it) = (Instant::now(), 0);
    loop {
        match call.next().await? {
            Part::Item(Item::Log(head)) => unit = Some(head.unit),
            Part::Data(bytes) => {
                let Some(unit) = unit.take() else {
                    return Err(Failure::failed("the supervisor sent log output out of order").into());
                };
                if second.elapsed() >= SECOND {
                    (second, bytes_in_it) = (Instant::now(), 0);
                }
                bytes_in_it += bytes.len();
                teller.tell(LogNews::Output { unit, bytes }).await?;
                if bytes_in_it > RATE {
                    drop(call);
                    sleep_until(second + SECOND).await;
                    let note = "more output than can be shown: some of it is left out";
                    teller.tell(LogNews::Note(note.to_owned())).await?;
                    return Ok(End::TooFast);
                }
            }
            Part::Done(_) => return Ok(End::Over),
            Part::Item(Item::Event(_) | Item::Opened) => {}
        }
    }
}

/// Shows the newest output that lies on the disk of a box that does not run; `copy` has it from the first time on.
///
/// # Errors
/// Nobody who listens.
pub(super) async fn recorded(
    target: &Target,
    copy: &mut Option<TempDir>,
    units: Vec<String>,
    subscription: u64,
    sender: &mpsc::Sender<Input>,
) -> Result<(), Deaf> {
    let teller = Teller {
        subscription,
        sender: sender.clone(),
    };
    teller.tell(LogNews::Begin).await?;
    if copy.is_none() {
        match target.download_logs_within(LARGEST).await {
            Ok(directory) => *copy = Some(directory),
            Err(failure) => {
                let hint = format!("{}: agentbox logs {}", failure.message, target.info.name);
                return teller.tell(LogNews::Note(hint)).await;
            }
        }
    }
    let Some(directory) = copy.as_ref().map(|copy| copy.path().to_owned()) else {
        return Ok(());
    };
    let read = tokio::task::spawn_blocking(move || newest(&directory, &units));
    let pieces = match read.await {
        Ok(Ok(pieces)) => pieces,
        Ok(Err(error)) => {
            return teller
                .tell(LogNews::Note(format!("cannot read the logs: {error}")))
                .await;
        }
        Err(_) => return Ok(()),
    };
    for (unit, bytes) in pieces {
        teller.tell(LogNews::Output { unit, bytes }).await?;
    }
    Ok(())
}

/// The newest output in a directory of logs, in bounds.
fn newest(directory: &std::path::Path, units: &[String]) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let range = LogRange {
        tail: Some(TAIL),
        ..LogRange::default()
    };
    let mut reader = LogReader::open(directory, units, &range)?;
    let mut pieces = std::collections::VecDeque::new();
    let mut held = 0;
    while let Some((chunk, bytes)) = reader.next()? {
        held += bytes.len();
        pieces.push_back((chunk.unit, bytes));
        while held > RATE {
            let Some((_, oldest)) = pieces.pop_front() else {
                break;
            };
            held -= oldest.len();
        }
    }
    Ok(pieces.into())
}

struct Teller {
    subscription: u64,
    sender: mpsc::Sender<Input>,
}

impl Teller {
    async fn tell(&self, news: LogNews) -> Result<(), Deaf> {
        let input = Input::Logs(self.subscription, news);
        self.sender.send(input).await.map_err(|_| Deaf)
    }
}
