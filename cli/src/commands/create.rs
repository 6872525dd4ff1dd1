//! `agentbox create`.

use std::path::PathBuf;

use agentbox_ctl::config::model::Carry;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::spec::{Attachments, ServiceSpec, SetupScript};
use agentbox_ctl::time::Timestamp;

use super::{on_runtime, url};
use crate::Exit;
use crate::approval::{Answer, Decision};
use crate::carry;
use crate::checkpoint;
use crate::context::Context;
use crate::creation::{self, Made, Order};
use crate::docker::Docker;
use crate::interrupt::{self, Interrupt, Stopped};
use crate::plan::create::{Settings, Start};
use crate::plan::limit;
use crate::project::Project;
use crate::project_config;
use crate::readiness::{self, Wanted};
use crate::relay::Relay;
use crate::settings::{self, Flags, Layers};
use crate::spec::{Library, Refused};
use crate::target::Channel;
use crate::ui::{duration, one_line};
use crate::wizard;

/// Arguments of `create`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Prints the box's name. Nothing is left behind when it fails or is interrupted. What no flag gives comes
from `defaults` in agentbox.yaml, then from the settings: agentbox config list.

Examples:
  agentbox create
  agentbox create -n review --wait --memory 4g --env API_KEY
  agentbox create --docker --wait
  agentbox create --from warm
  agentbox create --service-spec api,worker --setup-script install-deps
  agentbox create --image node:22 --volume cache:/home/node/.npm
  agentbox create --no-project -n scratch"
)]
pub struct Arguments {
    /// Name of the box; else the project's, with a number where that is taken
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// The project's directory; else the nearest one upwards with an agentbox.yaml, or the git top level
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// A box that belongs to no project, with an empty /workspace; from a checkpoint, with the workspace that it has
    #[arg(long, conflicts_with_all = ["project", "from_branch"])]
    no_project: bool,
    /// Image of the box
    #[arg(long, value_name = "REF", value_parser = limit::reference)]
    image: Option<String>,
    /// Start warm from a checkpoint: its name, id or tag; `none` starts cold, where the project has a default one
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "image", value_parser = limit::reference)]
    from: Option<String>,
    /// Leave the workspace as the checkpoint has it; else it gets the project's current state
    #[arg(long, conflicts_with = "from_branch")]
    no_resync: bool,
    /// Fork from this branch, tag or commit instead of the work tree as it is
    #[arg(long, value_name = "REF")]
    from_branch: Option<String>,
    /// Return when the units are ready, with the exit code of `agentbox wait`; --wait=false does not
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = limit::switch)]
    wait: Option<bool>,
    /// Memory limit, such as 4g
    #[arg(long, value_name = "SIZE", value_parser = limit::memory)]
    memory: Option<i64>,
    /// CPU limit, such as 2 or 0.5
    #[arg(long, value_name = "NUMBER", value_parser = limit::cpus)]
    cpus: Option<i64>,
    /// Limit of processes and threads
    #[arg(long, value_name = "NUMBER", value_parser = limit::pids)]
    pids: Option<i64>,
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
    /// A Docker engine of the box's own; --docker=false gives it none. A hostile box of that kind can probably break out
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = limit::switch)]
    docker: Option<bool>,
    /// Attach this service spec of yours: agentbox spec list. A list with commas; can be given several times
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = limit::attached)]
    service_spec: Vec<String>,
    /// Attach this setup script of yours, after those given before. A list with commas; can be given several times
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = limit::attached)]
    setup_script: Vec<String>,
    /// Run setup scripts again that the checkpoint has behind it
    #[arg(long)]
    rerun_setup: bool,
    /// What `defaults` in agentbox.yaml ask for beyond a plain box: allow it, or leave it out; else you are asked, once
    #[arg(long, value_name = "ANSWER")]
    defaults: Option<DefaultsAnswer>,
    /// Allow what `carry` in agentbox.yaml copies from this machine into the box, without asking
    #[arg(long)]
    carry_yes: bool,
    /// What to do about `carry`: `skip` leaves it out, whatever else is said
    #[arg(long, value_name = "skip")]
    carry: Option<CarryChoice>,
    /// Ask nothing. What `carry` and `defaults` ask for must be allowed already, or by their own flags
    #[arg(short, long)]
    yes: bool,
    /// No setup wizard where there is no agentbox.yaml
    #[arg(long)]
    no_wizard: bool,
}

