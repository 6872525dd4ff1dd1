//! The command line of `agentbox-ctl`: the words of `agentbox`, for use inside the box.

mod connect;
mod container;
mod daemon;
mod dial;
mod look;
mod offline;
mod output;
mod session;
mod shim;
mod units;
mod work;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::client::Client;
use crate::failure::Failure;
use crate::paths;
use output::Output;
pub(crate) use shim::put_in_place as put_shims_in_place;

/// The supervisor of an agentbox, and the commands that talk to it.
#[derive(Debug, Parser)]
#[command(
    name = "agentbox-ctl",
    version,
    propagate_version = false,
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// The supervisor's socket
    #[arg(long, global = true, value_name = "PATH", default_value = paths::SOCKET)]
    socket: PathBuf,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Print data and errors only
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Say more about what is done
    #[arg(short, long, global = true)]
    verbose: bool,
    /// When to use colour: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "always", "never"])]
    color: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all units and their states
    Status(look::StatusArguments),
    /// Print the output of units
    Logs(look::LogsArguments),
    /// Print state events
    Events(look::EventsArguments),
    /// Wait until units are ready (tasks: done)
    #[command(alias = "wait-ready")]
    Wait(look::WaitArguments),
    /// Start units and what they need
    Start(units::StartArguments),
    /// Stop units and everything they started
    Stop(units::UnitsArguments),
    /// Stop units and start them again
    Restart(units::StartArguments),
    /// Have services start with the box, from its next start on
    Enable(units::EnableArguments),
    /// Have services not start with the box, from its next start on
    Disable(units::EnableArguments),
    /// Run a task again
    RunTask(units::RunTaskArguments),
    /// Apply an edited agentbox.yaml
    Reload,
    /// Check an agentbox.yaml
    Validate(offline::ValidateArguments),
    /// Print the JSON Schema of agentbox.yaml
    Schema(offline::SchemaArguments),
    /// Print the version
    Version,
    /// Run the supervisor in the foreground
    Daemon(daemon::DaemonArguments),
    /// Run as PID 1 of a box: start the supervisor, reap, forward signals
    #[command(hide = true)]
    Init(daemon::InitArguments),
    /// Write the project that comes on stdin, for PID 1 of a new box
    #[command(hide = true)]
    Seed(daemon::SeedArguments),
    /// Bridge stdin and stdout to the supervisor's socket
    #[command(hide = true)]
    Connect,
    /// Bridge stdin and stdout, in frames, to a TCP port of the box
    #[command(hide = true)]
    Dial(dial::DialArguments),
    /// Run the container of a service with `image`
    #[command(hide = true)]
    Container(container::ContainerArguments),
    /// Run a command for a client outside of the box; its input is framed
    #[command(hide = true)]
    Session(session::SessionArguments),
    /// Look at the repository in the workspace for a client outside of the box
    #[command(hide = true)]
    Work(work::WorkArguments),
}

/// What every command gets.
struct Context {
    socket: PathBuf,
    json: bool,
    output: Output,
}

impl Context {
    async fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.socket).await.map_err(|error| {
            Failure::failed(format!(
                "cannot reach the supervisor at {}",
                self.socket.display()
            ))
            .because(&error)
            .hint("is it running? agentbox-ctl daemon --socket S starts one outside a box")
        })
    }
}

/// Runs one command line and says how the process ends.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Some(code) = shim::run(&arguments) {
        return ExitCode::from(code);
    }
    let command = crate::flags::with_environment(Arguments::command());
    let parsed = command
        .try_get_matches_from(arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return ExitCode::from(Output::new(false).usage(&error)),
    };
    let context = Context {
        socket: arguments.global.socket,
        json: arguments.global.json,
        output: Output::new(arguments.global.quiet),
    };
    let result = run(arguments.command, &context);
    ExitCode::from(context.output.finish(result))
}

fn run(command: Command, context: &Context) -> Result<u8, Failure> {
    match command {
        Command::Status(arguments) => on_runtime(Box::pin(look::status(&arguments, context))),
        Command::Logs(arguments) => on_runtime(Box::pin(look::logs(&arguments, context))),
        Command::Events(arguments) => on_runtime(Box::pin(look::events(&arguments, context))),
        Command::Wait(arguments) => on_runtime(Box::pin(look::wait(&arguments, context))),
        Command::Start(arguments) => on_runtime(Box::pin(units::start(&arguments, context))),
        Command::Stop(arguments) => on_runtime(Box::pin(units::stop(&arguments, context))),
        Command::Restart(arguments) => on_runtime(Box::pin(units::restart(&arguments, context))),
        Command::Enable(arguments) => on_runtime(Box::pin(units::enable(&arguments, true, context))),
        Command::Disable(arguments) => on_runtime(Box::pin(units::enable(&arguments, false, context))),
        Command::RunTask(arguments) => on_runtime(Box::pin(units::run_task(&arguments, context))),
        Command::Reload => on_runtime(Box::pin(units::reload(context))),
        Command::Validate(arguments) => offline::validate(&arguments, context),
        Command::Schema(arguments) => offline::schema(&arguments, context),
        Command::Version => context
            .output
            .line(&format!("agentbox-ctl {}", env!("CARGO_PKG_VERSION")))
            .map(|()| 0),
        Command::Daemon(arguments) => daemon::daemon(arguments, &context.socket),
        Command::Init(arguments) => Ok(daemon::init(&arguments, &context.socket)),
        Command::Seed(arguments) => daemon::seed(&arguments, context).map(|()| 0),
        Command::Connect => connect::connect(&context.socket).map(|()| 0),
        Command::Dial(arguments) => dial::dial(&arguments).map(|()| 0),
        Command::Container(arguments) => Ok(container::container(&arguments, context)),
        Command::Session(arguments) => Ok(session::session(arguments)),
        Command::Work(arguments) => work::work(&arguments, context),
    }
}

/// Boxed, so that the runtime is in the binary once and not for each command.
fn on_runtime(work: Pin<Box<dyn Future<Output = Result<u8, Failure>> + '_>>) -> Result<u8, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start the async runtime").because(&error))?
        .block_on(work)
}
