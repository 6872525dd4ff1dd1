//! `agentbox timeline`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use agentbox_ctl::config;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{Event, UnitsReport};
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::{BoxInfo, BoxState};
use crate::context::Context;
use crate::target::Target;
use crate::terminal;
use crate::timeline::{self, Needs, Sources, Timeline};
use crate::ui;

/// Arguments of `timeline`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox timeline mybox
  agentbox timeline mybox --svg boot.svg
  agentbox timeline mybox --json | jq -r '.criticalPath[].unit'")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// Draw it into a file instead; - is stdout
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write it as a trace for chrome://tracing or Perfetto instead; - is stdout
    #[arg(long, value_name = "FILE")]
    chrome_trace: Option<PathBuf>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "box")]
    info: &'a BoxInfo,
    #[serde(flatten)]
    timeline: &'a Timeline,
}

/// Shows how the units of a box came up since its latest start.
///
/// # Errors
/// No such box (3), a supervisor that does not answer, a file that cannot be written (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let files = [&arguments.svg, &arguments.chrome_trace];
    let on_stdout = files.into_iter().flatten().filter(|path| is_stdout(path)).count();
    if on_stdout + usize::from(context.json) > 1 {
        return Err(Failure::usage(
            "only one of --svg, --chrome-trace and --json can go to stdout",
        ));
    }
    let (info, timeline) = on_runtime(look(arguments.name.as_deref(), context))?;
    if let Some(path) = &arguments.svg {
        write(context, path, &timeline::svg(&timeline, &info.name))?;
    }
    if let Some(path) = &arguments.chrome_trace {
        let trace = ui::json(&timeline::trace(&timeline, &info.name))?;
        write(context, path, &format!("{trace}\n"))?;
    }
    if context.json {
        context.ui.json(&Document {
            info: &info,
            timeline: &timeline,
        })?;
    } else if arguments.svg.is_none() && arguments.chrome_trace.is_none() {
        let (width, style) = (terminal::size().columns, context.ui.stdout_style());
        let text = timeline::text(&timeline, &info.name, usize::from(width), style);
        context.ui.data(&text)?;
    }
    Ok(Exit::SUCCESS)
}

/// Gathers what is known of the box.
async fn look(name: Option<&str>, context: &Context) -> Result<(BoxInfo, Timeline), Failure> {
    let target = Target::resolve(context, name).await?;
    let details = target.docker.inspect_container(&target.info.container_id).await?;
    let (units, events) = match target.info.state {
        BoxState::Running => live(&target).await?,
        _ => (target.recorded().await?, target.recorded_events().await?),
    };
    let until = match target.info.state {
        BoxState::Running => Some(Timestamp::now()),
        BoxState::Paused => None,
        BoxState::Stopped | BoxState::Dead => details.finished_at,
    };
    let needs = needs(context, &target).await;
    let timeline = Timeline::new(&Sources {
        started_at: details.started_at.unwrap_or(target.info.created_at),
        until,
        events: &events,
        units: &units,
        needs: needs.as_ref(),
    });
    Ok((target.info, timeline))
}

/// What the supervisor says.
async fn live(target: &Target) -> Result<(UnitsReport, Vec<Event>), Failure> {
    let channel = target.own_channel().await?;
    let events = channel.events().await?;
    Ok((channel.units().await?, events))
}

/// Who needs whom, by the box's `agentbox.yaml`. Where that cannot be read, all but the critical path can be shown.
async fn needs(context: &Context, target: &Target) -> Option<HashMap<String, Needs>> {
    let why = match target.configs().await {
        Ok((None, _)) => return Some(HashMap::new()),
        Ok((Some(content), _)) => {
            match config::load_bytes(&content, &config::LoadOptions::default()).config {
                Some(config) => {
                    let units = config.units.into_iter();
                    return Some(units.map(Needs::of).collect());
                }
                None => "it has mistakes".to_owned(),
            }
        }
        Err(failure) => ui::one_line(&failure.message).into_owned(),
    };
    context.ui.warning(&format!(
        "the agentbox.yaml of box `{}` does not say what its units need: {why}",
        target.info.name
    ));
    None
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn write(context: &Context, path: &Path, content: &str) -> Result<(), Failure> {
    if is_stdout(path) {
        return context.ui.data(content);
    }
    std::fs::write(path, content)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(&error))?;
    context.ui.status(&format!("wrote {}", path.display()));
    Ok(())
}
