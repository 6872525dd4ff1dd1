//! `agentbox checkpoint list`.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

use super::super::df::human;
use super::super::on_runtime;
use crate::Exit;
use crate::boxes::{self, BoxInfo};
use crate::checkpoint::{self, Catalog, Checkpoint, Parent};
use crate::context::Context;
use crate::docker::Docker;
use crate::project::Project;
use crate::ui::{duration, one_line};

/// Arguments of `checkpoint list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "OWN is what a checkpoint takes beside what it lies on, SIZE all of it.

Examples:
  agentbox checkpoint list
  agentbox checkpoint list -g --json"
)]
pub(super) struct Arguments {
    /// The checkpoints of all projects
    #[arg(short, long)]
    global: bool,
}

/// A checkpoint, as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row<'a> {
    name: &'a str,
    id: &'a str,
    tag: &'a str,
    project: &'a str,
    host: &'a str,
    /// The box that it was made of.
    #[serde(rename = "box")]
    source_box: &'a str,
    bytes: i64,
    /// What it takes beside what it lies on; `null` where that is gone.
    own_bytes: Option<i64>,
    created_at: Option<Timestamp>,
    parents: &'a [Parent],
    /// Names of the boxes that were made from it.
    boxes: Vec<&'a str>,
    default: bool,
    depth: usize,
    head: Option<&'a str>,
    image: &'a str,
    version: &'a str,
}

impl<'a> Row<'a> {
    pub(super) fn of(checkpoint: &'a Checkpoint, boxes: &'a [BoxInfo], sizes: &HashMap<String, i64>) -> Self {
        let record = &checkpoint.record;
        let own_bytes = match (record.depth, beneath(checkpoint)) {
            (0, _) => Some(checkpoint.size),
            (_, id) => sizes.get(id).map(|size| (checkpoint.size - size).max(0)),
        };
        Self {
            name: &checkpoint.name,
            id: &checkpoint.id,
            tag: &checkpoint.tag,
            project: &record.project,
            host: &record.host,
            source_box: &record.source_box,
            bytes: checkpoint.size,
            own_bytes,
            created_at: record.time,
            parents: &record.parents,
            boxes: checkpoint::boxes_of(boxes, checkpoint)
                .map(|info| info.name.as_str())
                .collect(),
            default: checkpoint.is_default,
            depth: record.depth,
            head: record.head.as_deref(),
            image: &record.image,
            version: &record.version,
        }
    }
}

/// Id of the image that a checkpoint lies on.
fn beneath(checkpoint: &Checkpoint) -> &str {
    let record = &checkpoint.record;
    record
        .parents
        .first()
        .map_or(record.image_id.as_str(), |parent| parent.id.as_str())
}

/// Sizes of the images that checkpoints lie on, by id.
///
/// # Errors
/// Those of the engine.
pub(super) async fn sizes(
    docker: &Docker,
    catalog: &Catalog,
    shown: &[&Checkpoint],
) -> Result<HashMap<String, i64>, Failure> {
    let mut sizes: HashMap<String, i64> = catalog
        .checkpoints
        .iter()
        .map(|checkpoint| (checkpoint.id.clone(), checkpoint.size))
        .collect();
    for checkpoint in shown {
        let id = beneath(checkpoint);
        // A label may say anything; an id is nothing but an id.
        let is_id = id
            .strip_prefix("sha256:")
            .is_some_and(|digits| digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if is_id
            && !sizes.contains_key(id)
            && let Some(image) = docker.inspect_image(id).await?
        {
            sizes.insert(id.to_owned(), image.size);
        }
    }
    Ok(sizes)
}

/// Lists checkpoints.
///
/// # Errors
/// Those of the engine.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let key = checkpoint::key_of(&Project::find(&context.directory)?);
        let (catalog, observed) = tokio::try_join!(Catalog::load(&docker), boxes::observe(&docker))?;
        let shown: Vec<&Checkpoint> = if arguments.global {
            catalog.checkpoints.iter().collect()
        } else {
            catalog.of_key(&key).collect()
        };
        let sizes = sizes(&docker, &catalog, &shown).await?;
        let rows: Vec<Row<'_>> = shown
            .iter()
            .map(|checkpoint| Row::of(checkpoint, &observed.boxes, &sizes))
            .collect();
        if context.json {
            context.ui.json(&rows)?;
        } else if rows.is_empty() {
            context.ui.status("there are no checkpoints");
            context
                .ui
                .hint(if arguments.global || catalog.checkpoints.is_empty() {
                    "agentbox checkpoint create"
                } else {
                    "agentbox checkpoint list -g shows those of other projects"
                });
        } else {
            context
                .ui
                .data(&table(&rows, arguments.global, Timestamp::now()))?;
        }
        Ok(Exit::SUCCESS)
    })
}

