//! An app as it is shown.

use agentbox_ctl::failure::Failure;
use serde::Serialize;

use crate::app::{self, App, Health, Listening};
use crate::context::Context;
use crate::relay::Relay;
use crate::target::Target;

/// An app, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub(super) app: App,
    /// Where it answers; `None` where no relay says at which port.
    pub(super) url: Option<String>,
    pub(super) health: Health,
    /// The unit that listens on its port.
    pub(super) unit: Option<String>,
    /// The program that does.
    pub(super) process: Option<String>,
}

impl Row {
    /// An app of the box `name`, with the proxy at `port`.
    pub(super) fn new(app: App, name: &str, port: Option<u16>, listening: Option<&Listening>) -> Self {
        let listens = listening.and_then(|listening| listening.on(app.port));
        Self {
            url: port.map(|port| app::url(&app.name, name, port)),
            health: listening.map_or(Health::Unknown, |listening| listening.health(app.port)),
            unit: listens.and_then(|listens| listens.unit.clone()),
            process: listens.and_then(|listens| listens.process.clone()),
            app,
        }
    }
}

/// Shows a new app: its URL, once a relay leads there, and what is still missing for it to answer.
pub(super) async fn made(context: &Context, target: &Target, made: App) -> Result<(), Failure> {
    let name = &target.info.name;
    let port = match Relay::of(context, &target.docker) {
        Some(relay) => match relay.ensure().await {
            Ok(port) => port,
            Err(failure) => {
                let why = format!("without the relay: {}", failure.message);
                context.ui.warning(&why);
                None
            }
        },
        None => None,
    };
    let listening = Listening::ask(target).await;
    let row = Row::new(made, name, port, Some(&listening));
    let App { name: app, port, .. } = &row.app;
    if context.json {
        return context.ui.json(&row);
    }
    context
        .ui
        .status(&format!("app `{app}` of box `{name}` leads to port {port}"));
    match &row.url {
        Some(url) => context.ui.line(url)?,
        None => context.ui.hint(&format!(
            "without --no-relay, agentbox app list {name} shows its URL"
        )),
    }
    match row.health {
        Health::Listening | Health::Unknown => {}
        Health::NobodyListens => context.ui.status(&format!("nobody listens on port {port} yet")),
        Health::NotOnLoopback => context.ui.warning(&format!(
            "what listens on port {port} does not do so on 127.0.0.1 or ::1, where apps are reached"
        )),
        Health::BoxStopped | Health::BoxPaused | Health::BoxDead => {
            context
                .ui
                .status(&format!("box `{name}` is {}", target.info.state));
        }
    }
    Ok(())
}
