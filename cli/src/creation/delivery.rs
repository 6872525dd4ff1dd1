//! Sends a project to a box that has just been started and waits for it.
//!
//! ```text
//! Content, in a thread ─► pipe (bounded) ─► stdin of PID 1
//!    ▲                             output of PID 1 ─► "seed: done"
//!    └─ what a box from a checkpoint needs ──┘
//! ```

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::seed_answer;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::docker::{Attached, Channel, Docker};
use crate::lifecycle::{ReadyLine, ended_at_start};
use crate::plan::create::Warm;
use crate::seed::{Content, Report, Source, Warmth, pipe};
use crate::ui::{Meter, Ui, files_and_bytes, size};

/// Everything that one box gets.
#[derive(Debug)]
pub(super) struct Parcel {
    /// The project.
    pub(super) source: Arc<Source>,
    /// Content of `agentbox.yaml`.
    pub(super) config: Option<Vec<u8>>,
    /// Paths below the workspace that are in place already.
    pub(super) placed: HashSet<PathBuf>,
    /// Set where the workspace is a checkpoint's.
    pub(super) warm: Option<Warm>,
    /// The box's name.
    pub(super) name: String,
    /// Shows how far it is.
    pub(super) meter: Meter,
}

/// Sends it; returns when the box has everything in place.
///
/// # Errors
/// A project that cannot be read; a box that cannot take it, with what it said.
pub(super) async fn send(
    docker: &Docker,
    container: &str,
    parcel: Parcel,
    attached: &mut Attached,
    line: &mut ReadyLine,
) -> Result<Report, Failure> {
    let name = parcel.name.clone();
    let (answering, answers) = mpsc::channel();
    let is_warm = parcel.warm.is_some();
    let warmth = parcel.warm.map(|warm| Warmth {
        base: warm.base,
        answers,
    });
    let (stream, writing) = pipe::produce(move |writer| {
        let content = Content {
            source: &parcel.source,
            config: parcel.config.as_deref(),
            placed: &parcel.placed,
            warmth: warmth.as_ref(),
        };
        content.write(&parcel.name, writer, parcel.meter)
    });
    let Attached { output, stdin } = attached;
    let mut feeding = std::pin::pin!(feed(stream, stdin));
    let mut fed = false;
    let mut reader = is_warm.then(seed_answer::Reader::default);
    let ended = loop {
        if line.is_seeded() {
            break false;
        }
        tokio::select! {
            result = &mut feeding, if !fed => match result {
                // Where the box takes no more, it says why.
                Fed::All | Fed::Refused => fed = true,
                Fed::Broken => break false,
            },
            part = output.next() => match part {
                Some(part) => match (part?, &mut reader) {
                    ((Channel::Stdout, bytes), Some(reader)) => {
                        let mut others = Vec::new();
                        if let Some(answers) = reader.take(&bytes, &mut others) {
                            // The thread may have failed; it tells.
                            let _ = answering.send(answers);
                        }
                        line.feed(Channel::Stdout, &others);
                    }
                    ((channel, bytes), _) => {
                        line.feed(channel, &bytes);
                    }
                },
                None => break true,
            },
        }
    };
    if ended {
        // The thread sees that nobody reads and ends as well; what it says is only that.
        return Err(ended_at_start(docker, container, &name, line).await);
    }
    writing
        .await
        .map_err(|error| Failure::failed("cannot pack the project").because(&error))?
}

/// How feeding ended.
enum Fed {
    /// Everything is on its way.
    All,
    /// The box takes no more.
    Refused,
    /// The project could not be read; the thread that reads it knows more.
    Broken,
}

async fn feed(
    stream: impl Stream<Item = std::io::Result<bytes::Bytes>>,
    stdin: &mut (impl AsyncWrite + Unpin),
) -> Fed {
    let mut stream = std::pin::pin!(stream);
    while let Some(piece) = stream.next().await {
        let Ok(piece) = piece else {
            return Fed::Broken;
        };
        if stdin.write_all(&piece).await.is_err() {
            return Fed::Refused;
        }
    }
    match stdin.flush().await {
        Ok(()) => Fed::All,
        Err(_) => Fed::Refused,
    }
}

/// Says what a user may not expect of the copy.
pub(super) fn tell(ui: &Ui, report: &Report, without_history: bool) {
    for warning in &report.warnings {
        ui.warning(warning);
    }
    for note in &report.notes {
        ui.status(note);
    }
    if without_history {
        ui.status("the image has no git: the box has the files without their history");
    }
    let kept = match report.kept {
        0 => String::new(),
        kept => format!("; {kept} files were there already"),
    };
    ui.detail(&format!(
        "copied {}, and {} of history{kept}",
        files_and_bytes(report.files, report.bytes),
        size(report.history)
    ));
}