fn table(rows: &[Row<'_>], global: bool, now: Timestamp) -> String {
    let mut header = vec!["NAME", "ID", "SIZE", "OWN", "AGE", "PARENTS", "BOXES", "DEFAULT"];
    if global {
        header.push("PROJECT");
    }
    let mut lines = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for row in rows {
        let parents: Vec<_> = row.parents.iter().map(|parent| parent.name.as_str()).collect();
        let or_none = |names: &[&str]| match names {
            [] => "-".to_owned(),
            names => one_line(&names.join(",")).into_owned(),
        };
        let digits = row.id.strip_prefix("sha256:").unwrap_or(row.id);
        let mut line = vec![
            row.name.to_owned(),
            digits.chars().take(12).collect(),
            human(row.bytes),
            row.own_bytes.map_or_else(|| "-".to_owned(), human),
            row.created_at
                .map_or_else(|| "-".to_owned(), |time| duration(time, now)),
            or_none(&parents),
            or_none(&row.boxes),
            if row.default { "yes" } else { "-" }.to_owned(),
        ];
        if global {
            line.push(one_line(row.project).into_owned());
        }
        lines.push(line);
    }
    align(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::sample;
    use crate::checkpoint::{Key, Record};

    #[test]
    fn what_is_told_of_each() {
        let key = Key::of("/p", "h");
        let checkpoint = |name: &str, id: &str, size, depth, parents: &[&str]| Checkpoint {
            id: format!("sha256:{id}"),
            tag: key.tag(name),
            key: key.clone(),
            name: name.to_owned(),
            is_default: name == "cold",
            size,
            record: Record {
                project: "/p".to_owned(),
                depth,
                image_id: "sha256:base".to_owned(),
                time: Some(Timestamp::from_millis(0)),
                parents: parents
                    .iter()
                    .map(|name| Parent {
                        name: (*name).to_owned(),
                        id: "sha256:1111".to_owned(),
                    })
                    .collect(),
                ..Record::default()
            },
        };
        let all = [
            checkpoint("cold", "1111", 3 << 20, 1, &[]),
            checkpoint("warm", "2222", 4 << 20, 2, &["cold"]),
            checkpoint("flat", "3333", 2 << 20, 0, &["warm", "cold"]),
        ];
        let mut boxes = vec![sample("shop", "/p", "h", "aaaa")];
        boxes[0].image_id = "sha256:2222".to_owned();
        let sizes = HashMap::from([("sha256:1111".to_owned(), 3 << 20)]);
        let rows: Vec<_> = all.iter().map(|one| Row::of(one, &boxes, &sizes)).collect();
        insta::assert_snapshot!(table(&rows, true, Timestamp::from_millis(7_200_000)), @r"
        NAME  ID    SIZE   OWN    AGE  PARENTS    BOXES  DEFAULT  PROJECT
        cold  1111  3 MiB  -      2h   -          -      yes      /p
        warm  2222  4 MiB  1 MiB  2h   cold       shop   -        /p
        flat  3333  2 MiB  2 MiB  2h   warm,cold  -      -        /p
        ");
    }
}
