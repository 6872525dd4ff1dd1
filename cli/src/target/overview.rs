//! All boxes at a glance, with what their units do.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::UnitsReport;
use futures_util::StreamExt;

use super::{Target, seen};
use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::docker::Docker;

/// Records that are read at once.
const AT_ONCE: usize = 8;

/// The boxes of an engine.
#[derive(Debug)]
pub struct Overview {
    /// The boxes, the oldest first.
    pub boxes: Vec<BoxInfo>,
    /// Units that the relay knows, by the boxes' ids.
    known: HashMap<String, UnitsReport>,
}

impl Overview {
    /// Asks the relay, where there is one, else the engine; with `units`, also for them.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn look(context: &Context, docker: &Docker, units: bool) -> Result<Self, Failure> {
        let (boxes, _) = seen(context, docker, units).await?;
        let mut known = HashMap::new();
        let boxes = boxes.into_iter().map(|(info, units)| {
            known.extend(units.map(|units| (info.id.clone(), units)));
            info
        });
        Ok(Self {
            boxes: boxes.collect(),
            known,
        })
    }

    /// Summaries of the units of those boxes that run, by the boxes' ids. What the relay does not know is read from what
    /// the supervisors have recorded; a box of which nothing can be read is left out.
    pub async fn units(&self, docker: &Docker, shown: &[&BoxInfo]) -> HashMap<String, String> {
        let running = shown.iter().filter(|info| info.state == BoxState::Running);
        let summaries = running.map(|info| async {
            let units = match self.known.get(&info.id) {
                Some(units) => units.summary(),
                None => {
                    let target = Target::of(docker.clone(), (*info).clone(), None);
                    target.recorded().await.ok()?.summary()
                }
            };
            (!units.is_empty()).then(|| (info.id.clone(), units))
        });
        futures_util::stream::iter(summaries)
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await
    }
}