/// A word said in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum DefaultsAnswer {
    /// Allow it, and remember that.
    Yes,
    /// Make the box without.
    Skip,
}

/// What `--carry` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum CarryChoice {
    /// Copy nothing
    Skip,
}

/// Makes and starts a box.
///
/// # Errors
/// Mistakes in `agentbox.yaml` or on the command line (2), a name that is taken, an image that cannot be had or
/// used (1), with `--wait` those of `wait`.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if let Some(name) = &arguments.name {
        crate::boxes::name::check(name)?;
    }
    if arguments.no_project {
        return without_project(arguments, context);
    }
    let directory = match &arguments.project {
        Some(directory) => context.directory.join(directory),
        None => context.directory.clone(),
    };
    let project = Project::find(&directory)?;
    refuse_too_much(&project, context)?;
    // A commit is what it is: nothing is proposed for it.
    let no_wizard = arguments.no_wizard || arguments.from_branch.is_some();
    let Some(project) = wizard::before_create(context, project, arguments.yes, no_wizard)? else {
        return Ok(interrupt::EXIT);
    };
    // Before anything of Docker's: a mistake is told without an engine, too.
    let mut order = Order {
        config: match &arguments.from_branch {
            Some(reference) => project_config::of_commit(&project, reference)?,
            None => project_config::of_project(&project)?,
        },
        reference: arguments.from_branch.clone(),
        attached: Attachments::default(),
    };
    let layers = Layers::load(context, Some(&project.root), &order.config.config.defaults)?;
    let settings =
        settings::resolve_allowed(context, &project, flags(arguments), &layers, answer(arguments))?;
    order.attached = attached(context, &settings, &layers, arguments.rerun_setup)?;
    order.config.check_needs(paths::CONFIG_NAME, &order.attached)?;
    let carried = carried(
        arguments,
        context,
        &project,
        &order.config.config.carry,
        settings.carry_limit,
    )?;
    make(
        context,
        Some(&project),
        order,
        settings,
        &carried,
        !arguments.no_resync,
    )
}

/// Makes a box that belongs to no project: nothing of one is read, so nothing is to be allowed.
fn without_project(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let layers = Layers::load(context, None, &[])?;
    let settings = settings::resolve(flags(arguments), &layers)?;
    let resync = !arguments.no_resync && !matches!(settings.start, Start::Checkpoint(_));
    let order = Order {
        attached: attached(context, &settings, &layers, arguments.rerun_setup)?,
        ..Order::default()
    };
    make(context, None, order, settings, &carry::Plan::default(), resync)
}

