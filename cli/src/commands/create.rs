//! `agentbox create`.

use std::path::PathBuf;

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::creation::{self, Made};
use crate::docker::Docker;
use crate::image;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::plan::create::Settings;
use crate::plan::limit;
use crate::project::Project;
use crate::project_config;
use crate::readiness::{self, Wanted};
use crate::target::Channel;
use crate::ui::one_line;
use crate::wizard;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the box's name. Nothing is left behind when it fails or is interrupted.

Examples:
  agentbox create
  agentbox create -n review --wait --memory 4g --env API_KEY
  agentbox create --image node:22 --volume cache:/home/node/.npm"
)]
pub struct Arguments {
    /// Name of the box; else the project's, with a number where that is taken
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The project's directory; else the nearest one upwards with an agentbox.yaml, or the git top level
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Image of the box
    #[arg(long, value_name = "REF", default_value = image::DEFAULT)]
    image: String,
    /// Return when the units are ready, with the exit code of `agentbox wait`
    #[arg(long)]
    wait: bool,
    /// Memory limit, such as 4g
    #[arg(long, value_name = "SIZE", value_parser = limit::memory)]
    memory: Option<i64>,
    /// CPU limit, such as 2 or 0.5
    #[arg(long, value_name = "NUMBER", value_parser = limit::cpus)]
    cpus: Option<i64>,
    /// Limit of processes and threads
    #[arg(long, value_name = "NUMBER", value_parser = limit::pids, default_value_t = limit::DEFAULT_PIDS)]
    pids: i64,
    /// Environment of everything in the box; KEY alone takes its value from here. Can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = limit::variable)]
    env: Vec<(String, String)>,
    /// A volume of the box's own, removed with it. Can be given several times
    #[arg(long, value_name = "NAME:PATH", value_parser = limit::volume)]
    volume: Vec<(String, String)>,
    /// `none`, or a network of the engine
    #[arg(long, value_name = "none|NAME", value_parser = limit::network)]
    network: Option<String>,
    /// A capability beyond Docker's default set. Can be given several times
    #[arg(long, value_name = "CAP", value_parser = limit::capability)]
    cap_add: Vec<String>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    /// No setup wizard where there is no agentbox.yaml
    #[arg(long)]
    no_wizard: bool,
}

/// Makes and starts a box.
///
/// # Errors
/// Mistakes in `agentbox.yaml` or on the command line (2), a name that is taken, an image that cannot be had or
/// used (1), with `--wait` those of `wait`.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let directory = match &arguments.project {
        Some(directory) => context.directory.join(directory),
        None => context.directory.clone(),
    };
    let project = Project::find(&directory)?;
    refuse_too_much(&project, context)?;
    let Some(project) = wizard::before_create(context, project, arguments.yes, arguments.no_wizard)? else {
        return Ok(interrupt::EXIT);
    };
    // Before anything of Docker's: a mistake is told without an engine, too.
    let config = project_config::of_project(&project)?;
    let settings = settings(arguments)?;
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let mut interrupt = Interrupt::new()?;
        let made = match creation::create(context, &docker, &project, config, &settings, &mut interrupt).await
        {
            Ok(made) => made,
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Interrupted) => {
                context.ui.status("interrupted: no box was made");
                return Ok(interrupt::EXIT);
            }
        };
        report(context, &made)?;
        if !arguments.wait {
            return Ok(Exit::SUCCESS);
        }
        let waiting = async {
            let channel = Channel::open(&docker, &made.info.container_id, &made.info.name).await?;
            readiness::wait(&context.ui, &channel.client, &made.info.name, &Wanted::default())
                .await
                .map_err(|failure| channel.explain(failure))
        };
        match interrupt.guard(waiting).await {
            Ok(_) => Ok(Exit::SUCCESS),
            Err(Stopped::Failed(failure)) => Err(failure),
            // The box stays, as it does when waiting fails.
            Err(Stopped::Interrupted) => Ok(interrupt::EXIT),
        }
    })
}

fn report(context: &Context, made: &Made) -> Result<(), Failure> {
    let info = &made.info;
    context.ui.status(&format!(
        "box `{}` is running, made from {}",
        info.name,
        one_line(&info.project)
    ));
    if made.exposes
        && let Some(url) = &info.url
    {
        context
            .ui
            .status(&format!("its web service will answer at {url}"));
    }
    if context.json {
        context.ui.json(info)
    } else {
        context.ui.line(&info.name)
    }
}

/// A copy of a whole home directory is never what was meant.
fn refuse_too_much(project: &Project, context: &Context) -> Result<(), Failure> {
    let home = context.home.as_deref().and_then(|home| home.canonicalize().ok());
    let all = project.root.parent().is_none();
    if project.has_config || project.in_git || !(all || home.as_deref() == Some(project.root.as_path())) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is no project: a box would get a copy of all of it",
        project.root.display()
    ))
    .hint("cd to a project, or agentbox create --project DIR"))
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    if let Some(name) = &arguments.name {
        crate::boxes::name::check(name)?;
    }
    for (index, (name, path)) in arguments.volume.iter().enumerate() {
        let same = arguments.volume[..index]
            .iter()
            .find(|(other, target)| other == name || target == path);
        if same.is_some() {
            return Err(Failure::usage(format!(
                "volume {name}:{path} is given twice in part"
            )));
        }
    }
    // The last one wins, as in an environment.
    let mut env: Vec<(String, String)> = Vec::new();
    for (key, value) in &arguments.env {
        env.retain(|(other, _)| other != key);
        env.push((key.clone(), value.clone()));
    }
    Ok(Settings {
        name: arguments.name.clone(),
        image: arguments.image.clone(),
        env,
        memory: arguments.memory,
        nano_cpus: arguments.cpus,
        pids: arguments.pids,
        network: arguments.network.clone(),
        capabilities: arguments.cap_add.clone(),
        volumes: arguments.volume.clone(),
    })
}
