//! `agentbox image build` and `agentbox image list`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;
use agentbox_ctl::time::Timestamp;
use clap::Subcommand;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::label;
use crate::context::Context;
use crate::docker::Docker;
use crate::image;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::ui::one_line;

/// Arguments of `image`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Build the base image, from a registry or else from Debian's packages
    Build(BuildArguments),
    /// List the images that agentbox made
    #[command(alias = "ls")]
    List,
}

/// Arguments of `image build`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without a registry it installs Debian packages into a new root file system with mmdebstrap, as
root on Debian; that takes a minute.

Examples:
  agentbox image build
  agentbox image build --tag mine/base:1"
)]
struct BuildArguments {
    /// Tag of the image
    #[arg(long, value_name = "REF", default_value = image::DEFAULT)]
    tag: String,
}

/// One image, as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    tags: Vec<String>,
    kind: String,
    created_at: Timestamp,
    bytes: i64,
}

/// Builds or lists images.
///
/// # Errors
/// A build that fails, those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        match &arguments.command {
            Command::Build(arguments) => build(context, &docker, &arguments.tag).await,
            Command::List => list(context, &docker).await,
        }
    })
}

async fn build(context: &Context, docker: &Docker, tag: &str) -> Result<Exit, Failure> {
    let mut interrupt = Interrupt::new()?;
    match image::build::build(context, docker, tag, &mut interrupt).await {
        Ok(()) => {
            if !context.json {
                context.ui.line(tag)?;
                return Ok(Exit::SUCCESS);
            }
            let details = docker.inspect_image(tag).await?.unwrap_or_default();
            context
                .ui
                .json(&serde_json::json!({"id": details.id, "tags": [tag]}))?;
            Ok(Exit::SUCCESS)
        }
        Err(Stopped::Failed(failure)) => Err(failure),
        Err(Stopped::Interrupted) => {
            context.ui.status("interrupted: no image was made");
            Ok(interrupt::EXIT)
        }
    }
}

async fn list(context: &Context, docker: &Docker) -> Result<Exit, Failure> {
    let rows: Vec<Row> = docker
        .list_images(label::IMAGE)
        .await?
        .into_iter()
        .filter(image::is_own)
        .map(|image| Row {
            kind: image.labels.get(label::IMAGE).cloned().unwrap_or_default(),
            id: image.id,
            tags: image.tags,
            created_at: Timestamp::from_millis(u64::try_from(image.created).unwrap_or_default() * 1000),
            bytes: image.size,
        })
        .collect();
    if context.json {
        context.ui.json(&rows)?;
    } else if rows.is_empty() {
        context.ui.status("there are no images of agentbox's");
        context.ui.hint("agentbox image build");
    } else {
        let mut lines = vec![["IMAGE", "KIND", "CREATED", "SIZE"].map(str::to_owned).to_vec()];
        lines.extend(rows.iter().map(|row| {
            vec![
                one_line(row.tags.first().unwrap_or(&row.id)).into_owned(),
                one_line(&row.kind).into_owned(),
                row.created_at.to_string(),
                super::df::human(row.bytes),
            ]
        }));
        context.ui.data(&align(&lines))?;
    }
    Ok(Exit::SUCCESS)
}