/// Makes the box, says so, and waits for its units where that is wanted.
fn make(
    context: &Context,
    project: Option<&Project>,
    mut order: Order,
    mut settings: Settings,
    carried: &carry::Plan,
    resync: bool,
) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let mut interrupt = Interrupt::new()?;
        let warming = warm_up(
            context,
            &docker,
            project,
            &mut settings,
            &mut order,
            resync,
            &mut interrupt,
        );
        match warming.await {
            Ok(()) => {}
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Interrupted) => return Ok(interrupted(context)),
        }
        let making = creation::create(
            context,
            &docker,
            project,
            order,
            &settings,
            carried,
            &mut interrupt,
        );
        let made = match making.await {
            Ok(made) => made,
            Err(Stopped::Failed(failure)) => return Err(failure),
            Err(Stopped::Interrupted) => return Ok(interrupted(context)),
        };
        let port = match Relay::of(context, &docker) {
            Some(relay) => relay.wake().await,
            None => None,
        };
        report(context, &made, port)?;
        if !settings.wait {
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

fn interrupted(context: &Context) -> Exit {
    context.ui.status("interrupted: no box was made");
    interrupt::EXIT
}

/// Finds the checkpoint that the box starts from, if any. Where the workspace stays as it was saved, so does its
/// `agentbox.yaml`, and that one is valid or there is no box.
async fn warm_up(
    context: &Context,
    docker: &Docker,
    project: Option<&Project>,
    settings: &mut Settings,
    order: &mut Order,
    resync: bool,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let finding = checkpoint::warm_up(docker, project, settings, resync);
    let Some(found) = interrupt.guard(finding).await? else {
        return Ok(());
    };
    let age = found.record.time.map_or_else(String::new, |time| {
        format!(" ({} old)", duration(time, Timestamp::now()))
    });
    context
        .ui
        .status(&format!("warm start from checkpoint `{}`{age}", found.name));
    if !resync {
        // Not to be cut off: it makes something that it takes away again.
        order.config = checkpoint::config_of(context, docker, &found).await?;
        order
            .config
            .check_needs(&format!("{}:{}", found.name, paths::CONFIG_NAME), &order.attached)?;
    }
    Ok(())
}

/// Says what was made; `port` is that of the web URLs, where they are served already.
fn report(context: &Context, made: &Made, port: Option<u16>) -> Result<(), Failure> {
    let info = &made.info;
    let source = match info.project.as_str() {
        "" => "of no project".to_owned(),
        project => format!("made from {}", one_line(project)),
    };
    context
        .ui
        .status(&format!("box `{}` is running, {source}", info.name));
    let stable = port.map(|port| url::stable(&info.name, port));
    if made.exposes
        && let Some(url) = stable.or_else(|| info.url.clone())
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

/// What goes from this machine into the box: looked at, and allowed by the user, before anything is made.
fn carried(
    arguments: &Arguments,
    context: &Context,
    project: &Project,
    entries: &[Carry],
    limit: u64,
) -> Result<carry::Plan, Failure> {
    if entries.is_empty() {
        return Ok(carry::Plan::default());
    }
    if arguments.carry == Some(CarryChoice::Skip) {
        context.ui.status("leaving out what agentbox.yaml carries");
        return Ok(carry::Plan::default());
    }
    let roots = carry::Roots {
        project: &project.root,
        home: context.home.as_deref(),
    };
    let plan = carry::gather(entries, roots, limit)?;
    let answer = if arguments.carry_yes {
        Answer::Yes
    } else if arguments.yes {
        Answer::Never
    } else {
        Answer::Ask
    };
    match carry::approve(context, &project.root, &plan, answer)? {
        Decision::Approved => Ok(plan),
        Decision::Skipped => Ok(carry::Plan::default()),
    }
}

/// Copies of what the settings name.
fn attached(
    context: &Context,
    settings: &Settings,
    layers: &Layers,
    rerun_setup: bool,
) -> Result<Attachments, Failure> {
    let (specs, scripts) = (&settings.service_specs, &settings.setup_scripts);
    if specs.is_empty() && scripts.is_empty() {
        // A box that has nothing attached must not have to find out.
        return Ok(Attachments::default());
    }
    let library = Library::of(context)?;
    // Who asks for one that does not exist: a flag, or which file.
    let named = |key: &'static str| {
        move |name: &str, refused: Refused| match refused {
            Refused::Missing(failure) => Refused::Missing(layers.named(key, name, failure)),
            other => other,
        }
    };
    Ok(Attachments {
        service_specs: library.copies_of::<ServiceSpec>(specs, named("box.service_specs"))?,
        setup_scripts: library.copies_of::<SetupScript>(scripts, named("box.setup_scripts"))?,
        rerun_setup,
    })
}

fn answer(arguments: &Arguments) -> Answer {
    match arguments.defaults {
        Some(DefaultsAnswer::Yes) => Answer::Yes,
        Some(DefaultsAnswer::Skip) => Answer::Skip,
        None if arguments.yes => Answer::Never,
        None => Answer::Ask,
    }
}

fn flags(arguments: &Arguments) -> Flags {
    Flags {
        name: arguments.name.clone(),
        image: arguments.image.clone(),
        from: arguments.from.clone(),
        wait: arguments.wait,
        memory: arguments.memory,
        nano_cpus: arguments.cpus,
        pids: arguments.pids,
        env: arguments.env.clone(),
        network: arguments.network.clone(),
        capabilities: arguments.cap_add.clone(),
        volumes: arguments.volume.clone(),
        docker: arguments.docker,
        service_specs: arguments.service_spec.clone(),
        setup_scripts: arguments.setup_script.clone(),
    }
}
