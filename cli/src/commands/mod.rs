//! The command line: one file per command, its arguments beside its `run`.

pub mod api;
pub mod app;
pub mod checkpoint;
pub mod completion;
pub mod config;
pub mod cp;
pub mod create;
pub mod dashboard;
pub mod destroy;
pub mod df;
pub mod diff;
pub mod doctor;
pub mod events;
pub mod exec;
pub mod forward;
pub mod image;
pub mod init;
mod kept;
pub mod list;
pub mod logs;
pub mod on;
pub mod pause;
pub mod ports;
pub mod prune;
pub mod pull;
pub mod relay;
pub mod reload;
pub mod restart;
pub mod run_task;
pub mod schema;
pub mod setup_script;
pub mod shell;
pub mod spec;
pub mod start;
pub mod status;
pub mod stop;
pub mod timeline;
pub mod url;
pub mod validate;
pub mod wait;

use std::ffi::OsString;
use std::future::Future;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::flags;
use agentbox_ctl::time::Timestamp;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::Exit;
use crate::context::Context;
use crate::ui::ColorChoice;

/// A full Linux machine per task, in an isolated container.
#[derive(Debug, Parser)]
#[command(
    name = "agentbox",
    version,
    propagate_version = false,
    disable_help_subcommand = true
)]
#[command(after_help = "Every flag --x-y is also AGENTBOX_X_Y in the environment.")]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print data and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// The Docker engine: unix://, tcp://, ssh:// (else DOCKER_HOST, DOCKER_CONTEXT, the current docker context)
    #[arg(long, global = true, value_name = "URL")]
    pub engine: Option<String>,
    /// Ask the engine and the box directly, and start no relay
    #[arg(long, global = true)]
    pub no_relay: bool,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a box and start it
    Create(create::Arguments),
    /// Propose an agentbox.yaml for a project; needs no Docker
    Init(init::Arguments),
    /// Start a box, or units of it
    Start(start::Arguments),
    /// Stop a box, or units of it
    Stop(stop::Arguments),
    /// Restart a box, or units of it
    Restart(restart::Arguments),
    /// Freeze a box
    Pause(pause::Arguments),
    /// Thaw a box
    Unpause(pause::Arguments),
    /// Remove a box with everything in it
    #[command(visible_alias = "rm")]
    Destroy(destroy::Arguments),
    /// List boxes
    #[command(visible_aliases = ["ls", "ps"])]
    List(list::Arguments),
    /// Show a box's units
    Status(status::Arguments),
    /// Show the output of units
    Logs(logs::Arguments),
    /// Wait until units are ready
    Wait(wait::Arguments),
    /// Run a command in a box
    Exec(exec::Arguments),
    /// Open a shell in a box
    Shell(shell::Arguments),
    /// Run a task again
    RunTask(run_task::Arguments),
    /// Fetch a box's commits into the branch agentbox/BOX
    #[command(visible_alias = "fetch")]
    Pull(pull::Arguments),
    /// Show what changed in a box since it forked
    Diff(diff::Arguments),
    /// Apply an edited agentbox.yaml to a running box
    Reload(reload::Arguments),
    /// Copy files between a box and here
    Cp(cp::Arguments),
    /// Print a box's web URL
    Url(url::Arguments),
    /// Give ports of boxes names and URLs
    App(app::Arguments),
    /// Bring ports of a box to this machine
    Forward(forward::Arguments),
    /// Show what listens in a box
    Ports(ports::Arguments),
    /// Show state changes of a box's units
    Events(events::Arguments),
    /// Run a command here whenever units of a box change
    On(on::Arguments),
    /// Show boxes, their units and output on one screen
    Dashboard(dashboard::Arguments),
    /// Show how a box's units came up, and what decided how long that took
    Timeline(timeline::Arguments),
    /// The process that keeps channels to all running boxes
    Relay(relay::Arguments),
    /// The HTTP API, which is off until it is enabled
    Api(api::Arguments),
    /// Save boxes, for new ones to start warm
    #[command(visible_alias = "snapshot")]
    Checkpoint(checkpoint::Arguments),
    /// Service specs: services of yours, for whichever box needs them
    Spec(spec::Arguments),
    /// Setup scripts of yours, which prepare a box before its services start
    SetupScript(setup_script::Arguments),
    /// Build and list images
    Image(image::Arguments),
    /// Look at everything that boxes need
    Doctor(doctor::Arguments),
    /// Show what takes how much space
    Df(df::Arguments),
    /// Remove what was left behind
    Prune(prune::Arguments),
    /// Read and write settings; needs no Docker
    Config(config::Arguments),
    /// Check an agentbox.yaml; needs no Docker
    Validate(validate::Arguments),
    /// Print the JSON Schema of agentbox.yaml; needs no Docker
    Schema(schema::Arguments),
    /// Print a completion script for a shell
    Completion(completion::Arguments),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever kept it from doing its work.
    pub fn run(self, context: &Context) -> Result<Exit, Failure> {
        match self {
            Self::Status(arguments) => status::run(&arguments, context),
            Self::Logs(arguments) => logs::run(&arguments, context),
            Self::Wait(arguments) => wait::run(&arguments, context),
            Self::Exec(arguments) => exec::run(arguments, context),
            Self::Shell(arguments) => shell::run(arguments, context),
            Self::RunTask(arguments) => run_task::run(&arguments, context),
            Self::Pull(arguments) => pull::run(&arguments, context),
            Self::Diff(arguments) => diff::run(&arguments, context),
            Self::Reload(arguments) => reload::run(&arguments, context),
            Self::Cp(arguments) => cp::run(&arguments, context),
            Self::Url(arguments) => url::run(&arguments, context),
            Self::App(arguments) => app::run(&arguments, context),
            Self::Forward(arguments) => forward::run(&arguments, context),
            Self::Ports(arguments) => ports::run(&arguments, context),
            Self::Events(arguments) => events::run(&arguments, context),
            Self::On(arguments) => on::run(&arguments, context),
            Self::Api(arguments) => api::run(&arguments, context),
            Self::Relay(arguments) => relay::run(&arguments, context),
            Self::Dashboard(arguments) => dashboard::run(&arguments, context),
            Self::Timeline(arguments) => timeline::run(&arguments, context),
            Self::Create(arguments) => create::run(&arguments, context),
            Self::Init(arguments) => init::run(&arguments, context),
            Self::Start(arguments) => start::run(&arguments, context),
            Self::Stop(arguments) => stop::run(&arguments, context),
            Self::Restart(arguments) => restart::run(&arguments, context),
            Self::Pause(arguments) => pause::run(&arguments, context),
            Self::Unpause(arguments) => pause::run_unpause(&arguments, context),
            Self::Destroy(arguments) => destroy::run(&arguments, context),
            Self::List(arguments) => list::run(&arguments, context),
            Self::Checkpoint(arguments) => checkpoint::run(&arguments, context),
            Self::Spec(arguments) => spec::run(&arguments, context),
            Self::SetupScript(arguments) => setup_script::run(&arguments, context),
            Self::Image(arguments) => image::run(&arguments, context),
            Self::Doctor(arguments) => doctor::run(&arguments, context),
            Self::Df(arguments) => df::run(&arguments, context),
            Self::Prune(arguments) => prune::run(&arguments, context),
            Self::Config(arguments) => config::run(&arguments, context),
            Self::Validate(arguments) => validate::run(&arguments, context),
            Self::Schema(arguments) => schema::run(&arguments, context),
            Self::Completion(arguments) => completion::run(&arguments, context),
        }
    }
}

