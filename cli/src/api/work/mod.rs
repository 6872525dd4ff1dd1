//! What the process does that answers one request: the same as commands do, with the same parts.

mod apps;
mod body;
mod boxes;
mod create;
mod snapshots;
mod specs;

use std::io::{self, BufRead, Read, Write};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{ServiceSpec, SetupScript};

use super::error::{Answered, Error};
use super::gate::LARGEST_BODY;
use super::route::Operation;
use super::worker::Order;
use crate::boxes::{BoxInfo, observe};
use crate::commands::on_runtime;
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::spec::Library;

/// Longest order in bytes.
const LONGEST_ORDER: u64 = 1 << 20;

/// What an operation works with.
struct World<'a> {
    context: &'a Context,
    interrupt: Interrupt,
    /// Of the web proxy.
    port: u16,
}

/// Reads an order from stdin, does it, and writes the reply to stdout. When stdin ends before, it is undone.
///
/// # Errors
/// An order that is none, a stdout that nobody reads.
pub fn answer(context: &Context) -> Result<(), Failure> {
    let cannot = |error: io::Error| Failure::usage("only the relay calls this").because(&error);
    let mut stdin = io::BufReader::new(io::stdin());
    let mut line = Vec::new();
    (&mut stdin)
        .take(LONGEST_ORDER)
        .read_until(b'\n', &mut line)
        .map_err(cannot)?;
    let order: Order = serde_json::from_slice(&line).map_err(|error| cannot(error.into()))?;
    let mut body = vec![0; order.length.min(LARGEST_BODY)];
    stdin.read_exact(&mut body).map_err(cannot)?;
    let reply = on_runtime(async {
        let mut world = World {
            context,
            interrupt: Interrupt::new()?,
            port: order.port,
        };
        end_with(stdin);
        let answered = world.work(order.operation, &order.names, &body).await;
        Ok(answered.unwrap_or_else(|error| error.reply()))
    })?;
    let written = serde_json::to_vec(&reply)
        .map_err(io::Error::from)
        .and_then(|text| io::stdout().write_all(&text));
    written.map_err(|error| Failure::failed("nobody waits for the answer").because(&error))
}

/// Tells this process to end when stdin does: whoever waited has gone.
fn end_with(mut stdin: impl Read + Send + 'static) {
    std::thread::spawn(move || {
        let mut rest = [0; 64];
        while stdin.read(&mut rest).is_ok_and(|read| read > 0) {}
        // That is what an interrupted command is told, too.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
}

impl World<'_> {
    async fn work(&mut self, operation: Operation, names: &[String], body: &[u8]) -> Answered {
        let name = |index: usize| names.get(index).map_or("", String::as_str);
        match operation {
            Operation::ListServiceSpecs => specs::list::<ServiceSpec>(&self.library()?.service_specs),
            Operation::CreateServiceSpec => {
                specs::create::<ServiceSpec>(&self.library()?.service_specs, body)
            }
            Operation::GetServiceSpec => specs::get::<ServiceSpec>(&self.library()?.service_specs, name(0)),
            Operation::ReplaceServiceSpec => {
                specs::replace::<ServiceSpec>(&self.library()?.service_specs, name(0), body)
            }
            Operation::DeleteServiceSpec => {
                specs::delete::<ServiceSpec>(&self.library()?.service_specs, name(0))
            }
            Operation::ListSetupScripts => specs::list::<SetupScript>(&self.library()?.setup_scripts),
            Operation::CreateSetupScript => {
                specs::create::<SetupScript>(&self.library()?.setup_scripts, body)
            }
            Operation::GetSetupScript => specs::get::<SetupScript>(&self.library()?.setup_scripts, name(0)),
            Operation::ReplaceSetupScript => {
                specs::replace::<SetupScript>(&self.library()?.setup_scripts, name(0), body)
            }
            Operation::DeleteSetupScript => {
                specs::delete::<SetupScript>(&self.library()?.setup_scripts, name(0))
            }
            Operation::ListWorkspaces => boxes::list(self).await,
            Operation::CreateWorkspace => create::create(self, body).await,
            Operation::GetWorkspace => boxes::get(self, name(0)).await,
            Operation::DeleteWorkspace => boxes::delete(self, name(0)).await,
            Operation::StartWorkspace => boxes::start(self, name(0)).await,
            Operation::StopWorkspace => boxes::stop(self, name(0)).await,
            Operation::RestartWorkspace => boxes::restart(self, name(0)).await,
            Operation::ListApps => apps::list(self, name(0)).await,
            Operation::CreateApp => apps::create(self, name(0), body).await,
            Operation::DeleteApp => apps::delete(self, name(0), name(1)).await,
            Operation::ListSnapshots => snapshots::list(self, name(0)).await,
            Operation::CreateSnapshot => snapshots::create(self, name(0), body).await,
            Operation::DeleteSnapshot => snapshots::delete(self, name(0), name(1)).await,
        }
    }

    fn library(&self) -> Result<Library, Error> {
        Ok(Library::of(self.context)?)
    }

    fn docker(&self) -> Result<Docker, Error> {
        Ok(Docker::from_context(self.context)?)
    }

    /// The box that a word names: its id, else its name. Nothing shorter: a program means what it says.
    async fn find(&self, docker: &Docker, word: &str) -> Result<BoxInfo, Error> {
        let boxes = observe(docker).await?.boxes;
        let by_id = boxes.iter().find(|info| info.id == word);
        let found = by_id.or_else(|| boxes.iter().find(|info| info.name == word));
        found
            .cloned()
            .ok_or_else(|| Error::new(404, "there is no such box"))
    }
}

/// An error of something that did not come to its end; a failure without a kind of its own is answered with `status`.
fn stopped(status: u16) -> impl Fn(Stopped) -> Error {
    move |stopped| match stopped {
        Stopped::Failed(failure) => Error::from_failure(&failure, status),
        Stopped::Interrupted => Error::new(503, "it was interrupted"),
    }
}
