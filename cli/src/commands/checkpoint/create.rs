//! `agentbox checkpoint create`.

use agentbox_ctl::failure::Failure;
use serde::Serialize;

use super::super::on_runtime;
use crate::Exit;
use crate::boxes::BoxState;
use crate::checkpoint::{self, Taken, Wanted};
use crate::context::Context;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::project::Project;
use crate::project_config;
use crate::settings::Layers;
use crate::target::Target;
use crate::ui::{one_line, size};

/// Arguments of `checkpoint create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the checkpoint's name. The box stays as it is: one that runs is paused for as long as its files are
read. Volumes are not in a checkpoint.

Examples:
  agentbox checkpoint create
  agentbox checkpoint create mybox --name warm --set-default
  agentbox checkpoint create mybox --name warm --replace --stop"
)]
pub(super) struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    box_name: Option<String>,
    /// Name of the checkpoint; else the box's, with a number where that is taken and not to be replaced
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Make it the one that `agentbox create` starts from in this project
    #[arg(long)]
    set_default: bool,
    /// Take the name from the checkpoint that has it
    #[arg(long)]
    replace: bool,
    /// Make one layer of it, however few there are; else layers lie upon each other, up to checkpoint.max_depth
    #[arg(long)]
    merged: bool,
    /// Stop the box first, so that its services have written what they hold; it stays stopped
    #[arg(long)]
    stop: bool,
}

/// What was made, as `--json` has it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    name: &'a str,
    id: &'a str,
    tag: &'a str,
    #[serde(rename = "box")]
    source_box: &'a str,
    state: BoxState,
    paused_ms: Option<u64>,
    default: bool,
    depth: usize,
}

/// Takes a checkpoint of a box.
///
/// # Errors
/// No such box (3), a name that is none (2) or is taken, those of the engine.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve(context, arguments.box_name.as_deref()).await?;
        let mut interrupt = Interrupt::new()?;
        let wanted = Wanted {
            merged: arguments.merged,
            max_depth: max_depth(context)?,
            name: arguments.name.clone(),
            replace: arguments.replace,
            stop: arguments.stop,
            set_default: arguments.set_default,
        };
        let taking = checkpoint::take(context, &target.docker, &target.info, &wanted, &mut interrupt);
        match taking.await {
            Ok(taken) => {
                report(context, &taken)?;
                Ok(Exit::SUCCESS)
            }
            Err(Stopped::Failed(failure)) => Err(failure),
            Err(Stopped::Interrupted) => {
                context.ui.status("interrupted: no checkpoint was made");
                Ok(interrupt::EXIT)
            }
        }
    })
}

/// The setting, of the project that the command is called in: a box may be another machine's.
fn max_depth(context: &Context) -> Result<usize, Failure> {
    let project = Project::find(&context.directory)?;
    let defaults = project_config::of_project(&project).map(|file| file.config.defaults);
    let layers = Layers::load(context, Some(&project.root), &defaults.unwrap_or_default())?;
    Ok(layers
        .value("checkpoint.max_depth")
        .and_then(|row| row.text.parse().ok())
        .unwrap_or_default())
}

fn report(context: &Context, taken: &Taken) -> Result<(), Failure> {
    let made = &taken.checkpoint;
    let how = match (taken.state, taken.paused) {
        (BoxState::Running, Some(paused)) => format!("was paused for {:.1} s", paused.as_secs_f64()),
        (state, _) => format!("is {state}"),
    };
    context.ui.status(&format!(
        "checkpoint `{}` of box `{}`, {} (the box {how})",
        made.name,
        one_line(&made.record.source_box),
        size(u64::try_from(made.size).unwrap_or_default()),
    ));
    let is_ours = made.key == checkpoint::key_of(&Project::find(&context.directory)?);
    match (is_ours, made.is_default) {
        (true, true) => context
            .ui
            .status("agentbox create starts from it in this project; --from none does not"),
        (true, false) => {}
        (false, is_default) => {
            let default = if is_default { ", and its default" } else { "" };
            context.ui.status(&format!(
                "it is one of the box's project{default}: {}",
                one_line(&made.record.project)
            ));
            context.ui.hint(&format!(
                "agentbox create --from {} starts from it in another project",
                made.tag
            ));
        }
    }
    if context.json {
        return context.ui.json(&Document {
            name: &made.name,
            id: &made.id,
            tag: &made.tag,
            source_box: &made.record.source_box,
            state: taken.state,
            paused_ms: taken
                .paused
                .map(|paused| u64::try_from(paused.as_millis()).unwrap_or(u64::MAX)),
            default: made.is_default,
            depth: made.record.depth,
        });
    }
    context.ui.line(&made.name)
}
