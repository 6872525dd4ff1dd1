//! A checkpoint as one layer.
//!
//! ```text
//! box that runs ─ commit ─► temporary image ─► container, never started ─┐
//! box that is paused or stopped ─────────────────────────────────────────┴─► export ─► filter ─► import ─► image
//! ```
//!
//! Nothing is written down on the way, and the image appears whole or not at all: an import whose stream ends in an
//! error makes none.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use agentbox_ctl::failure::Failure;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::changes::changes;
use super::commit::commit;
use super::filter::Filter;
use super::still::{Still, remove_image};
use super::survey::Survey;
use crate::boxes::maker::Maker;
use crate::boxes::{BoxInfo, label};
use crate::context::Context;
use crate::docker::{Docker, DockerError};
use crate::interrupt::{Interrupt, Stopped};
use crate::ui::Meter;

/// An image of one layer.
#[derive(Debug)]
pub(super) struct Flat {
    /// Its id.
    pub(super) image: String,
    /// How long the box was frozen, where it ran.
    pub(super) paused: Option<Duration>,
}

/// Makes an image with these labels of a box's files.
///
/// # Errors
/// Those of the engine, a signal. No image is left then.
pub(super) async fn flatten(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    runs: bool,
    survey: &Survey,
    labels: &HashMap<String, String>,
    interrupt: &mut Interrupt,
) -> Result<Flat, Stopped> {
    let step = context
        .ui
        .step(&format!("flattening a checkpoint of box `{}`", info.name));
    let work = Work {
        context,
        docker,
        survey,
        labels,
        meter: step.meter(),
    };
    if !runs {
        return Ok(Flat {
            image: interrupt.guard(work.of_container(&info.container_id)).await?,
            paused: None,
        });
    }
    let begun = Instant::now();
    // It is no checkpoint, whatever the box was made from.
    let temporary = HashMap::from([
        (label::TEMPORARY.to_owned(), Maker::current().encode()),
        (label::CHECKPOINT.to_owned(), String::new()),
    ]);
    let image = commit(context, docker, info, &survey.image, &temporary, interrupt).await?;
    let paused = begun.elapsed();
    let result = match Still::of_image(docker, &image, &info.name).await {
        Ok(still) => {
            let result = interrupt.guard(work.of_container(&still.container)).await;
            still.remove(context, docker).await;
            result
        }
        Err(failure) => Err(failure.into()),
    };
    remove_image(context, docker, &image).await;
    Ok(Flat {
        image: result?,
        paused: Some(paused),
    })
}

/// What flattening one box takes.
struct Work<'a> {
    context: &'a Context,
    docker: &'a Docker,
    survey: &'a Survey,
    labels: &'a HashMap<String, String>,
    meter: Meter,
}

impl Work<'_> {
    async fn of_container(&self, container: &str) -> Result<String, Failure> {
        let (lines, left_out) = changes(&self.survey.image, self.labels);
        for what in left_out {
            self.context
                .ui
                .warning(&format!("left out of the flattened image: {what}"));
        }
        let mut spared = HashSet::new();
        loop {
            let outcome = Arc::new(Mutex::new(HashSet::new()));
            let export = self.docker.export(container);
            let stream = filtered(
                export,
                Filter::new(&self.survey.home, spared.clone()),
                self.meter.clone(),
                Arc::clone(&outcome),
            );
            let result = self.docker.import_unnamed(&lines, stream).await;
            let missed = std::mem::take(&mut *outcome.lock().unwrap_or_else(PoisonError::into_inner));
            // Files that have a second name elsewhere cannot be left out; a second look knows which they are.
            if missed.is_subset(&spared) {
                return Ok(result?);
            }
            spared.extend(missed);
        }
    }
}

/// What the filter keeps, or an error where that is not whole. `missed` gets what the filter tells at its end.
fn filtered(
    export: impl Stream<Item = Result<Bytes, DockerError>> + Send + Unpin + 'static,
    filter: Filter,
    meter: Meter,
    missed: Arc<Mutex<HashSet<Vec<u8>>>>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let state = Some((export, filter));
    let batches = futures_util::stream::unfold(state, move |state| {
        let meter = meter.clone();
        let missed = Arc::clone(&missed);
        async move {
            let (mut export, mut filter) = state?;
            let mut kept = Vec::new();
            match export.next().await {
                Some(Ok(piece)) => {
                    meter.bytes(piece.len() as u64);
                    if let Err(error) = filter.feed(piece, &mut kept) {
                        return Some((vec![Err(io::Error::other(error))], None));
                    }
                    // Only to learn the rest of what is missed.
                    if filter.is_vain() {
                        kept.clear();
                    }
                    Some((kept.into_iter().map(Ok).collect(), Some((export, filter))))
                }
                Some(Err(error)) => Some((vec![Err(io::Error::other(error))], None)),
                None => match filter.finish() {
                    Ok(found) if found.is_empty() => None,
                    Ok(found) => {
                        *missed.lock().unwrap_or_else(PoisonError::into_inner) = found;
                        Some((vec![Err(io::Error::other("it has to be read again"))], None))
                    }
                    Err(error) => Some((vec![Err(io::Error::other(error))], None)),
                },
            }
        }
    });
    batches.map(futures_util::stream::iter).flatten()
}
