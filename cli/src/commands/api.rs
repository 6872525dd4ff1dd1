//! `agentbox api enable`, `disable`, `token` and `status`.

use agentbox_ctl::failure::Failure;
use clap::Subcommand;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::api::{self, Access, Token};
use crate::context::Context;
use crate::docker::Docker;
use crate::relay::wire::Engine;
use crate::relay::{self, Place};

/// Arguments of `api`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The relay serves it, on the port of the boxes' web URLs; while it is on, the relay stays. Whoever has the
token can do what you can do with agentbox.

Examples:
  TOKEN=$(agentbox api enable)
  curl -H \"Authorization: Bearer $TOKEN\" http://localhost:7080/api/workspaces"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Turn it on, and print the token
    Enable,
    /// Turn it off: the token is worth nothing from then on
    Disable,
    /// Print another token, in place of the one that there is
    Token,
    /// Show whether it is on, and where
    Status,
    /// Answer one request, for the relay
    #[command(hide = true)]
    Answer,
}

/// How it is, as `--json` has it.
#[derive(Debug, Serialize)]
struct State {
    enabled: bool,
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Runs one of them.
///
/// # Errors
/// No place for a relay, one that does not start (1), an API that is off (1, `token`).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    if matches!(arguments.command, Command::Answer) {
        return api::answer(context).map(|()| Exit::SUCCESS);
    }
    let place = context.relay.as_ref().ok_or_else(|| {
        Failure::failed("the HTTP API needs the relay, and there is no place for one")
            .cause("--no-relay was given, or there is no home directory")
            .hint("set HOME")
    })?;
    place.prepare()?;
    let access = Access::new(place.state());
    match &arguments.command {
        Command::Enable => {
            let token = match access.read() {
                Some(token) => token,
                None => access.renew(engine(context))?,
            };
            on_runtime(relay::ensure(place))?;
            tell(context, place, token)?;
        }
        Command::Token => {
            let Some(old) = access.read() else {
                return Err(Failure::failed("the HTTP API is off").hint("agentbox api enable"));
            };
            let token = access.renew(old.engine)?;
            on_runtime(relay::ensure(place))?;
            tell(context, place, token)?;
        }
        Command::Disable => {
            let was_on = access.remove()?;
            context.ui.status(if was_on {
                "the HTTP API is off"
            } else {
                "the HTTP API is off already"
            });
            show(context, false, place)?;
        }
        Command::Status => {
            let is_on = access.read().is_some();
            show(context, is_on, place)?;
            if !context.json {
                let state = match (is_on, url(place)) {
                    (false, _) => "off".to_owned(),
                    (true, Some(url)) => format!("on, {url}"),
                    (true, None) => "on, but no relay serves it: agentbox api enable".to_owned(),
                };
                context.ui.line(&state)?;
            }
        }
        Command::Answer => {}
    }
    Ok(Exit::SUCCESS)
}

/// The engine that is meant from now on, where one word says it.
fn engine(context: &Context) -> Option<String> {
    let engine = Engine::at(Docker::from_context(context).ok()?.address());
    engine.certificates.is_none().then_some(engine.url)
}

/// Where it answers, while a relay serves it.
fn url(place: &Place) -> Option<String> {
    let health = on_runtime(async { Ok(relay::health(place).await.ok()) }).ok()??;
    Some(format!("http://localhost:{}/api", health.port?))
}

fn tell(context: &Context, place: &Place, token: Token) -> Result<(), Failure> {
    let url = url(place);
    match &url {
        Some(url) => context.ui.status(&format!("the HTTP API is on, at {url}")),
        None => context
            .ui
            .warning("the HTTP API is on, but no relay serves it: agentbox relay log"),
    }
    if context.json {
        return context.ui.json(&State {
            enabled: true,
            url,
            token: Some(token.token),
        });
    }
    context.ui.line(&token.token)
}

/// The state as JSON, where that is wanted.
fn show(context: &Context, enabled: bool, place: &Place) -> Result<(), Failure> {
    if !context.json {
        return Ok(());
    }
    context.ui.json(&State {
        enabled,
        url: url(place).filter(|_| enabled),
        token: None,
    })
}