/// Parses what `--since` takes.
fn since(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_since(text, Timestamp::now())
}

/// Runs a command that talks to an engine. Those that need none never get here, so they start no runtime.
///
/// # Errors
/// Those of the command, and a runtime that cannot be made.
pub fn on_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?
        .block_on(work)
}

/// Parses a whole command line, the program's name first.
///
/// # Errors
/// Clap's: a mistake, or a wish for help or the version.
pub fn parse(command_line: Vec<OsString>) -> Result<Arguments, clap::Error> {
    let matches = command().try_get_matches_from(&command_line)?;
    let mut arguments = Arguments::from_arg_matches(&matches)?;
    if let Command::Exec(arguments) = &mut arguments.command {
        arguments.look_up(&command_line);
    }
    Ok(arguments)
}

/// The clap command tree, every long flag bound to its environment variable.
pub fn command() -> clap::Command {
    flags::with_environment(Arguments::command())
}

/// The subcommand of a command line that need not be right: its first word that is one.
pub(crate) fn subcommand_of(command_line: &[OsString]) -> Option<String> {
    let known = Arguments::command();
    command_line
        .iter()
        .skip(1)
        .filter_map(|word| word.to_str())
        .find_map(|word| known.find_subcommand(word))
        .map(|command| command.get_name().to_owned())
}
