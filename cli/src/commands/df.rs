//! `agentbox df`.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::{self, label};
use crate::checkpoint::Catalog;
use crate::context::Context;
use crate::docker::Docker;
use crate::image;
use crate::ui::{one_line, size};

/// Arguments of `df`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sizes of boxes and volumes are their own; those of checkpoints and images include layers
that others share.

Examples:
  agentbox df
  agentbox df --json"
)]
pub struct Arguments {}

/// One thing that takes space.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Row {
    kind: &'static str,
    name: String,
    /// The box that it belongs to.
    #[serde(rename = "box")]
    box_name: Option<String>,
    bytes: i64,
}

/// Shows which box, volume, checkpoint and image takes how much.
///
/// # Errors
/// Those of the engine.
pub fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let step = context.ui.step("counting");
        let (observed, volumes, images, catalog, usage) = tokio::try_join!(
            boxes::observe(&docker),
            async { Ok(docker.list_volumes(label::ID, false).await?) },
            async { Ok(docker.list_images(label::IMAGE).await?) },
            Catalog::load(&docker),
            async { Ok(docker.disk_usage().await?) },
        )?;
        drop(step);
        let names: HashMap<&str, &str> = observed
            .boxes
            .iter()
            .map(|info| (info.id.as_str(), info.name.as_str()))
            .collect();
        let taken = |sizes: &HashMap<String, i64>, key: &str| sizes.get(key).copied().unwrap_or_default();
        let boxes = observed.boxes.iter().map(|info| Row {
            kind: "box",
            name: info.name.clone(),
            box_name: Some(info.name.clone()),
            bytes: taken(&usage.containers, &info.container_id),
        });
        let half_made = observed.half_made.iter().map(|half| Row {
            kind: "half-made",
            name: half.id.clone(),
            box_name: None,
            bytes: taken(&usage.containers, &half.container_id),
        });
        let volumes = volumes.iter().map(|volume| Row {
            kind: "volume",
            name: volume.name.clone(),
            box_name: volume
                .labels
                .get(label::ID)
                .and_then(|id| names.get(id.as_str()))
                .map(|name| (*name).to_owned()),
            bytes: taken(&usage.volumes, &volume.name),
        });
        let checkpoints = catalog.checkpoints.iter().map(|checkpoint| Row {
            kind: "checkpoint",
            name: checkpoint.tag.clone(),
            box_name: None,
            bytes: checkpoint.size,
        });
        let images = images
            .iter()
            .filter(|image| image::is_own(image))
            .map(|image| Row {
                kind: "image",
                name: image.tags.first().unwrap_or(&image.id).clone(),
                box_name: None,
                bytes: image.size,
            });
        let rows: Vec<Row> = boxes
            .chain(half_made)
            .chain(volumes)
            .chain(checkpoints)
            .chain(images)
            .collect();
        if context.json {
            context.ui.json(&rows)?;
        } else if rows.is_empty() {
            context.ui.status("agentbox takes no space on this engine");
        } else {
            context.ui.data(&table(&rows))?;
        }
        Ok(Exit::SUCCESS)
    })
}

fn table(rows: &[Row]) -> String {
    let mut lines = vec![["KIND", "NAME", "BOX", "SIZE"].map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| {
        vec![
            row.kind.to_owned(),
            one_line(&row.name).into_owned(),
            row.box_name.clone().unwrap_or_else(|| "-".to_owned()),
            human(row.bytes),
        ]
    }));
    let total = rows.iter().map(|row| row.bytes).sum();
    lines.push(vec![
        "total".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
        human(total),
    ]);
    align(&lines)
}

/// A size that an engine tells; negative where it does not know.
pub(super) fn human(bytes: i64) -> String {
    size(u64::try_from(bytes).unwrap_or_default())
}
